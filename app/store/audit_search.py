"""How are audit lines found? By organization and time, with the filters applied to the line as it is written.

An index by credential, actor, action or address would be paid for by every token: each is another tree that every line
goes into. Measured in turns, on the multi-row INSERT alone, an index by credential and time made a line dearer by 60 %.
So there are two indexes. By (organization, time) are all lines; a page reads so many of them at the most
(`MOST_READ`), so that a search for something rare answers with a shorter page, or an empty one, and says where to go
on. And the lines that are no tokens have an index of their own (the partial one of the chain `changes`), whose cost to
a token was lost in the noise: they are what people search for, and a search for any action but `token:…` reads no
others.

Newest first means by the second; within one, lines are in the order of their chains.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Row, Select, and_, literal_column, or_, select
from sqlalchemy.orm import Session

from app.store.models import AuditEventRow
from tokenserver.domain.audit import Head, Line
from tokenserver.domain.audit_search import Found, Place, Wanted

MOST_READ = 5000
"""Lines that one page of a search looks at."""
_AT_ONCE = 250
_ROW = AuditEventRow
_IN_CHANGES = _ROW.chain == literal_column("'changes'")
"""Not a bound value: the planner must see that it is what the index is about."""
_Line = Row[str, int, int, str, str]


class AuditSearch:
    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self, organization_id: str, wanted: Wanted, after: Place | None, limit: int
    ) -> tuple[list[Found], Place | None]:
        """Newest first, `limit` at most; and where the next page begins, None when there is no more to look at."""
        query = _lines(organization_id, wanted)
        if after is not None:
            query = query.where(_beyond(after, newer=False))
        query = query.order_by(_ROW.at.desc(), _ROW.chain.desc(), _ROW.seq.desc()).limit(MOST_READ)
        found: list[Found] = []
        read, last = 0, after
        with self._session.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
            for row in rows:
                if len(found) == limit:
                    return found, last
                read, last = read + 1, (row.at, row.chain, row.seq)
                found += _sifted([row], wanted)
        return found, last if read == MOST_READ else None

    def ascending(self, organization_id: str, wanted: Wanted, after: Place | None) -> tuple[list[Found], Place | None]:
        """Oldest first, the wanted ones of the next lines; and where to go on."""
        query = _lines(organization_id, wanted)
        if after is not None:
            query = query.where(_beyond(after, newer=True))
        query = query.order_by(_ROW.at, _ROW.chain, _ROW.seq).limit(_AT_ONCE * 4)
        rows = self._session.execute(query).all()
        found = list(_sifted(rows, wanted))
        return found, (rows[-1].at, rows[-1].chain, rows[-1].seq) if len(rows) == _AT_ONCE * 4 else None

    def changes_of(self, organization_id: str, credential: str, since: int) -> Iterator[Found]:
        """What was changed of a credential, or (the empty text) of what is not about one; oldest first."""
        wanted = Wanted(credential=credential, since=since)
        query = _lines(organization_id, wanted).where(_IN_CHANGES).order_by(_ROW.at, _ROW.seq).limit(MOST_READ)
        yield from _sifted(self._session.execute(query), wanted)


def _lines(organization_id: str, wanted: Wanted) -> Select[str, int, int, str, str]:
    columns = (_ROW.chain, _ROW.seq, _ROW.at, _ROW.line, _ROW.hash)
    query = select(*columns).where(_ROW.organization_id == organization_id)
    if not wanted.may_be_of_tokens:
        query = query.where(_IN_CHANGES)
    if wanted.since is not None:
        query = query.where(_ROW.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(_ROW.at < wanted.until)
    return query


def _beyond(place: Place, *, newer: bool) -> Any:
    """What lies behind `place`. The bare comparison of the second is what an index is entered by."""
    at, chain, seq = place
    if newer:
        later = or_(_ROW.chain > chain, and_(_ROW.chain == chain, _ROW.seq > seq))
        return and_(_ROW.at >= at, or_(_ROW.at > at, later))
    earlier = or_(_ROW.chain < chain, and_(_ROW.chain == chain, _ROW.seq < seq))
    return and_(_ROW.at <= at, or_(_ROW.at < at, earlier))


def _sifted(rows: Iterable[_Line], wanted: Wanted) -> Iterator[Found]:
    needles, anything = wanted.needles(), wanted.is_anything
    for row in rows:
        if all(needle in row.line for needle in needles) and (anything or wanted.admits(json.loads(row.line))):
            yield Found(Line(Head(row.chain, row.seq, row.hash), row.line), row.at)
