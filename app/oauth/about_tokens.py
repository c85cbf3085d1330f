"""`POST /oauth/introspect` (RFC 7662, RFC 9701) and `POST /oauth/revoke` (RFC 7009): one token, and who asks about it.

The caller proves itself as at the token endpoint, with the same refusals. The parameter is `token`; `token_type_hint`
is ignored, since there is one type of token. An introspection is answered as a signed statement where `Accept` names
its type: a `*/*` does not.

Introspections of callers who prove themselves are answered in front of Flask (see `in_front`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, Response, request

from app.http import Environ, Reply, as_json, client_address, request_id_of, respond
from app.limiting import Limiting
from app.oauth.in_front import Answer, in_front
from app.oauth.reading import authentication, read_form
from app.services.introspecting import INTROSPECTION, Introspecting
from app.services.proving import Proof
from app.services.revoking import Revoking
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import InvalidRequest

INTROSPECT = "/oauth/introspect"
_SIGNED = f"application/{INTROSPECTION}"


class AboutTokens:
    def __init__(
        self, introspecting: Introspecting, revoking: Revoking, limiting: Limiting, settings: Settings
    ) -> None:
        self._introspecting = introspecting
        self._revoking = revoking
        self._limiting = limiting
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)

    def mount(self, app: Flask) -> None:
        app.add_url_rule(INTROSPECT, "introspect", self.introspect, methods=["POST"])
        app.add_url_rule("/oauth/revoke", "revoke", self.revoke, methods=["POST"])

    async def introspect_in_front(self, environ: Environ) -> Reply | None:
        """The answer to a caller who has proven itself; None leaves it to Flask."""
        if environ["REQUEST_METHOD"] != "POST" or INTROSPECTION in environ.get("HTTP_ACCEPT", "").lower():
            return None
        return await in_front(environ, INTROSPECT, self._introspected(environ))

    async def _introspected(self, environ: Environ) -> Answer | None:
        self._limiting.admit(environ, INTROSPECT)
        told = await self._introspecting.introspected(*self._read(environ))
        return None if told is None else (200, [("Content-Type", "application/json")], as_json(told))

    def introspect(self) -> Response:
        asked, unverified_token = self._read(request.environ)
        if _wants_signed(request):
            statement = self._introspecting.introspect_signed(asked, unverified_token)
            return Response(statement, content_type=_SIGNED)
        return respond(self._introspecting.introspect(asked, unverified_token))

    def revoke(self) -> Response:
        asked, unverified_token = self._read(request.environ)
        self._revoking.revoke(asked, unverified_token)
        return respond(None)

    def _read(self, environ: dict[str, Any]) -> tuple[Proof, str]:
        # Without that header, nothing of the body is remembered: it holds a token.
        form = read_form({name: value for name, value in environ.items() if name != "HTTP_AUTHORIZATION"})
        client_id, secret = authentication(environ, form)
        proof = Proof(client_id, secret, client_address(environ, self._proxies), request_id_of(environ))
        return proof, _token(form)


def _token(form: Mapping[str, list[str]]) -> str:
    if "token" not in form:
        raise InvalidRequest("The parameter token is missing.")
    return form["token"][0]


def _wants_signed(request: Request) -> bool:
    return any(kind == _SIGNED and quality > 0 for kind, quality in request.accept_mimetypes)
