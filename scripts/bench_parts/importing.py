"""How long does `import tokenserver.resource` take, and what does it load? In fresh interpreters.

Beside the standard library, PyJWT and what that needs to check signatures (cryptography, cffi) may be loaded, and
nothing else: no web framework, no HTTP library.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.processes import ROOT, clean_environment

_EXPECTED = {"tokenserver", "jwt", "cryptography", "_cffi_backend", "_openssl"}
_PROGRAM = """
import json, sys, time
before, begun, used = set(sys.modules), time.perf_counter(), time.process_time()
import {}
took, used = time.perf_counter() - begun, time.process_time() - used
print(json.dumps([took, used, sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})]))
"""


def measure(plan: Plan) -> list[Figure]:
    rounds = 3 if plan.smoke else 15
    ours, theirs, used, loaded = [], [], [], set[str]()
    for _ in range(rounds + 1):
        took, busy, modules = _imported("tokenserver.resource")
        ours.append(took)
        used.append(busy)
        loaded |= set(modules)
        theirs.append(_imported("jwt.algorithms")[0])
    ratio = statistics.median(a / b for a, b in zip(ours[1:], theirs[1:], strict=True))  # the first warmed the disk
    strangers = sorted(loaded - set(sys.stdlib_module_names) - _EXPECTED)
    control = Control("PyJWT with its algorithms", 1000 * statistics.median(theirs[1:]), ratio)
    took, busy = 1000 * statistics.median(ours[1:]), 1000 * statistics.median(used[1:])
    also, detail = f"{busy:.0f} ms of processor time", {"milliseconds": [round(1000 * one, 1) for one in ours]}
    others = ", ".join(sorted(loaded - set(sys.stdlib_module_names) - {"tokenserver"}))
    return [
        Figure("importing", "import tokenserver.resource", took, "ms", Bar(at_most=120), control, also, detail),
        Figure("importing", "strangers it loads", len(strangers), "", Bar(at_most=0), None, f"loaded: {others}"),
    ]


def _imported(module: str) -> tuple[float, float, list[str]]:
    """Seconds, seconds of processor time, and the top-level modules that were loaded."""
    command = [sys.executable, "-c", _PROGRAM.format(module)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True, capture_output=True, timeout=60)
    took, busy, modules = json.loads(done.stdout)
    return took, busy, modules
