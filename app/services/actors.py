"""What do people call those who did something, and what it was done to? Names for what credentials and lines tell of,
and who goes by a name.

Who has acted in an organization is known there by name, even after they have left it; whom something was done to, while
they are a member: whoever adds a stranger and takes them away again learns nothing of them. Of credentials, only those
that the caller can reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.services.audit import Caller
from app.store import Store
from tokenserver.domain.credential import name_key
from tokenserver.domain.selection import Order, Selection

_OPERATOR, _CREDENTIAL = "operator:", "credential:"
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Called:
    """`id` as lines have it; `beside` is what tells those of one name apart."""

    id: str
    name: str
    beside: str = ""


class Actors:
    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self, caller: Caller, acted: Iterable[str], concerned: Iterable[str] = ()) -> dict[str, str]:
        """By what was told, the name of whoever has one: of actors (`operator:…`, `credential:…`) and of client IDs, as
        lines and credentials of the organization tell of them; and of operators who are concerned.
        """
        acted = set(acted)
        told = acted | set(concerned)
        operators = [one.removeprefix(_OPERATOR) for one in told if one.startswith(_OPERATOR)]
        client_ids = [one.removeprefix(_CREDENTIAL) for one in told if not one.startswith(_OPERATOR)]
        names: dict[str, str] = {}
        with self._store.reading() as tx:
            for person, is_member in tx.operators.some(caller.organization_id, operators):
                actor = f"{_OPERATOR}{person.id}"
                if is_member or actor in acted:
                    names[actor] = person.name or person.email
            for credential in [] if caller.only_own else tx.credentials.some(caller.organization_id, client_ids):
                names[credential.client_id] = names[f"{_CREDENTIAL}{credential.client_id}"] = credential.name
        return {one: names[one] for one in told & names.keys()}

    def operators_called(self, caller: Caller, text: str, limit: int) -> list[Called]:
        """Members of the organization with this in their name or e-mail address, in any spelling."""
        found: list[Called] = []
        key, after = name_key(text), None
        with self._store.reading() as tx:
            while len(found) < limit:
                members = tx.operators.page(caller.organization_id, after, _AT_ONCE)
                people = [person for person, _ in members]
                found += [
                    Called(f"{_OPERATOR}{person.id}", person.name or person.email, person.email)
                    for person in people
                    if key in name_key(person.name) or key in name_key(person.email)
                ]
                if len(members) < _AT_ONCE:
                    break
                last = members[-1]
                after = last[1].created_at, last[0].id
        return found[:limit]

    def credentials_called(self, caller: Caller, text: str, limit: int) -> list[Called]:
        """Credentials of the organization with this in their name, by client ID; first the one whose name it is."""
        if caller.only_own:
            return []
        with self._store.reading() as tx:
            whole = tx.credentials.named(caller.organization_id, text)
            found = tx.credentials.page(caller.organization_id, Selection(text=text, order=Order.NAME), None, limit, 0)
        credentials = ([] if whole is None else [whole]) + [one for one, _ in found if one != whole]
        return [Called(one.client_id, one.name, one.client_id) for one in credentials][:limit]
