"""`POST /oauth/introspect` (RFC 7662, RFC 9701) and `POST /oauth/revoke` (RFC 7009): one token, and who asks about it.

The caller proves itself as at the token endpoint, with the same refusals. The parameter is `token`; `token_type_hint`
is ignored, since there is one type of token. An introspection is answered as a signed statement where `Accept` names
its type: a `*/*` does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Request, Response, request

from app.http import address_of, request_id_of, respond
from app.oauth.reading import authentication, read_form
from app.services.introspecting import INTROSPECTION, Introspecting
from app.services.proving import Proof
from app.services.revoking import Revoking
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import InvalidRequest

_SIGNED = f"application/{INTROSPECTION}"


class AboutTokens:
    def __init__(self, introspecting: Introspecting, revoking: Revoking, settings: Settings) -> None:
        self._introspecting = introspecting
        self._revoking = revoking
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)

    def mount(self, app: Flask) -> None:
        app.add_url_rule("/oauth/introspect", "introspect", self.introspect, methods=["POST"])
        app.add_url_rule("/oauth/revoke", "revoke", self.revoke, methods=["POST"])

    def introspect(self) -> Response:
        asked, unverified_token = self._read(request)
        if _wants_signed(request):
            statement = self._introspecting.introspect_signed(asked, unverified_token)
            return Response(statement, content_type=_SIGNED)
        return respond(self._introspecting.introspect(asked, unverified_token))

    def revoke(self) -> Response:
        asked, unverified_token = self._read(request)
        self._revoking.revoke(asked, unverified_token)
        return respond(None)

    def _read(self, request: Request) -> tuple[Proof, str]:
        environ = request.environ
        # Without that header, nothing of the body is remembered: it holds a token.
        form = read_form({name: value for name, value in environ.items() if name != "HTTP_AUTHORIZATION"})
        client_id, secret = authentication(environ, form)
        proof = Proof(client_id, secret, address_of(request, self._proxies), request_id_of(environ))
        return proof, _token(form)


def _token(form: Mapping[str, list[str]]) -> str:
    if "token" not in form:
        raise InvalidRequest("The parameter token is missing.")
    return form["token"][0]


def _wants_signed(request: Request) -> bool:
    return any(kind == _SIGNED and quality > 0 for kind, quality in request.accept_mimetypes)
