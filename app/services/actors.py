"""What do people call those who did something, and what it was done to? Names for what credentials and lines tell of.

Who has acted in an organization is known there by name, even after they have left it. Of credentials, only those that
the caller can reach.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.services.audit import Caller
from app.store import Store

_OPERATOR, _CREDENTIAL = "operator:", "credential:"


class Actors:
    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self, caller: Caller, told: Iterable[str]) -> dict[str, str]:
        """By what was told, the name of whoever has one: of actors (`operator:…`, `credential:…`) and of client IDs, as
        lines and credentials of the organization tell of them.
        """
        told = set(told)
        operators = [one.removeprefix(_OPERATOR) for one in told if one.startswith(_OPERATOR)]
        client_ids = [one.removeprefix(_CREDENTIAL) for one in told if not one.startswith(_OPERATOR)]
        names: dict[str, str] = {}
        with self._store.reading() as tx:
            for person in tx.operators.some(operators):
                names[f"{_OPERATOR}{person.id}"] = person.name or person.email
            for credential in [] if caller.only_own else tx.credentials.some(caller.organization_id, client_ids):
                names[credential.client_id] = names[f"{_CREDENTIAL}{credential.client_id}"] = credential.name
        return {one: names[one] for one in told & names.keys()}
