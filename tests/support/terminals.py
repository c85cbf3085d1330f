"""A real pseudo-terminal, for what a command does when a person looks."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence

PATIENCE = 40.0
_OF_OURS = {"COLUMNS", "LINES"}
"""What the terminal of the tests says of itself (pytest-xdist says it to its workers)."""


def in_a_terminal(
    typed: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, keys: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """Run the command in a terminal of that width; `keys` are (what to wait for, what to type). Code and all output."""
    here = {name: value for name, value in environment.items() if name not in _OF_OURS}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenserver.cli", *typed],
        env={**here, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown, waiting = "", list(keys)
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            assert time.monotonic() < deadline, shown
            if not select.select([master], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(master, 65536)
            except OSError:  # how Linux says that the other side has gone
                break
            if not piece:
                break
            shown += piece.decode(errors="replace")
            if waiting and waiting[0][0] in shown:
                os.write(master, waiting.pop(0)[1].encode())
        return process.wait(PATIENCE), shown.replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(master)
