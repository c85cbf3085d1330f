"""How long does `import tokenserver.resource` take, and what does it load? In fresh interpreters.

From compiled files, in processor time: one thread works all the while, and neighbours are not its fault.
Beside the standard library, PyJWT and what that needs to check signatures (cryptography, cffi) may be loaded, and
nothing else: no web framework, no HTTP library.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.processes import ROOT, clean_environment

_EXPECTED = {"tokenserver", "jwt", "cryptography", "_cffi_backend", "_openssl"}
_PROGRAM = """
import json, sys, time
before, begun, used = set(sys.modules), time.perf_counter(), time.process_time()
import {}
took, used = time.perf_counter() - begun, time.process_time() - used
print(json.dumps([used, took, sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})]))
"""


def measure(plan: Plan) -> list[Figure]:
    rounds = 3 if plan.smoke else 15
    environment = clean_environment(PYTHONPYCACHEPREFIX=str(plan.folder("importing")))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    ours, theirs, passed, loaded = [], [], [], set[str]()
    for _ in range(rounds + 1):
        busy, took, modules = _imported("tokenserver.resource", environment)
        ours.append(1000 * busy)
        passed.append(1000 * took)
        loaded |= set(modules)
        theirs.append(1000 * _imported("jwt.algorithms", environment)[0])
    (_, *ours), (_, *theirs), (_, *passed) = ours, theirs, passed  # the first compiles
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    control = Control("PyJWT with its algorithms", statistics.median(theirs), ratio)
    also, detail = f"{statistics.median(passed):.0f} ms passed", {"milliseconds": [round(one, 1) for one in ours]}
    beside = sorted(loaded - set(sys.stdlib_module_names) - {"tokenserver"})
    strangers = [name for name in beside if name not in _EXPECTED]
    what, named = "import tokenserver.resource", f"loaded: {', '.join(beside)}"
    return [
        Figure("importing", what, statistics.median(ours), "ms", Bar(at_most=120), control, also, detail),
        Figure("importing", "strangers it loads", len(strangers), "", Bar(at_most=0), None, named),
    ]


def _imported(module: str, environment: Mapping[str, str]) -> tuple[float, float, list[str]]:
    """Seconds of processor time, seconds that passed, and the top-level modules that were loaded."""
    command = [sys.executable, "-c", _PROGRAM.format(module)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
    busy, took, modules = json.loads(done.stdout)
    return busy, took, modules
