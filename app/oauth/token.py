"""`POST /oauth/token` (RFC 6749 §4.4): the only file that knows Authlib.

The door is plain WSGI in front of Flask, because a Flask view costs as much as everything else on this path together.
What was read goes into Authlib's framework-neutral server and its client-credentials grant; authenticating there
means the whole use case (`services.issuing`), since credential, decision, signature and audit line belong to one
transaction.

Authlib's own logging would print access tokens at DEBUG, and is capped here.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, cast

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import Flask

from app.http import ALWAYS, Headers, client_address, failure_headers, named, new_request_id, oauth_failure
from app.oauth.reading import read_form, token_request
from app.services.issuing import IssuedToken, Issuing, TokenRequest
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import TokenServerError

PATH = "/oauth/token"

log = logging.getLogger("tokenserver.token")
logging.getLogger("authlib").setLevel(logging.WARNING)

_HEADERS: Headers = [*ALWAYS, ("Pragma", "no-cache"), ("Content-Type", "application/json")]
_STATUS_LINES = {
    200: "200 OK",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    405: "405 Method Not Allowed",
    413: "413 Content Too Large",
    503: "503 Service Unavailable",
}

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TokenEndpoint:
    def __init__(self, issuing: Issuing, settings: Settings) -> None:
        self._server = _Server(issuing)
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        self._sample = settings.token_log_sample

    def mount(self, app: Flask) -> None:
        beyond: Wsgi = app.wsgi_app

        def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ.get("PATH_INFO") == PATH:
                return self._answer(environ, start_response)
            return beyond(environ, start_response)

        app.wsgi_app = door  # type: ignore[method-assign]  # how Flask says that middleware is mounted

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = new_request_id()
        status, more = 200, Headers()
        try:
            body = self._token(environ, request_id)
        except Exception as fault:  # noqa: BLE001  `named` logs what is unexpected
            failure = named(fault, request_id)
            body = dict(oauth_failure(failure))
            status, more = failure.status, _failure_headers(failure)
        if self._sample and random.random() < self._sample:  # noqa: S311  sampling, not a secret
            log.info("token request", extra={"request_id": request_id, "status": status})
        payload = json.dumps(body).encode("ascii")
        length = ("Content-Length", str(len(payload)))
        line = _STATUS_LINES.get(status, "500 Internal Server Error")
        start_response(line, [*_HEADERS, length, ("X-Request-Id", request_id), *more])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [payload]

    def _token(self, environ: dict[str, Any], request_id: str) -> dict[str, Any]:
        form = read_form(environ)
        asked = token_request(environ, form, client_address(environ, self._proxies), request_id)
        return cast(dict[str, Any], self._server.create_token_response(_Request(form, asked)))


def _failure_headers(failure: TokenServerError) -> Headers:
    allow = [("Allow", "POST")] if failure.status == 405 else []
    return [*allow, *failure_headers(failure)]


class _Payload(OAuth2Payload):
    """The form as Authlib reads it: one value for each name."""

    data: dict[str, str] = {}  # noqa: RUF012  replaces a property, set for each request
    datalist: Any = {}  # noqa: RUF012

    def __init__(self, form: dict[str, list[str]]) -> None:
        self.data = {name: values[0] for name, values in form.items()}
        self.datalist = form


class _Request(OAuth2Request):
    """What Authlib's grant looks at, and no more: its own constructor would parse again what we have parsed."""

    def __init__(self, form: dict[str, list[str]], asked: TokenRequest) -> None:
        self.method = "POST"
        self.payload: Any = _Payload(form)
        self.asked = asked
        self.client: Any = None


class _Proven:
    """A client that has authenticated, with the token that was issued in the same transaction."""

    __slots__ = ("token",)

    def __init__(self, token: IssuedToken) -> None:
        self.token = token

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)


class _Server(AuthorizationServer):
    """Authlib's server, with what it asks of a framework answered by our values."""

    def __init__(self, issuing: Issuing) -> None:
        super().__init__()
        self._issue = issuing.issue
        self.register_grant(ClientCredentialsGrant)

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Any:  # noqa: ARG002
        return _Proven(self._issue(request.asked))

    def generate_token(self, grant_type: str, client: Any, *_: Any, **__: Any) -> dict[str, Any]:  # noqa: ARG002
        token: IssuedToken = client.token
        answer = {"access_token": token.access_token, "token_type": "Bearer", "expires_in": token.expires_in}
        return {**answer, "scope": token.scope} if token.scope else answer

    def save_token(self, token: Any, request: Any) -> None:
        """No row per token."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:  # noqa: ARG002
        return body
