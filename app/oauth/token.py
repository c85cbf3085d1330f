"""`POST /oauth/token` (RFC 6749 §4.4): the only door that knows Authlib.

The door stands in front of Flask, because a Flask view costs as much as everything else on this path together. The use
case (`services.issuing`) authenticates, decides, signs and writes the audit line in one transaction; what it answers
goes through Authlib's framework-neutral server and its client-credentials grant, which make the response.

Authlib's own logging would print access tokens at DEBUG, and is capped here.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import Flask

from app.http import (
    ALWAYS,
    Environ,
    Headers,
    Reply,
    Wsgi,
    client_address,
    failure_headers,
    named,
    new_request_id,
    oauth_failure,
)
from app.limiting import allowance_headers, counted_address
from app.oauth.reading import read_form, token_request
from app.services.issuing import IssuedToken, Issuing, TokenRequest
from app.services.limits import Limits
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import RateLimited

PATH = "/oauth/token"

log = logging.getLogger("tokenserver.token")
logging.getLogger("authlib").setLevel(logging.WARNING)

_json = json.JSONEncoder(ensure_ascii=True, check_circular=False).encode
_NO_LIMIT: Headers = []
_HEADERS: Headers = [*ALWAYS, ("Pragma", "no-cache"), ("Content-Type", "application/json")]


class TokenEndpoint:
    """Waits on an event loop (`answer`), or behind any WSGI server in a thread (`mount`); the rest is the same."""

    def __init__(self, issuing: Issuing, limits: Limits, settings: Settings) -> None:
        self._issuing = issuing
        self._limits = limits
        self._server = _Server()
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        self._sample = settings.token_log_sample

    def mount(self, app: Flask) -> None:
        beyond: Wsgi = app.wsgi_app

        def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ.get("PATH_INFO") != PATH:
                return beyond(environ, start_response)
            status, headers, payload = self._answer_in_a_thread(environ)
            start_response(f"{status} {HTTPStatus(status).phrase}", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [payload]

        app.wsgi_app = door  # type: ignore[method-assign]  # how Flask says that middleware is mounted

    async def answer(self, environ: Environ) -> Reply:
        """The answer to a request of which everything has been received; never raises."""
        request_id, limit = new_request_id(), _NO_LIMIT
        try:
            address, limit = self._admit(environ)
            form, asked = self._read(environ, address, request_id)
            return self._granted(form, asked, await self._issuing.issued(asked), limit)
        except Exception as fault:  # noqa: BLE001  `named` logs what is unexpected
            return self._failed(fault, request_id, limit)

    def _answer_in_a_thread(self, environ: Environ) -> Reply:
        request_id, limit = new_request_id(), _NO_LIMIT
        try:
            address, limit = self._admit(environ)
            form, asked = self._read(environ, address, request_id)
            return self._granted(form, asked, self._issuing.issue(asked), limit)
        except Exception as fault:  # noqa: BLE001  as above
            return self._failed(fault, request_id, limit)

    def _admit(self, environ: Environ) -> tuple[str, Headers]:
        """The client's address, and what its limit says; raises RateLimited."""
        address = client_address(environ, self._proxies)
        return address, allowance_headers(self._limits.admit(counted_address(environ, address)))

    def _read(self, environ: Environ, address: str, request_id: str) -> tuple[dict[str, list[str]], TokenRequest]:
        form = read_form(environ)
        return form, token_request(environ, form, address, request_id)

    def _granted(self, form: dict[str, list[str]], asked: TokenRequest, issued: IssuedToken, limit: Headers) -> Reply:
        body: Mapping[str, Any] = self._server.create_token_response(_Request(form, issued))  # type: ignore[assignment]
        return self._reply(200, body, limit, asked.request_id)

    def _failed(self, fault: Exception, request_id: str, limit: Headers) -> Reply:
        failure = named(fault, request_id)
        allow = [("Allow", "POST")] if failure.status == 405 else []
        told = failure_headers(failure)
        if isinstance(failure, RateLimited) and failure.quota is not None:
            limit = _NO_LIMIT  # the one that was reached is told
        return self._reply(failure.status, oauth_failure(failure), [*limit, *allow, *told], request_id)

    def _reply(self, status: int, body: Mapping[str, Any], more: Headers, request_id: str) -> Reply:
        if self._sample and random.random() < self._sample:  # noqa: S311  sampling, not a secret
            log.info("token request", extra={"request_id": request_id, "status": status})
        payload = _json(body).encode("ascii")
        return status, [*_HEADERS, ("Content-Length", str(len(payload))), ("X-Request-Id", request_id), *more], payload


class _Payload(OAuth2Payload):
    """The form as Authlib reads it: one value for each name."""

    data: dict[str, str] = {}  # noqa: RUF012  replaces a property, set for each request
    datalist: Any = {}  # noqa: RUF012

    def __init__(self, form: dict[str, list[str]]) -> None:
        self.data = {name: values[0] for name, values in form.items()}
        self.datalist = form


class _Request(OAuth2Request):
    """What Authlib's grant looks at, and no more: its own constructor would parse again what we have parsed."""

    def __init__(self, form: dict[str, list[str]], issued: IssuedToken) -> None:
        self.method = "POST"
        self.payload: Any = _Payload(form)
        self.issued = issued
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

    def __init__(self) -> None:
        super().__init__()
        self.register_grant(ClientCredentialsGrant)

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Any:  # noqa: ARG002
        return _Proven(request.issued)

    def generate_token(self, grant_type: str, client: Any, *_: Any, **__: Any) -> dict[str, Any]:  # noqa: ARG002
        token: IssuedToken = client.token
        answer: dict[str, Any] = {
            "access_token": token.access_token,
            "token_type": "Bearer",
            "expires_in": token.expires_in,
        }
        if token.scope:
            answer["scope"] = token.scope
        if token.rotation_waits:
            answer["rotation"] = "waiting"
        return answer

    def save_token(self, token: Any, request: Any) -> None:
        """No row per token."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:  # noqa: ARG002
        return body
