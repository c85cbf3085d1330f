"""Is this the operator's password, and may it be one? argon2id; long rather than complicated (NIST SP 800-63B §3.1.1).

A password has 12 to 256 characters, is none of those that are tried first (`known_passwords`) and more than a name;
nothing else is asked of it. It is compared in Unicode's normal form C, as keyboards differ in how they write the same
letter.

Hashing takes a tenth of a second and 64 MiB on purpose. So no more than two are hashed at a time: others wait, and are
told to come back when that takes too long, or when some wait already: each of them holds a thread, and a flood of
passwords must leave threads to everybody else.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from app.services.known_passwords import is_about, is_known
from tokenserver.errors import Fault, InvalidInput, Unavailable

SHORTEST, LONGEST = 12, 256
_AT_A_TIME = 2
_WAITING = 4
_PATIENCE = 5.0


class Passwords:
    """Used by any thread."""

    def __init__(self, profile: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(profile)
        self._places = threading.BoundedSemaphore(_AT_A_TIME)
        self._room = threading.BoundedSemaphore(_AT_A_TIME + _WAITING)
        self._decoy: str | None = None

    def refuse_unfit(self, password: str, email: str) -> None:
        """Raise InvalidInput, which says what is wrong, unless it may be the password of who has this address."""
        hint = None
        if not SHORTEST <= len(password) <= LONGEST:
            hint = f"A password has {SHORTEST} to {LONGEST} characters: a few words in a row are easy to remember."
        elif is_known(password):
            hint = "This password is among the first that anybody tries: it was in known breaches. Choose another one."
        elif is_about(password, email):
            hint = "This password is your name, your e-mail address or the name of this product. Choose another one."
        if hint is not None:
            raise InvalidInput([Fault("/password", hint)])

    def hash(self, password: str) -> str:
        with self._place():
            return self._hasher.hash(_normal(password))

    def matches(self, password: str, kept: str | None) -> bool:
        """Whether it is the one that is kept; where none is, the answer is no and takes as long."""
        with self._place():
            if self._decoy is None:
                self._decoy = self._hasher.hash("nobody has this one")
            try:
                self._hasher.verify(kept or self._decoy, _normal(password[:LONGEST]))
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

    def is_out_of_date(self, kept: str) -> bool:
        """Whether it was hashed under other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _place(self) -> Iterator[None]:
        crowded = Unavailable(detail="too many passwords are being hashed")
        if not self._room.acquire(blocking=False):
            raise crowded
        try:
            if not self._places.acquire(timeout=_PATIENCE):
                raise crowded
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._room.release()


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
