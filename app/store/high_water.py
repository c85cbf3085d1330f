"""Has the database gone back in time? A backup that was restored, or a replica that took over without the last changes.

Either would bring back secrets and tokens that were ended (G10). So each node remembers, outside the database, the
highest number of a change it has seen: in memory, and in the file `high-water` under TOKENSERVER_HOME. While the
database is below it, nothing is issued and no feed is told; resource servers refuse a feed that goes back as well.
What to do is the operator's decision: `python -m app accept-restore` ends every token and goes on above the number
that was reached.

The file names the installation, so that a new database in the same place is not taken for an old one.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path

from app.store.database import Store
from tokenserver.errors import Unavailable


class WentBack(Unavailable):
    public = "The database is older than what this node has seen. An operator has to decide how to go on."
    retry_after = 30

    def __init__(self, found: int, seen: int) -> None:
        super().__init__(
            detail=f"change {found} is the last of the database, but change {seen} was seen: a backup was restored, or"
            " changes were lost in a failover. Run python -m app accept-restore to end every token and go on."
        )


class HighWater:
    """One per process; `see` is cheap while nothing changes."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._lock = threading.Lock()
        self._seen: int | None = None
        self._installation = ""

    def see(self, seq: int) -> None:
        """Take note of the last number in the database; raises WentBack when it is below one seen before."""
        if seq == self._seen:
            return
        with self._lock:
            seen = self.reached() if self._seen is None else self._seen
            if seq < seen:  # it may have been read before the change that we know was committed: look again
                with self._store.reading() as tx:
                    seq = tx.feed.last_seq()
            if seq < seen:
                raise WentBack(seq, seen)
            self._seen = seq
            if seq > seen:
                self._write(seq)

    def reached(self) -> int:
        """The highest number that the file remembers for this installation; 0 when there is none."""
        with self._store.reading() as tx:
            self._installation = tx.organizations.fact("installation_id") or ""
        try:
            kept = json.loads(self._path.read_text(encoding="ascii"))
            return int(kept["seq"]) if kept["installation"] == self._installation else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _write(self, seq: int) -> None:
        """Whole or not at all. A folder that cannot be written costs the memory of restarts, and nothing else."""
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps({"installation": self._installation, "seq": seq}), encoding="ascii")
            draft.replace(self._path)
