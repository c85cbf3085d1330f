"""Where is the token endpoint of an issuer? In its metadata (RFC 8414).

The document is found at `/.well-known/oauth-authorization-server`, inserted between the host and the path of the issuer
(RFC 8414 §3.1); where that is not there, at the address that OpenID Connect servers use. Its `issuer` must equal ours
to the letter (§3.3): else the document is another's, and the secret would be shown to whoever it names. The endpoint
may be of another host than the issuer, which is common in large installations, but not without TLS.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlsplit

from tokenserver.client.failures import TokenRefused, TokenUnavailable
from tokenserver.client.transport import Response
from tokenserver.domain.origins import checked

WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"
OF_OPENID: Final = "/.well-known/openid-configuration"


def metadata_urls(issuer: str) -> tuple[str, str]:
    """The addresses to look at, in this order."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return f"{origin}{WELL_KNOWN}{path}", f"{origin}{path}{OF_OPENID}"


def token_endpoint_in(answer: Response, issuer: str, *, allow_http: bool) -> str:
    """The token endpoint that the issuer's metadata names; raises NoToken."""
    if answer.status >= 500 or answer.status == 429:
        raise TokenUnavailable(f"The issuer's metadata cannot be read at the moment: it answered {answer.status}.")
    if answer.status != 200:
        raise TokenRefused(
            f"The issuer has no metadata (RFC 8414): it answered {answer.status}. Check issuer, or pass token_endpoint."
        )
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TokenUnavailable("The issuer's metadata is not a JSON object.")
    if document.get("issuer") != issuer:
        raise TokenRefused(
            "The metadata names another issuer than the one given: compare to the letter, a slash at the end counts."
        )
    try:
        return checked(str(document.get("token_endpoint") or ""), "token_endpoint", allow_http=allow_http)
    except ValueError:
        pass
    raise TokenRefused("The issuer's metadata names no token endpoint that a secret could be sent to.")
