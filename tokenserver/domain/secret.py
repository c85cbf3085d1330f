"""What does a secret look like, and how is it remembered?

A secret is `tss_` + 40 base62 characters (238 bits from the system's generator) + 6 base62 characters of CRC-32 over
everything before them; a client ID is `tsc_` + 22 base62 characters (131 bits). The checksum lets scanners and the
token endpoint refuse a typo before any look-up; it is no protection and needs none.

A random secret of 238 bits needs no slow hash (ASVS 5.0 §6.5.2: from 112 bits on): it is stored as HMAC-SHA-256 under
a *pepper* that is kept outside the database, so that a copy of the database cannot even be guessed at. The client ID is
part of the message, so that a digest copied into another credential's row proves nothing there. Two peppers may be
valid at a time, while one replaces the other; each digest names its pepper.

Beside it stands a *fingerprint*: half of an HMAC of the secret alone, under the same pepper. By it a leaked secret is
found by whoever finds nothing else. It only finds; what proves is the digest.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_PREFIX = "tss_"
CLIENT_ID_PREFIX = "tsc_"
LONGEST_SECRET = 1024
"""Characters of a secret that are looked at; a longer one is refused before it is hashed."""

_FAIR = 256 - 256 % len(ALPHABET)
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)
_SECRET = re.compile(r"tss_[0-9A-Za-z]{46}\Z")
_CLIENT_ID = re.compile(r"tsc_[0-9A-Za-z]{22}\Z")


class Secret:
    """A secret in clear, on its way through: it shows itself only when asked by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself: for the one reply that hands it out, and for hashing."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is never pickled")


@dataclass(frozen=True, slots=True)
class Pepper:
    """The key of the digest. `id` is derived from the key and is stored beside each digest."""

    id: str
    key: bytes

    @classmethod
    def of(cls, key: bytes) -> Pepper:
        """A pepper of at least 32 bytes."""
        if len(key) < 32:
            raise ValueError("a pepper has at least 32 bytes")
        return cls(hmac.digest(key, b"tokenserver pepper id", "sha256").hex()[:16], key)

    def __repr__(self) -> str:
        return f"Pepper(id={self.id!r})"


def random_text(length: int) -> str:
    """Characters of the alphabet from the system's generator, asked for all at once: for each by itself costs twenty
    times as much. Bytes that would make some characters more likely than others are passed over.
    """
    drawn = ""
    while len(drawn) < length:
        drawn += "".join([ALPHABET[b % len(ALPHABET)] for b in secrets.token_bytes(2 * length) if b < _FAIR])
    return drawn[:length]


def _checksum(text: str) -> str:
    """CRC-32 as six base62 digits, most significant first; two at a time, since every token request computes one."""
    rest, low = divmod(zlib.crc32(text.encode()), len(_PAIRS))
    high, middle = divmod(rest, len(_PAIRS))
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def new_secret() -> Secret:
    """A secret that nobody has seen."""
    body = SECRET_PREFIX + random_text(40)
    return Secret(body + _checksum(body))


def new_client_id() -> str:
    """An identifier that is never given out again."""
    return CLIENT_ID_PREFIX + random_text(22)


def looks_like_secret(text: str) -> bool:
    """Whether the form and the checksum are right: no typo, no scanner's guess."""
    return _SECRET.match(text) is not None and hmac.compare_digest(text[-6:], _checksum(text[:-6]))


def looks_like_client_id(text: str) -> bool:
    """Whether the form is right."""
    return _CLIENT_ID.match(text) is not None


def hint(secret: Secret) -> str:
    """What lists show of a secret: the prefix and the last four characters."""
    return f"{SECRET_PREFIX}…{secret.reveal()[-4:]}"


def digest(client_id: str, secret: str, pepper: Pepper) -> bytes:
    """HMAC-SHA-256 over client ID and secret: 32 bytes. Every byte of the secret counts, and no text is too odd."""
    return hmac.digest(pepper.key, f"{client_id}\0{secret}".encode("utf-8", "surrogatepass"), hashlib.sha256)


def fingerprint(secret: str, pepper: Pepper) -> bytes:
    """16 bytes by which a secret is found without its client ID."""
    return hmac.digest(pepper.key, b"tokenserver fingerprint\0" + secret.encode("utf-8", "surrogatepass"), "sha256")[
        :16
    ]


def is_secret_of(expected: bytes, computed: bytes) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(expected, computed)
