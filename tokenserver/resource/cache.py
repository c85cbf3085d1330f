"""Which tokens have been proven already? A bounded memory of signatures that were checked, and of long address lists.

Only what was *verified* enters, and only what cannot change while a token lives is remembered: its claims and the key
that signed it. Whether it is still live is asked at every request. The key of the cache is the token's text; that is
safe because nothing is ever *ended* by that text (a valid ES256 token has several spellings), it is only a shortcut.

Bounded by count, evicted in the order of arrival with a second chance for what was used since: constant time, and no
lock anywhere. Each step on `dict` and `deque` is atomic by itself, and steps of two threads in any order leave at most
an entry too few. An entry takes about 5 KiB (see `tests/resource/test_cache.py`): 10,000 of them, the default, 50 MiB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Final

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.resource.principal import Principal
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.keys import VerifyingKey

MOST_TOKENS: Final = 10_000
MOST_LISTS: Final = 256
MOST_RANGES: Final = 500_000


class Proven:
    """A token whose signature was checked with `key`. `used` and `came_from` only save work."""

    __slots__ = ("came_from", "claims", "key", "principal", "used")

    def __init__(self, claims: AccessClaims, key: VerifyingKey) -> None:
        self.claims = claims
        self.key = key
        self.principal = Principal.of(claims)
        self.used = False
        self.came_from: object = None
        """The peer and forwarding headers that were admitted last; they will be again, for a token's list is fixed."""


class ProvenTokens:
    """Text of a token to what was proven of it."""

    __slots__ = ("_arrived", "_found", "_most")

    def __init__(self, most: int = MOST_TOKENS) -> None:
        self._most = most
        self._found: dict[str, Proven] = {}
        self._arrived: deque[str] = deque()

    def get(self, unverified_token: str) -> Proven | None:
        return self._found.get(unverified_token)

    @property
    def texts(self) -> Container[str]:
        """The tokens that are remembered now and later."""
        return self._found.keys()

    def put(self, token: str, proven: Proven) -> None:
        if self._most <= 0:
            return
        self._found[token] = proven
        self._arrived.append(token)
        for _ in range(2 * self._most):  # at most one round of second chances
            if len(self._arrived) <= self._most or not self._evict_oldest():
                return

    def forget(self, token: str) -> None:
        """What stays behind in the order of arrival leaves with its turn."""
        self._found.pop(token, None)

    def __len__(self) -> int:
        return len(self._found)

    def _evict_oldest(self) -> bool:
        try:
            oldest = self._arrived.popleft()
        except IndexError:  # another thread was faster
            return False
        proven = self._found.get(oldest)
        if proven is not None and proven.used:
            proven.used = False
            self._arrived.append(oldest)
        else:
            self._found.pop(oldest, None)
        return True


class NetworkLists:
    """Digest to the list of allowed addresses it names; bounded by the number of lists and of ranges in them."""

    __slots__ = ("_found", "_most", "_most_ranges")

    def __init__(self, most: int = MOST_LISTS, most_ranges: int = MOST_RANGES) -> None:
        self._most, self._most_ranges = most, most_ranges
        self._found: dict[str, AllowedIPs] = {}

    def get(self, digest: str) -> AllowedIPs | None:
        return self._found.get(digest)

    def put(self, digest: str, allowed: AllowedIPs) -> None:
        """Called by the background thread only."""
        self._found[digest] = allowed
        while len(self._found) > 1 and (len(self._found) > self._most or self._ranges() > self._most_ranges):
            del self._found[next(iter(self._found))]

    def __len__(self) -> int:
        return len(self._found)

    def _ranges(self) -> int:
        return sum(map(len, self._found.values()))
