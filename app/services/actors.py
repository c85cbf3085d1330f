"""What are those called who did something? Names for the actors that credentials and audit lines tell of.

Who has acted in an organization is known there by name, even after they have left it.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.services.audit import Caller
from app.store import Store

_OPERATOR, _CREDENTIAL = "operator:", "credential:"


class Actors:
    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self, caller: Caller, actors: Iterable[str]) -> dict[str, str]:
        """Actor to name, of those that have one; `actors` are those of lines and credentials of the organization."""
        wanted = set(actors)
        operators = [actor.removeprefix(_OPERATOR) for actor in wanted if actor.startswith(_OPERATOR)]
        credentials = [actor.removeprefix(_CREDENTIAL) for actor in wanted if actor.startswith(_CREDENTIAL)]
        with self._store.reading() as tx:
            people = tx.operators.some(operators)
            found = {f"{_OPERATOR}{person.id}": person.name or person.email for person in people}
            if not caller.only_own:
                for credential in tx.credentials.some(caller.organization_id, credentials):
                    found[f"{_CREDENTIAL}{credential.client_id}"] = credential.name
        return found
