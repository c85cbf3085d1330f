"""How is a selection of credentials written in SQL? Statuses as `Credential.status` has them: a test holds both."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from app.store.models import CredentialRow, CredentialSecretRow, LastUseRow
from app.store.places import in_order
from tokenserver.domain.credential import EXPIRES_SOON, Status, name_key
from tokenserver.domain.selection import NEVER_EXPIRES, NEVER_USED, Order, Place, Selection


def selected(query: Select[Any], selection: Selection, now: float) -> Select[Any]:
    """`query` over credentials with what is selected, unordered."""
    row = CredentialRow
    if selection.statuses is not None:
        query = query.where(or_(*(has_status(status, int(now)) for status in sorted(selection.statuses))))
    if selection.text is not None:
        key = name_key(selection.text)
        query = query.where(or_(row.client_id == selection.text, row.name_key.contains(key, autoescape=True)))
    if selection.role is not None:
        query = query.where(row.roles.contains(json.dumps(selection.role), autoescape=True))
    if selection.expires_before is not None:
        query = query.where(row.expires_at < selection.expires_before)
    if selection.unused_since is not None:
        used = (
            exists()
            .where(CredentialSecretRow.client_id == row.client_id, LastUseRow.secret_id == CredentialSecretRow.id)
            .where(LastUseRow.at >= selection.unused_since)
        )
        query = query.where(row.created_at < selection.unused_since, ~used)
    for column in ("owner_id", "project", "environment", "created_by"):
        wanted = getattr(selection, column)
        if wanted is not None:
            query = query.where(getattr(row, column) == wanted)
    return query


def in_turn(query: Select[Any], order: Order, after: Place | None, *, exactly: bool) -> list[Select[Any]]:
    """`query` in this order after the place of the last one seen: queries to be read one after the other, each with
    what the order goes by as a second column. `exactly` is asked for by last use (see `USED_AT`).

    What never expires is a query of its own, behind what does: neither database finds it there by an index.
    """
    row = CredentialRow
    key: Any = _last_use() if exactly and order in USED_AT else _KEYS[order]
    query = query.add_columns(key)
    if order not in {Order.EXPIRY, Order.EXPIRY_BACKWARDS}:
        return [in_order(query, (key, row.client_id), after, backwards=order.backwards)]
    among_never = after is not None and after[0] == NEVER_EXPIRES
    some_day = in_order(
        query.where(row.expires_at.is_not(None)),
        (row.expires_at, row.client_id),
        None if among_never else after,
        backwards=order.backwards,
    )
    never = in_order(
        query.where(row.expires_at.is_(None)),
        (row.client_id,),
        (after[1],) if after is not None and among_never else None,
        backwards=order.backwards,
    )
    if order.backwards:
        return [never, some_day] if after is None or among_never else [some_day]
    return [never] if among_never else [some_day, never]


def place_of(client_id: str, key: int | str | None) -> Place:
    """Where a credential stands in the order that goes by `key`."""
    return (NEVER_EXPIRES if key is None else key), client_id


def _last_use() -> Any:
    """Of all its secrets, the ended ones too."""
    used = (
        select(func.coalesce(func.max(LastUseRow.at), NEVER_USED))
        .join(CredentialSecretRow, CredentialSecretRow.id == LastUseRow.secret_id)
        .where(CredentialSecretRow.client_id == CredentialRow.client_id)
    )
    return used.scalar_subquery()


def has_status(status: Status, now: int) -> ColumnElement[bool]:
    """As `Credential.status`, in SQL; a test holds them together."""
    row = CredentialRow
    lives = and_(row.revoked_at.is_(None), row.disabled_at.is_(None))
    match status:
        case Status.REVOKED:
            return row.revoked_at.is_not(None)
        case Status.DISABLED:
            return and_(row.revoked_at.is_(None), row.disabled_at.is_not(None))
        case Status.EXPIRED:
            return and_(lives, row.expires_at <= now)
        case Status.EXPIRES_SOON:
            return and_(lives, row.expires_at > now, row.expires_at <= now + EXPIRES_SOON)
        case Status.ACTIVE:
            return and_(lives, or_(row.expires_at.is_(None), row.expires_at > now + EXPIRES_SOON))


USED_AT = frozenset({Order.LONGEST_UNUSED, Order.LATEST_USED})
"""Ordered by the column `used_at`, which lags behind; or by asking for each credential, which takes its time."""
_KEYS: dict[Order, Any] = {
    Order.NEWEST: CredentialRow.created_at,
    Order.OLDEST: CredentialRow.created_at,
    Order.NAME: CredentialRow.name_key,
    Order.NAME_BACKWARDS: CredentialRow.name_key,
    Order.EXPIRY: CredentialRow.expires_at,
    Order.EXPIRY_BACKWARDS: CredentialRow.expires_at,
    Order.LONGEST_UNUSED: CredentialRow.used_at,
    Order.LATEST_USED: CredentialRow.used_at,
}
