"""How does the server run? granian in front of `app.wsgi`, with a bounded number of threads in each worker.

The master process answers no requests: workers are started with the settings in their environment and make an
application each. A worker that dies is replaced. Ctrl-C, SIGTERM and the end of the terminal end the server; requests
that are being answered are finished first.
"""

from __future__ import annotations

import os
import signal

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
    server = Granian(
        "app.wsgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads + settings.feed_waiters,
        backlog=1024,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_level=LogLevels.error,  # its warnings are about the number of threads, which is meant
    )
    server.on_startup(_end_with_the_terminal)
    server.serve()


def _end_with_the_terminal() -> None:
    """A hang-up means "reload" to granian; a server whose terminal was closed would go on unseen. nohup is heeded."""
    if _HANG_UPS_ARE_IGNORED:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


_HANG_UPS_ARE_IGNORED = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
