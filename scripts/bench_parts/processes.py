"""How are processes started so that none is left behind? Each is a child that ends with us, whatever ends us.

Ctrl-C reaches only us (each child has a session of its own) and unwinds through the `with` blocks. If we are killed,
the kernel tells the children (`PR_SET_PDEATHSIG`, Linux); our server's worker ends with its master by itself. A process
is only ever ended by the ID we got when we started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scripts.bench_parts.placing import Cores, stay_on

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1
_SECONDS_TO_END = 10


class Died(RuntimeError):
    """A process that we started has ended or never answered; the text holds the end of its log."""


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path,
    cores: Cores = frozenset(),
    user: str | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
    talks: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """`command`, running in `folder` until the block is left. `talks`: by pipes on its standard input and output."""
    pipe = subprocess.PIPE if talks else None
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=dict(environment),
            cwd=folder,
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or output,
            stderr=output,
            start_new_session=True,
            user=user,
            preexec_fn=_before_exec(cores, stop_with),  # noqa: PLW1509  two system calls, and no lock
        )
    try:
        yield process
    finally:
        _end(process, stop_with)


def python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]


def clean_environment(**given: str) -> dict[str, str]:
    """Ours without any setting of a token server, so that what is measured is what is said; `given` on top."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}
    return {**kept, "PYTHONPATH": str(ROOT), **given}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(port: int, path: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Until GET `path` is answered with 200; raises Died."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if status_of(port, path) == 200:
            return
        time.sleep(0.005)
    raise Died(f"port {port} was never ready. The end of its log:\n{end_of(log)}")


def status_of(port: int, path: str) -> int | None:
    """The status that GET `path` is answered with; None without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def end_of(log: Path, characters: int = 2000) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-characters:] if log.exists() else "(none)"


def stream(pipe: IO[Any] | None) -> IO[Any]:
    """A pipe of a process that `talks`."""
    if pipe is None:
        raise ValueError("it was not started to talk")
    return pipe


def _before_exec(cores: Cores, when_we_die: signal.Signals) -> Callable[[], None]:
    tell_kernel: Any = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        if tell_kernel is not None:
            tell_kernel(_PR_SET_PDEATHSIG, int(when_we_die), 0, 0, 0)
        stay_on(cores)

    return prepare


def _end(process: subprocess.Popen[bytes], stop_with: signal.Signals) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        process.send_signal(stop_with)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session that we made for it: whatever is left there
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
