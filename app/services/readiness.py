"""Can this node serve? It can when the database answers and there is a key to sign with."""

from __future__ import annotations

from app.services.keys import SigningKeys
from app.store import Store


class Readiness:
    def __init__(self, store: Store, keys: SigningKeys) -> None:
        self._store = store
        self._keys = keys

    def check(self) -> None:
        """Raise Unavailable unless the node can serve."""
        self._store.ping()
        self._keys.ring()
