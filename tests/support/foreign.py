"""A token server and an API with nothing of ours: Authlib's stock AuthorizationServer and ResourceProtector on Flask.

`/token` takes both ways to authenticate, `/reports` any live token. A test reaches into `tokens` to end one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask, jsonify
from werkzeug.serving import make_server


class Client(ClientMixin):
    def __init__(self, client_id: str, secret: str) -> None:
        self.client_id = client_id
        self.secret = secret

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: Any) -> str:
        return " ".join(sorted(set(scope.split()) & {"reports:read", "reports:write"})) if scope else ""

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in {"client_secret_basic", "client_secret_post"}

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Token(TokenMixin):
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def check_client(self, client: Any) -> bool:
        return True

    def get_scope(self) -> str:
        return str(self.values.get("scope", ""))

    def get_expires_in(self) -> int:
        return int(self.values["expires_in"])

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


class Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012  Authlib's own form


class ForeignServer:
    def __init__(self, client_id: str, secret: str) -> None:
        self.client = Client(client_id, secret)
        self.tokens: dict[str, Token] = {}
        self.app = Flask("foreign")
        server = AuthorizationServer(self.app, query_client=self._query, save_token=self._save)
        server.register_grant(Grant)
        require = ResourceProtector()
        require.register_token_validator(self._validator())
        issue: Any = server.create_token_response
        self.app.add_url_rule("/token", "token", issue, methods=["POST"])
        self.app.add_url_rule(
            "/reports", "reports", require("reports:read")(lambda: "reports"), methods=["GET", "POST"]
        )
        self.app.add_url_rule("/.well-known/oauth-authorization-server", "metadata", self._metadata)
        self.url = ""

    def _query(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.client_id else None

    def _save(self, token: dict[str, Any], _request: Any) -> None:
        self.tokens[token["access_token"]] = Token(token)

    def _validator(self) -> BearerTokenValidator:
        known = self.tokens

        class Validator(BearerTokenValidator):
            def authenticate_token(self, token_string: str) -> Token | None:
                return known.get(token_string)

        return Validator()

    def _metadata(self) -> Any:
        return jsonify(issuer=self.url, token_endpoint=f"{self.url}/token")


@contextmanager
def foreign_server(client_id: str, secret: str) -> Iterator[ForeignServer]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        foreign = ForeignServer(client_id, secret)
        http = make_server("127.0.0.1", 0, foreign.app, threaded=True)
        foreign.url = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield foreign
        finally:
            http.shutdown()
            http.server_close()
