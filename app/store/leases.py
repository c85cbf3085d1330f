"""Who holds a lease? Taken, kept and handed back by compare-and-swap: of two that see the same row, one gets it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.models import LeaseRow


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` has it until `ends_at`."""

    name: str
    holder: str
    ends_at: int


class LeaseStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> Lease | None:
        row = self._session.get(LeaseRow, name)
        return None if row is None else Lease(row.name, row.holder, row.ends_at)

    def swap(self, lease: Lease, *, was: Lease | None) -> bool:
        """Whether `lease` now stands where `was` did."""
        if was is None:
            insert = sqlite.insert if self._session.get_bind().dialect.name == "sqlite" else postgresql.insert
            row = {"name": lease.name, "holder": lease.holder, "ends_at": lease.ends_at}
            made = insert(LeaseRow).values(row).on_conflict_do_nothing().returning(LeaseRow.name)
            return self._session.execute(made).first() is not None
        changed = self._session.execute(
            update(LeaseRow)
            .where(LeaseRow.name == was.name, LeaseRow.holder == was.holder, LeaseRow.ends_at == was.ends_at)
            .values(holder=lease.holder, ends_at=lease.ends_at)
            .execution_options(synchronize_session=False)
        )
        return bool(changed.rowcount == 1)  # type: ignore[attr-defined]  # a CursorResult, for DML

    def drop(self, name: str, holder: str) -> None:
        self._session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder))
