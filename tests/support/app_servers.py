"""The usual servers of apps, with what docs/resource-servers/servers.md says each of them needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import requests

from tests.support.programs import program
from tests.support.world import ROOT, eventually, free_port

_GUNICORN = "gunicorn -b 127.0.0.1:PORT"
_NO_SCRIPT_NAME = "--forwarder-headers="
_UVICORN_WORKER = f"{_GUNICORN} -k uvicorn.workers.UvicornWorker"
_UVICORN = "uvicorn --host 127.0.0.1 --port PORT"
_GRANIAN = "granian --host 127.0.0.1 --port PORT --interface"
_UWSGI = "pyuwsgi --enable-threads --need-app --module WSGI"


class Server(NamedTuple):
    command: str
    needs: str = ""
    """The option by which no caller chooses its address or path, as the guide names it."""
    stopped_by: signal.Signals = signal.SIGTERM


SERVERS = {
    "gunicorn": Server(f"{_GUNICORN} WSGI", _NO_SCRIPT_NAME),
    "gunicorn -k gthread": Server(f"{_GUNICORN} -k gthread WSGI", _NO_SCRIPT_NAME),
    "gunicorn -k gevent": Server(f"{_GUNICORN} -k gevent WSGI", _NO_SCRIPT_NAME),
    "gunicorn -k asgi": Server(f"{_GUNICORN} -k asgi ASGI"),
    "gunicorn -k uvicorn.workers.UvicornWorker": Server(f"{_UVICORN_WORKER} ASGI", "--forwarded-allow-ips="),
    "uvicorn": Server(f"{_UVICORN} ASGI", "--no-proxy-headers"),
    "hypercorn": Server("hypercorn -b 127.0.0.1:PORT ASGI"),
    "hypercorn wsgi:…": Server("hypercorn -b 127.0.0.1:PORT wsgi:WSGI"),
    "daphne": Server("daphne -b 127.0.0.1 -p PORT ASGI"),
    "granian --interface asginl": Server(f"{_GRANIAN} asginl ASGI"),
    "granian --interface wsgi": Server(f"{_GRANIAN} wsgi WSGI"),
    "waitress": Server(
        "waitress-serve --listen=127.0.0.1:PORT WSGI", "--no-clear-untrusted-proxy-headers", signal.SIGINT
    ),
    "uWSGI --http-socket": Server(f"{_UWSGI} --http-socket 127.0.0.1:PORT", stopped_by=signal.SIGINT),
    "uWSGI --http": Server(f"{_UWSGI} --http 127.0.0.1:PORT", stopped_by=signal.SIGINT),
}


@contextlib.contextmanager
def serving(server: Server, app: str, folder: Path, *, as_it_comes: bool = False, **environment: str) -> Iterator[str]:
    """Its base URL. `app` is a module with `wsgi_app` and `asgi_app`, which `GET /token` answers."""
    port = free_port()
    name, *options = server.command.split(" ")
    if server.needs and not as_it_comes:
        options.insert(0, server.needs)
    for printed, own in (("PORT", str(port)), ("WSGI", f"{app}:wsgi_app"), ("ASGI", f"{app}:asgi_app")):
        options = [option.replace(printed, own) for option in options]
    command = [program(name, name.removesuffix("-serve"), "WITHOUT_WHEELS", by="pip"), *options]
    ours = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])  # a server may be of another environment
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": ours, **environment}, stdout=log, stderr=log
        )

    def serves() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return requests.get(f"http://127.0.0.1:{port}/token", timeout=20).ok
        except requests.RequestException:
            return False

    try:
        eventually(serves, f"{name} serves")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(server.stopped_by)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()
