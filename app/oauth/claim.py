"""`POST /oauth/rotation/claim`: an app proves its old secret and is given the new one.

HTTP Basic, or `client_id` and `client_secret` in a form, as at the token endpoint and with its refusals; nothing else
is asked for, so that the form is usually empty. A body of no content type is read as a form.
"""

from __future__ import annotations

from flask import Flask, Response, request

from app.http import address_of, request_id_of, respond
from app.oauth.reading import authentication, read_form
from app.services.claiming import Claim, Claiming
from app.services.rotations import CLAIM_PATH
from app.settings import Settings
from tokenserver.clock import rfc3339
from tokenserver.domain.client_ip import TrustedProxies

_FORM = "application/x-www-form-urlencoded"


class RotationClaim:
    def __init__(self, claiming: Claiming, settings: Settings) -> None:
        self._claiming = claiming
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)

    def mount(self, app: Flask) -> None:
        app.add_url_rule(CLAIM_PATH, "claim", self.claim, methods=["POST"])

    def claim(self) -> Response:
        environ = request.environ
        form = read_form({**environ, "CONTENT_TYPE": environ.get("CONTENT_TYPE") or _FORM})
        client_id, secret = authentication(environ, form)
        asked = Claim(client_id, secret, address_of(request, self._proxies), request_id_of(environ))
        claimed = self._claiming.claim(asked)
        body = {
            "client_id": claimed.client_id,
            "client_secret": claimed.secret.reveal(),
            "grace_expires_at": rfc3339(claimed.grace_expires_at),
        }
        return respond(body, headers=[("Pragma", "no-cache")])
