"""How does the server run? granian in front of `app.wsgi`, with a bounded number of threads in each worker.

The master process holds no application: workers are started with the settings in their environment and make their
own. A worker that dies is replaced.
"""

from __future__ import annotations

import os

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from app.settings import PREFIX, Settings


def serve_forever(settings: Settings) -> None:
    """Serve until a signal says otherwise."""
    os.environ.update(
        {
            PREFIX + "HOST": settings.host,
            PREFIX + "PORT": str(settings.port),
            PREFIX + "ISSUER": settings.issuer,
        }
    )
    Granian(
        "app.wsgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads + settings.feed_waiters,
        backlog=1024,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_level=LogLevels.warning,
    ).serve()
