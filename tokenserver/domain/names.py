"""What may an API, a scope or a role be called?

An API is named by its audience, an absolute URI without fragment (RFC 8707 §2). Names are plain ASCII, so that they
mean the same in tokens, headers and log lines. It stands apart, because whoever only checks tokens needs no more of the
catalogue than this.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ADMIN_AUDIENCE = "urn:tokenserver:admin"
"""This server's own API."""
LONGEST_NAME = 100
LONGEST_AUDIENCE = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/*-]{0,99}\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+\Z")


def is_name(text: str) -> bool:
    """Whether `text` may name a scope or a role: 1 to 100 of letters, digits and `_ . : / * -`."""
    return _NAME.match(text) is not None


def is_audience(text: str) -> bool:
    """Whether `text` is an absolute URI without fragment, of at most 255 characters."""
    if len(text) > LONGEST_AUDIENCE or "#" in text or _URI.match(text) is None:
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host or (parts.scheme not in {"http", "https"} and parts.path))
