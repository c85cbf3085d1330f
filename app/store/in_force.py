"""Which APIs and roles are in force in which organization? Its own, and of what others share what it has none of.

An organization's own one wins over a shared one with the same audience, or of the same name. Every query of the
catalogue that asks across organizations gets its condition here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select, union_all

from app.store.models import ApiRow, RoleRow
from tokenserver.domain.catalogue import Api, Role

_NAMED: dict[type[ApiRow | RoleRow], Any] = {ApiRow: ApiRow.audience, RoleRow: RoleRow.name}


def in_force(kind: type[ApiRow | RoleRow], organization_id: str) -> ColumnElement[bool]:
    """Of the rows of a kind, those that are in force in this organization."""
    name = _NAMED[kind]
    own = kind.organization_id == organization_id
    ones_own = select(name).where(own).correlate(None)
    shared = select(kind.id).where(kind.shared, kind.organization_id != organization_id, name.not_in(ones_own))
    # Two selections rather than an OR: each has its index.
    return kind.id.in_(union_all(select(kind.id).where(own).correlate(None), shared.correlate(None)))


def where_in_force(organization_id: Any, one: Api | Role) -> ColumnElement[bool]:
    """Whether `one` is in force in the organization whose ID this column holds."""
    here: ColumnElement[bool] = organization_id == one.organization_id
    if not one.shared:
        return here
    kind, name = (ApiRow, one.audience) if isinstance(one, Api) else (RoleRow, one.name)
    own = select(kind.organization_id).where(_NAMED[kind] == name, kind.organization_id != one.organization_id)
    condition: ColumnElement[bool] = organization_id.not_in(own)
    return condition
