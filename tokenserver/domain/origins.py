"""Where may a secret or a token be sent, and whose keys be believed? At the address that was given, over TLS.

Plain http is for this machine (`127.0.0.1`, `::1`, `localhost`); elsewhere everybody on the way reads what passes, and
could put keys of their own in it. There it must be asked for with `allow_http=True`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!-~]+\Z")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)\Z")

Origin = tuple[str, str, int]


def origin_of(url: str) -> Origin:
    """Scheme, host and port; raises ValueError on anything but a plain absolute http or https URL."""
    if _PLAIN.match(url) is None or "\\" in url:
        raise ValueError("an address with foreign characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "#" in url:
        raise ValueError("not an absolute http or https address without user and fragment")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_this_machine(host: str) -> bool:
    return _LOOPBACK.match(host) is not None


def checked(url: str, name: str, *, allow_http: bool) -> str:
    """`url` as given; raises ValueError with what to do if nothing that matters may go there in clear."""
    try:
        scheme, host, _ = origin_of(url)
    except ValueError as fault:
        raise ValueError(f"the {name} must be an https address: {fault}") from None
    if scheme == "http" and not allow_http and not is_this_machine(host):
        raise ValueError(f"the {name} must be an https address; for plain http in a test set-up say allow_http=True")
    return url


def checked_issuer(url: str, *, allow_http: bool) -> str:
    """The same for an issuer, which has no query either (RFC 8414 §2)."""
    if "?" in url:
        raise ValueError("the issuer must be an address without a query (RFC 8414 §2)")
    return checked(url, "issuer", allow_http=allow_http)
