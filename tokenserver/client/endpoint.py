"""How is the token server asked once? For a token, and for a secret that waits to be claimed.

Each method is one question with one answer, or NoToken in words of our own: the text of a transport's exception may
hold what was sent. The metadata is read again every hour, and sooner when the server answers oddly, at most once a
minute; while it cannot be read again, the last good one stands.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from tokenserver import __version__
from tokenserver.client.access_token import AccessToken
from tokenserver.client.answers import document_of, failure, read_token
from tokenserver.client.discovery import metadata_urls, token_endpoint_in
from tokenserver.client.failures import NoToken, SecretUnreadable, TokenUnavailable
from tokenserver.client.secret_file import checked_secret
from tokenserver.client.timekeeping import Timekeeper
from tokenserver.client.token_request import TokenRequest, basic
from tokenserver.client.transport import Response, Transport
from tokenserver.clock import HOUR, MINUTE
from tokenserver.domain.secret import Secret

CLAIM_PATH: Final = "/oauth/rotation/claim"
_HEADERS: Final = {"Accept": "application/json", "User-Agent": f"tokenserver-client/{__version__}"}


class Endpoint:
    def __init__(
        self,
        request: TokenRequest,
        *,
        token_endpoint: str | None,
        issuer: str | None,
        transport: Transport,
        time: Timekeeper,
        timeout: float,
        allow_http: bool,
    ) -> None:
        self._request = request
        self._given = token_endpoint
        self._issuer = issuer
        self._transport = transport
        self._time = time
        self._timeout = timeout
        self._allow_http = allow_http
        self._found: str | None = None
        self._found_at = 0.0
        self._doubted = False

    def token(self, secret: Secret) -> AccessToken:
        """A new token; raises NoToken."""
        url = self._given or self._discovered()
        asked_at = self._time.now()
        try:
            return read_token(self._send("POST", url, *self._request.proven_by(secret)), asked_at, secret)
        except NoToken as fault:
            self._doubted = fault.error == ""  # an answer with a code of the RFC's comes from a token endpoint
            raise

    def waiting_secret(self, secret: Secret) -> Secret | None:
        """The secret that a rotation has made and nobody has used yet, to whoever proves the old one; None: none waits.

        May be asked again until the new secret has been used: a reply can get lost.
        """
        if self._issuer is None:
            raise TokenUnavailable("A rotation is claimed at the issuer: pass issuer.")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        proof = {**basic(self._request.client_id, secret), **form}
        answer = self._send("POST", self._issuer.rstrip("/") + CLAIM_PATH, proof, b"")
        if answer.status == 404 and _is_no_rotation(answer):
            return None
        if answer.status != 200:
            raise failure(answer, secret, self._time.now())
        document = document_of(answer)
        if document.get("client_id") != self._request.client_id:
            raise TokenUnavailable("The answer to the claim is for another credential.")
        try:
            return checked_secret(document.get("client_secret"), "the answer to the claim")
        except SecretUnreadable as fault:
            told = fault.public
        raise TokenUnavailable(told)

    def _discovered(self) -> str:
        """The token endpoint that the metadata names."""
        age = self._time.now().ticks - self._found_at
        if self._found is None or age > HOUR or (self._doubted and age > MINUTE):
            try:
                self._found = self._looked_up()
                self._doubted = False
            except NoToken:
                if self._found is None:
                    raise
            self._found_at = self._time.now().ticks
        return self._found

    def _looked_up(self) -> str:
        if self._issuer is None:
            raise TokenUnavailable("There is no token endpoint to ask: pass token_endpoint or issuer.")
        first, second = metadata_urls(self._issuer)
        answer = self._send("GET", first, {}, None)
        if answer.status == 404:
            answer = self._send("GET", second, {}, None)
        return token_endpoint_in(answer, self._issuer, allow_http=self._allow_http)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        """The answer, whatever it is; raises TokenUnavailable where there is none."""
        try:
            status, found, read = self._transport(method, url, {**_HEADERS, **headers}, body, self._timeout)
        except TimeoutError:
            told = "The token server did not answer in time."
        except ssl.SSLCertVerificationError:
            told = "No TLS connection to the token server: its certificate is not trusted here."
        except OSError as fault:
            told = f"The token server cannot be reached ({type(fault).__name__})."
        except Exception as fault:  # noqa: BLE001  a transport of somebody else's may raise anything
            told = f"The token server's answer cannot be read ({type(fault).__name__})."
        else:
            return Response(status, {name.lower(): value for name, value in found.items()}, read)
        raise TokenUnavailable(told)


def _is_no_rotation(answer: Response) -> bool:
    try:
        return document_of(answer).get("error") == "no_rotation"
    except TokenUnavailable:
        return False
