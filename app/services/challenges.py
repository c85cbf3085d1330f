"""Is this the answer to what we asked, and the first one? Challenges that authenticators sign (WebAuthn §13.4.3).

A challenge is kept by who is asked: sealed, with what it is for and until when, as a field of the form that brings the
answer. So nothing is stored for strangers who only look. What was used is remembered until it would be over anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass, field

from app.store import Transaction
from app.store.sealing import CannotUnseal, Sealer
from tokenserver.clock import MINUTE
from tokenserver.errors import Refused

LASTS = 5 * MINUTE
_LONGEST = 1000


class ChallengeIsOver(Refused):
    code = "challenge_is_over"
    public = "This took too long, or was sent twice. Reload the page and try again."


class NotAnswered(Exception):
    """It is no answer to what was asked, or not by whom it says."""


@dataclass(frozen=True, slots=True)
class Challenge:
    value: bytes = field(repr=False)
    sealed: str = field(repr=False)
    """What the form carries."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge that has come back."""

    value: bytes = field(repr=False)
    until: int


class Challenges:
    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def make(self, purpose: str, now: float) -> Challenge:
        value = secrets.token_bytes(32)
        content = json.dumps({"value": value.hex(), "until": int(now) + LASTS}).encode()
        sealed = self._sealer.seal(content, f"challenge {purpose}")
        return Challenge(value, base64.urlsafe_b64encode(sealed).decode())

    def open(self, sealed: str, purpose: str, now: float) -> Opened:
        """The challenge that was made for this purpose; raises ChallengeIsOver."""
        try:
            packed = base64.b64decode(sealed[:_LONGEST].encode("ascii"), altchars=b"-_", validate=True)
            content = json.loads(self._sealer.unseal(packed, f"challenge {purpose}"))
        except (CannotUnseal, binascii.Error, ValueError):
            raise ChallengeIsOver from None
        opened = Opened(bytes.fromhex(content["value"]), int(content["until"]))
        if now >= opened.until:
            raise ChallengeIsOver
        return opened

    @staticmethod
    def spend_in(tx: Transaction, opened: Opened) -> None:
        """It is used now; raises ChallengeIsOver where it was before."""
        if not tx.sessions.spend(hashlib.sha256(opened.value).hexdigest(), opened.until):
            raise ChallengeIsOver
