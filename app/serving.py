"""How does the server run? granian in front of `app.worker`, with an event loop and a pool of threads in each worker.

The master process answers no requests: workers are started with the settings in their environment and make an
application each. A worker that dies is replaced. Ctrl-C, SIGTERM and the end of the terminal end the server; requests
that are being answered are finished first, unless that takes more than five seconds.

It speaks HTTP/1 and nothing else. What guesses the protocol waits for the first bytes without a deadline, and as many
connections as are served at a time (`backlog`) would then keep all others out for ever, by silence. And in HTTP/2 a few
kilobytes can stand for thousands of long headers: one such request held up all others for seconds. A head may be as
long as our longest small body; granian's own limit is six times that, for each of those connections.
"""

from __future__ import annotations

import os
import signal
import socket

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.settings import PREFIX, InvalidSettings, Settings


def refuse_taken_address(settings: Settings) -> None:
    """Raise InvalidSettings unless nobody listens there yet.

    granian would share the port with whoever does, and every other request would meet another server.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as fault:
        place = f"{settings.host} port {settings.port}"
        raise InvalidSettings(f"TOKENSERVER_HOST, TOKENSERVER_PORT: {place}: {fault.strerror}") from None


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
        "app.worker:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=65_536),
        workers=settings.workers,
        websockets=False,
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
