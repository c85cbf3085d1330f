"""Does a form come from a page that was made for whoever sends it? What only such a page can know.

It says the same of a session as long as that lasts, but never looks the same twice: pages travel compressed
(`packing`), and what stands in many of them unchanged could be found out from how long they are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from app.services.sessions import page_key

_LENGTH = 32


def csrf_for(token: str) -> str:
    """For one page, to whoever holds this cookie."""
    mask = secrets.token_bytes(_LENGTH)
    return base64.urlsafe_b64encode(mask + _mixed(mask, _known(token))).decode()


def is_csrf_for(given: str, token: str) -> bool:
    try:
        content = base64.urlsafe_b64decode(given.encode("ascii"))
    except ValueError:
        return False
    mask, masked = content[:_LENGTH], content[_LENGTH:]
    return len(masked) == _LENGTH and hmac.compare_digest(_mixed(mask, masked), _known(token))


def _known(token: str) -> bytes:
    return hashlib.sha256(f"csrf:{page_key(token)}".encode()).digest()


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
