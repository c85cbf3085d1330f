"""Can this node serve? It can when the database answers and there is a key to sign with."""

from __future__ import annotations

from app.services.feed import Feed
from app.services.keys import SigningKeys


class Readiness:
    def __init__(self, feed: Feed, keys: SigningKeys) -> None:
        self._feed = feed
        self._keys = keys

    def check(self) -> None:
        """Raise Unavailable unless the node can serve."""
        self._feed.last_seq()
        self._keys.ring()
