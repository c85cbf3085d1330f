"""Which floors moved, in which order? The rows behind the generation feed.

`seq` is gapless in commit order: it is taken from a counter under that row's lock, inside the transaction of the
change, so that no reader ever sees a number before the ones below it.

A row is dropped when every token it could end has expired; every hundredth change drops such rows, so that no job has
to run and the table never holds more than an hour and a hundred changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.store.models import CounterRow, GenerationEventRow
from tokenserver.domain.generation import Floor
from tokenserver.domain.restrictions import LONGEST_LIFETIME
from tokenserver.tokens.verification import CLOCK_SKEW

FLOOR, TOKEN, KEY = "floor", "token", "key"
CHANNEL = "tokenserver_feed"
WINDOW = LONGEST_LIFETIME + 2 * CLOCK_SKEW
"""Seconds a moved floor stays in the feed: every token below it has expired by then."""
_PRUNE_EVERY = 100


@dataclass(frozen=True, slots=True)
class FeedRow:
    seq: int
    kind: str
    ref: str
    floor: int
    effective_at: int


class FeedStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def last_seq(self) -> int:
        return self._session.scalars(select(CounterRow.value).where(CounterRow.name == "feed")).one()

    def since(self, seq: int) -> list[FeedRow]:
        """Every change after `seq`, in order."""
        found = self._session.scalars(
            select(GenerationEventRow).where(GenerationEventRow.seq > seq).order_by(GenerationEventRow.seq)
        )
        return [FeedRow(row.seq, row.kind, row.ref, row.floor, row.effective_at) for row in found]

    def told_at(self, seqs: Collection[int]) -> dict[int, float]:
        """When each of these changes was recorded, where that is still known."""
        row = GenerationEventRow
        query = select(row.seq, row.told_ms).where(row.seq.in_(seqs), row.told_ms.is_not(None))
        return {seq: told_ms / 1000 for seq, told_ms in self._session.execute(query) if told_ms is not None}

    def tell_floors(self, organization_id: str, ref: str, floors: Iterable[Floor], now: float) -> int | None:
        """Append floors of one subject; the number of the last, or None when there was nothing to tell."""
        return self.tell_all([(organization_id, ref, floor) for floor in floors], now).get(ref)

    def tell_all(self, told: Sequence[tuple[str, str, Floor]], now: float) -> dict[str, int]:
        """Append floors, each of an organization and a subject, in this order; by subject, the number of its last."""
        return self._append([(organization_id, FLOOR, ref, *floor) for organization_id, ref, floor in told], now)

    def skip_to(self, seq: int) -> None:
        """Go on after `seq`: numbers that a lost future has used are never used again."""
        self._session.execute(
            update(CounterRow)
            .where(CounterRow.name == "feed", CounterRow.value < seq)
            .values(value=seq)
            .execution_options(synchronize_session=False)
        )

    def tell_revoked_key(self, organization_id: str, kid: str, now: float) -> int:
        return self._append([(organization_id, KEY, kid, 0, int(now))], now)[kid]

    def tell_revoked_token(self, organization_id: str, token_id: str, expires_at: int, now: float) -> int:
        """Its moment is when it would have expired: the row is kept until nobody believes the token anyway."""
        return self._append([(organization_id, TOKEN, token_id, 0, expires_at)], now)[token_id]

    def count_revoked_tokens(self, organization_id: str, now: float) -> int:
        """Tokens of an organization that were revoked one by one and would still be live."""
        query = (
            select(func.count())
            .select_from(GenerationEventRow)
            .where(
                GenerationEventRow.kind == TOKEN,
                GenerationEventRow.organization_id == organization_id,
                GenerationEventRow.effective_at > now,
            )
        )
        return self._session.scalars(query).one()

    def _append(self, told: Sequence[tuple[str, str, str, int, int]], now: float) -> dict[str, int]:
        """Organization, kind, subject, floor and moment of each; numbered without a gap, under the counter's lock."""
        if not told:
            return {}
        last = self._session.scalars(
            update(CounterRow)
            .where(CounterRow.name == "feed")
            .values(value=CounterRow.value + len(told))
            .returning(CounterRow.value)
            .execution_options(synchronize_session=False)
        ).one()
        numbered = list(enumerate(told, start=last - len(told) + 1))
        self._session.execute(
            insert(GenerationEventRow),
            [
                {
                    "seq": seq,
                    "organization_id": organization_id,
                    "kind": kind,
                    "ref": ref,
                    "floor": floor,
                    "effective_at": effective_at,
                    "told_ms": int(now * 1000),
                }
                for seq, (organization_id, kind, ref, floor, effective_at) in numbered
            ],
        )
        if last // _PRUNE_EVERY != (last - len(told)) // _PRUNE_EVERY:
            self._session.execute(
                delete(GenerationEventRow)
                .where(GenerationEventRow.effective_at < int(now) - WINDOW)
                .execution_options(synchronize_session=False)
            )
        if self._session.get_bind().dialect.name == "postgresql":
            # A wake-up for the other nodes, delivered at commit; they poll as well.
            self._session.execute(select(func.pg_notify(CHANNEL, str(last))))
        return {ref: seq for seq, (_, _, ref, _, _) in numbered}
