"""Is this password one of those that are tried first? Known breaches, without asking anybody.

The list is the million most common passwords of public breaches, as collected in SecLists (`known_passwords.LICENSE`).
It contains the hundred thousand most common; of all of them only the 43,940 of twelve characters and more are kept, as
a shorter one is refused anyway. Kept is what is compared: the first five bytes of the SHA-256 of each, in small
letters, sorted. That takes 215 KiB on the disk and, from the first question on, as much in memory; one good password
in 25 million is taken for one of them.

Nobody's name, address or product in it makes a password good either: what is nothing else, but for digits and signs
around it, is refused as well (NIST SP 800-63B §3.1.1.2: context-specific words).
"""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_left
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_suffix(".bin")
KEPT = 5
"""Bytes of each digest."""
_PRODUCT = "tokenserver"


class _Digests:
    """The file as a sorted sequence, without a Python object for each entry."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // KEPT

    def __getitem__(self, place: int) -> bytes:
        return self._packed[place * KEPT : (place + 1) * KEPT]


@cache
def _known() -> _Digests:
    return _Digests(PATH.read_bytes())


def is_known(password: str) -> bool:
    """Whether it is on the list, in whatever case."""
    digests = _known()
    wanted = hashlib.sha256(_plain(password).encode("utf-8", "surrogatepass")).digest()[:KEPT]
    place = bisect_left(digests, wanted)
    return place < len(digests) and digests[place] == wanted


def is_about(password: str, email: str) -> bool:
    """Whether nothing is in it but the name of this product, or of the operator, once or more often."""
    letters = _letters(password)
    if not letters:
        return False
    words = (_PRODUCT, email.partition("@")[0], email)
    return any(word and not letters.replace(word, "") for word in map(_letters, words))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _letters(text: str) -> str:
    return "".join(letter for letter in _plain(text) if letter.isalpha())
