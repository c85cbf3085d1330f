"""Where does a list go on? Behind the place of the last one that was seen: what it is ordered by, and an ID."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Select, tuple_

Rows = TypeVarTuple("Rows")


def in_order(
    query: Select[*Rows], columns: Sequence[Any], after: tuple[int | str, ...] | None, *, backwards: bool = False
) -> Select[*Rows]:
    """`query` by these columns, the last of which is unique, after a place."""
    if after is not None:  # compared as one value, so that databases find the place by the index
        query = query.where(tuple_(*columns) < after if backwards else tuple_(*columns) > after)
    return query.order_by(*(column.desc() for column in columns) if backwards else columns)
