"""Which credentials does an organization have? Reading and changing them; issuing reads them in `issuing.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from app.store.in_force import where_in_force
from app.store.models import CredentialRow, CredentialSecretRow, RotationRow
from app.store.networks import NetworkLists
from app.store.rows import credential_columns, credential_from, name_key_of, secret_columns, secret_from, secret_row
from app.store.selection import USED_AT, in_turn, place_of, selected
from tokenserver.domain.catalogue import Api, Role
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState, name_key
from tokenserver.domain.selection import Place, Selection
from tokenserver.errors import PreconditionFailed

_AT_ONCE = 500
"""Values in one IN: databases bound them."""
FEW = 500
"""Of so many, the last use is looked up when a list is ordered by it; of more, see `uses`."""


class CredentialStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, organization_id: str, client_id: str) -> Credential | None:
        """The credential, revoked ones included; None for a stranger's and for a deleted one."""
        row = self._session.scalars(
            select(CredentialRow).where(
                CredentialRow.client_id == client_id,
                CredentialRow.organization_id == organization_id,
                CredentialRow.deleted_at.is_(None),
            )
        ).first()
        return None if row is None else self._values([row])[0]

    def page(
        self, organization_id: str, selection: Selection, after: Place | None, limit: int, now: float
    ) -> list[tuple[Credential, Place]]:
        """What is selected, in its order; `after` is the place of the last one seen. Each with its own place."""
        mine = select(CredentialRow.client_id).where(
            CredentialRow.organization_id == organization_id, CredentialRow.deleted_at.is_(None)
        )  # and not the row: who is selected by status is found in an index alone
        exactly = selection.order in USED_AT and self._has_few(organization_id)
        found: list[tuple[str, int | str | None]] = []
        for query in in_turn(selected(mine, selection, now), selection.order, after, exactly=exactly):
            found += [(client_id, key) for client_id, key in self._session.execute(query.limit(limit - len(found)))]
            if len(found) == limit:
                break
        rows = self._rows([client_id for client_id, _ in found])
        places = {client_id: place_of(client_id, key) for client_id, key in found}
        return [(credential, places[credential.client_id]) for credential in self._values(rows)]

    def _rows(self, client_ids: Sequence[str]) -> list[CredentialRow]:
        """In this order; without those that were deleted since on PostgreSQL, where each query sees its own moment."""
        rows: dict[str, CredentialRow] = {}
        for start in range(0, len(client_ids), _AT_ONCE):
            some = select(CredentialRow).where(
                CredentialRow.client_id.in_(client_ids[start : start + _AT_ONCE]), CredentialRow.deleted_at.is_(None)
            )
            rows |= {row.client_id: row for row in self._session.scalars(some)}
        return [rows[client_id] for client_id in client_ids if client_id in rows]

    def _has_few(self, organization_id: str) -> bool:
        """Whether each of them can be asked for its last use whenever a list is ordered by it: some 10 ms."""
        query = select(CredentialRow.client_id).where(CredentialRow.organization_id == organization_id)
        return len(self._session.scalars(query.limit(FEW + 1)).all()) <= FEW

    def count(self, organization_id: str, selection: Selection, now: float) -> int:
        """How many are selected."""
        mine = select(func.count()).where(
            CredentialRow.organization_id == organization_id, CredentialRow.deleted_at.is_(None)
        )
        count: int = self._session.scalars(selected(mine, selection, now)).one()
        return count

    def some(self, organization_id: str, client_ids: Sequence[str]) -> list[Credential]:
        """Those of these that are there; in the order of client IDs."""
        if not client_ids:
            return []  # databases look through all of them to find none
        query = select(CredentialRow).where(
            CredentialRow.organization_id == organization_id,
            CredentialRow.deleted_at.is_(None),
            CredentialRow.client_id.in_(client_ids),
        )
        return self._values(list(self._session.scalars(query.order_by(CredentialRow.client_id))))

    def holding_role(self, organization_id: str, role: str) -> list[Credential]:
        return self._holding(CredentialRow.organization_id == organization_id, role)

    def granted_at(self, organization_id: str, audience: str) -> list[Credential]:
        return self._granted(CredentialRow.organization_id == organization_id, audience)

    def holding(self, role: Role) -> list[Credential]:
        """In every organization in which it is in force."""
        return self._holding(where_in_force(CredentialRow.organization_id, role), role.name)

    def granted(self, api: Api) -> list[Credential]:
        """In every organization in which it is in force."""
        return self._granted(where_in_force(CredentialRow.organization_id, api), api.audience)

    def owned_by(self, operator_id: str, organization_id: str | None) -> list[Credential]:
        """The personal credentials of an operator, here or everywhere; in the order of client IDs."""
        query = select(CredentialRow).where(CredentialRow.owner_id == operator_id, CredentialRow.deleted_at.is_(None))
        if organization_id is not None:
            query = query.where(CredentialRow.organization_id == organization_id)
        return self._values(list(self._session.scalars(query.order_by(CredentialRow.client_id))))

    def count_live(self, organization_id: str, now: float) -> int:
        """How many there are that have not ended for good."""
        query = (
            select(func.count())
            .select_from(CredentialRow)
            .where(
                CredentialRow.organization_id == organization_id,
                CredentialRow.deleted_at.is_(None),
                CredentialRow.revoked_at.is_(None),
                or_(CredentialRow.expires_at.is_(None), CredentialRow.expires_at > now),
            )
        )
        return self._session.scalars(query).one()

    def named(self, organization_id: str, name: str) -> Credential | None:
        """The one that keeps this name from others, however it is spelt."""
        row = self._session.scalars(
            select(CredentialRow).where(
                CredentialRow.organization_id == organization_id, CredentialRow.name_key == name_key(name)
            )
        ).first()
        return None if row is None else self._values([row])[0]

    def free_name(self, credential: Credential) -> None:
        """Others may take the name of one that has expired."""
        self._session.execute(
            update(CredentialRow)
            .where(CredentialRow.client_id == credential.client_id)
            .values(name_key=name_key_of(credential, ended=True))
            .execution_options(synchronize_session=False)
        )

    def add(self, credential: Credential) -> None:
        NetworkLists(self._session).remember(credential.restrictions.allowed_ips)
        self._session.add(CredentialRow(**credential_columns(credential)))
        self._session.flush()
        self._session.add_all(secret_row(secret, credential) for secret in credential.secrets)
        self._session.flush()

    def save(self, credential: Credential, *, was: Credential) -> None:
        """Compare and swap on the version; raises PreconditionFailed when somebody else was faster."""
        self.save_all([(was, credential)])

    def save_all(self, changed: Sequence[tuple[Credential, Credential]]) -> None:
        """As `save`, for many at once: each before and after its change."""
        for before, after in changed:
            if after.restrictions.allowed_ips != before.restrictions.allowed_ips:
                NetworkLists(self._session).remember(after.restrictions.allowed_ips)
        swapped = self._session.connection().execute(
            _SWAP, [{**_swapped(before, after), "was": before.version} for before, after in changed]
        )
        if swapped.rowcount != len(changed):
            raise PreconditionFailed
        self._save_secrets(changed)
        self._forget_secrets(changed)
        self._session.flush()
        self._session.expire_all()

    def _save_secrets(self, changed: Sequence[tuple[Credential, Credential]]) -> None:
        new: list[dict[str, object]] = []
        moved: list[dict[str, object]] = []
        for before, after in changed:
            known = {secret.id: secret for secret in before.secrets}
            for secret in after.secrets:
                if secret.id not in known:
                    new.append(secret_columns(secret, after))
                elif known[secret.id] != secret:
                    moved.append(_bound(secret_columns(secret, after)))
        if new:
            self._session.connection().execute(_ADD_SECRET, new)
        if moved:
            self._session.connection().execute(_MOVE_SECRET, moved)

    def _forget_secrets(self, changed: Sequence[tuple[Credential, Credential]]) -> None:
        """A new secret is held, sealed, while its app has yet to use it, and not a moment longer."""
        past = [before.client_id for before, after in changed if before.pending and not _same(before, after)]
        if past:
            self._session.execute(
                delete(RotationRow).where(RotationRow.client_id.in_(past)).execution_options(synchronize_session=False)
            )

    def leap(self, by: int, now: float) -> None:
        """Bump every generation by `by` numbers, as `Generation.bumped` does; in one statement for each case."""
        row = CredentialRow
        not_over = or_(row.gen_next_floor_at.is_(None), row.gen_next_floor_at > now)
        in_grace = and_(row.gen_next_floor > row.gen_floor, not_over)
        lifted = {row.gen_floor: row.gen_current + by, row.version: row.version + 1}
        for those, current in ((in_grace, row.gen_current + by + 1), (not_(in_grace), row.gen_current + by)):
            values = {**lifted, row.gen_current: current, row.gen_next_floor: current}
            self._session.execute(update(row).where(those).values(values).execution_options(synchronize_session=False))

    def of(self, client_ids: Sequence[str]) -> dict[str, Credential]:
        """Some of any organization's, by client ID, without the deleted ones: for the clock's work."""
        rows = self._session.connection().execute(
            select(_TABLE).where(_TABLE.c.client_id.in_(client_ids), _TABLE.c.deleted_at.is_(None))
        )
        found = self._values(cast("list[CredentialRow]", list(rows)))  # as good as one, and faster by far
        return {credential.client_id: credential for credential in found}

    def _holding(self, within: ColumnElement[bool], role: str) -> list[Credential]:
        return [c for c in self._mentioning(within, CredentialRow.roles, role) if role in c.restrictions.roles]

    def _granted(self, within: ColumnElement[bool], audience: str) -> list[Credential]:
        found = self._mentioning(within, CredentialRow.grants, audience)
        return [c for c in found if any(grant.audience == audience for grant in c.restrictions.grants)]

    def _mentioning(self, within: ColumnElement[bool], column: object, name: str) -> Iterator[Credential]:
        """A first sieve over JSON text; the caller looks closer, since LIKE ignores case on SQLite."""
        rows = self._session.scalars(
            select(CredentialRow).where(
                within,
                CredentialRow.deleted_at.is_(None),
                column.contains(json.dumps(name), autoescape=True),  # type: ignore[attr-defined]  # an instrumented column
            )
        )
        return iter(self._values(list(rows)))

    def _values(self, rows: Sequence[CredentialRow]) -> list[Credential]:
        return credentials_of(self._session, rows)


def credentials_of(session: Session, rows: Sequence[CredentialRow]) -> list[Credential]:
    """Rows as values, in their order, with the secrets that live."""
    secrets: dict[str, list[CredentialSecret]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        live = select(_SECRETS).where(
            _SECRETS.c.client_id.in_([row.client_id for row in rows[start : start + _AT_ONCE]]),
            _SECRETS.c.state != SecretState.ENDED.value,
        )
        for row in cast("Iterable[CredentialSecretRow]", session.connection().execute(live)):
            secrets.setdefault(row.client_id, []).append(secret_from(row))
    networks = NetworkLists(session).known
    return [credential_from(row, tuple(secrets.get(row.client_id, ())), networks) for row in rows]


def _same(before: Credential, after: Credential) -> bool:
    """Whether the same new secret is still pending."""
    return before.pending is not None and after.pending is not None and before.pending.id == after.pending.id


def _swapped(before: Credential, after: Credential) -> dict[str, object]:
    """Every column; that by which names are compared stays as it is while name and life do: somebody else may have
    been given the name since.
    """
    columns = credential_columns(after)
    keeps = name_key_of(before) == columns["name_key"]
    return {"keeps_name_key": keeps, **_bound(columns)}


def _bound(columns: dict[str, object]) -> dict[str, object]:
    return {f"new_{name}": value for name, value in columns.items()}


_TABLE = cast(Table, CredentialRow.__table__)
_SECRETS = cast(Table, CredentialSecretRow.__table__)
_ADD_SECRET = insert(_SECRETS)
_MOVE_SECRET = (
    update(_SECRETS)
    .where(_SECRETS.c.id == bindparam("new_id"))
    .values({column.name: bindparam(f"new_{column.name}") for column in _SECRETS.c if not column.primary_key})
)
_NOT_SWAPPED = {"client_id", "used_at"}
"""The key; and what follows the last use, which is no change of the credential."""
_SWAP = (
    update(_TABLE)
    .where(
        _TABLE.c.client_id == bindparam("new_client_id"),
        _TABLE.c.organization_id == bindparam("new_organization_id"),
        _TABLE.c.version == bindparam("was"),
    )
    .values(
        {
            **{column.name: bindparam(f"new_{column.name}") for column in _TABLE.c if column.name not in _NOT_SWAPPED},
            "name_key": case(
                (bindparam("keeps_name_key", type_=Boolean), _TABLE.c.name_key), else_=bindparam("new_name_key")
            ),
        }
    )
)
