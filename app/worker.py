"""What does each worker process run? The server, behind granian: `app.worker:application`.

Its threads are scheduled in batches (SCHED_BATCH, Linux): one that becomes ready does not interrupt the one that runs.
Otherwise each request that arrives interrupts the answering of others, five times over; so, a token costs a quarter
less.
"""

import contextlib
import multiprocessing
import os
import threading

from app import create_entrance
from app.logs import log_as_json
from app.settings import load


def _end_with_the_master() -> None:
    """A worker must not outlive a master that was killed: it would go on holding the port."""
    master = multiprocessing.parent_process()
    if master is not None:
        master.join()
        os._exit(1)


def _work_in_batches() -> None:
    """Threads inherit it: to be called before any is started. Where somebody chose a policy, it stays."""
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


_work_in_batches()
_settings = load()
log_as_json(_settings.log_level)
application = create_entrance(_settings)
threading.Thread(target=_end_with_the_master, name="end-with-the-master", daemon=True).start()
