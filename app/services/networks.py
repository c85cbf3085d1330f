"""Which addresses does a long list allow? Tokens carry such lists by reference: the digest of their normal form."""

from __future__ import annotations

import re

from app.store import Store
from tokenserver.errors import NotFound

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Networks:
    def __init__(self, store: Store) -> None:
        self._store = store

    def document(self, digest: str) -> str:
        """The list as JSON, `{"allowed_ips": [normal form]}`, as it is kept; raises NotFound."""
        if _DIGEST.match(digest) is None:
            raise NotFound
        with self._store.reading() as tx:
            found = tx.networks.text(digest)
        if found is None:
            raise NotFound
        return f'{{"allowed_ips":{found}}}'
