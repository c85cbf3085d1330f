"""How is a selection of credentials written in SQL? Statuses as `Credential.status` has them: a test holds both."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_

from app.store.models import CredentialRow, CredentialSecretRow, LastUseRow
from app.store.places import in_order
from tokenserver.domain.credential import EXPIRES_SOON, Credential, Status, name_key
from tokenserver.domain.selection import Order, Place, Selection


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


def ordered(query: Select[Any], order: Order, after: Place | None) -> Select[Any]:
    """`query` in this order, after the place of the last one seen."""
    row = CredentialRow
    backwards = order.value.startswith("-")
    key: Any = row.name_key if order in {Order.NAME, Order.NAME_BACKWARDS} else row.created_at
    return in_order(query, (key, row.client_id), after, backwards=backwards)


def place_of(credential: Credential, order: Order, key: str) -> Place:
    """Where `credential`, whose name is sorted by `key`, stands in this order."""
    return (key if order in {Order.NAME, Order.NAME_BACKWARDS} else credential.created_at), credential.client_id


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
