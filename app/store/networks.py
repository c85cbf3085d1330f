"""Which long lists of allowed ranges are there? Each under the digest of its normal form."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.models import NetworkListRow
from tokenserver.domain.restrictions import AllowedIPs
from tokenserver.tokens.claims import MOST_RANGES_CARRIED


class NetworkLists:
    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, digest: str) -> AllowedIPs | None:
        """The long list of ranges under a digest."""
        text = self.text(digest)
        return None if text is None else AllowedIPs.from_normal_form(json.loads(text))

    def text(self, digest: str) -> str | None:
        """The same as it is kept: a JSON list of the normal form."""
        return self._session.scalars(select(NetworkListRow.ranges).where(NetworkListRow.digest == digest)).first()

    def known(self, digest: str) -> AllowedIPs:
        """As `get`, of one that a credential names."""
        found = self.get(digest)
        if found is None:
            raise LookupError("a network list is missing")
        return found

    def remember(self, allowed: AllowedIPs | None) -> None:
        """Keep it if it is too long to be carried in tokens."""
        if allowed is not None and len(allowed) > MOST_RANGES_CARRIED:
            ranges = json.dumps(list(allowed.normal_form()))
            self._session.merge(NetworkListRow(digest=allowed.digest(), ranges=ranges))
            self._session.flush()
