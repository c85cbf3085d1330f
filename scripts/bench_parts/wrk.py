"""Is our own generator to be believed? `--wrk` asks the same requests with wrk, where it is installed."""

from __future__ import annotations

import re
import shutil
import time

from scripts.bench_parts.contest import Contestant
from scripts.bench_parts.figures import Control, Figure
from scripts.bench_parts.plan import Plan, Skipped
from scripts.bench_parts.processes import Died, clean_environment, end_of, started

_SCRIPT = """
local requests, length = {}, 0
for line in io.lines("requests") do
  length = length + 1
  requests[length] = wrk.format("POST", "/oauth/token", {
    ["Authorization"] = line, ["Content-Type"] = "application/x-www-form-urlencoded"
  }, "BODY")
end
local place = 0
function request()
  place = place % length + 1
  return requests[place]
end
"""
_RATE = re.compile(r"Requests/sec: *([0-9.]+)")
_FAULTS = re.compile(r"(?:Non-2xx|Socket errors).*")


def cross_check(plan: Plan, ours: Contestant, connections: int, rate: float) -> list[Figure]:
    """The rate by wrk, against that of our generator."""
    program = shutil.which("wrk")
    if program is None:
        raise Skipped("--wrk: wrk is not installed (on Debian and Ubuntu: apt-get install wrk)")
    folder, seconds = plan.folder(f"wrk-{connections}"), max(1, round(plan.seconds))
    heads = [one.partition(b"\r\n\r\n") for one in ours.requests]
    proofs = [re.search(rb"Authorization: ([^\r]+)", head) for head, _, _ in heads]
    (folder / "requests").write_bytes(b"\n".join(proof[1] for proof in proofs if proof is not None))
    (folder / "ask.lua").write_text(_SCRIPT.replace("BODY", heads[0][2].decode()), encoding="utf-8")
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "-sask.lua", f"http://127.0.0.1:{ours.port}"]
    log = folder / "log"
    with started(
        command, environment=clean_environment(), log=log, folder=folder, cores=plan.placing.generator
    ) as process:
        deadline = time.monotonic() + seconds + 30
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    said = end_of(log)
    found, fault = _RATE.search(said), _FAULTS.search(said)
    if found is None or fault is not None:
        raise Died(f"wrk: {said}")
    beside = Control("our generator", rate)
    return [Figure("issuing", f"cross-check by wrk, {connections} connections", float(found[1]), "/s", None, beside)]
