"""How long after *regenerate* does the last resource server refuse? Forty of them, against a real server.

Each is a real `Verifier` with its own background thread and its own connection; they live in several processes (see
`watching`). One round: all forty accept the same token; after a random pause, so that the moment falls anywhere in the
poll interval, the secret is regenerated over HTTP; each notes the moment at which it refuses the token. The time counts
from the moment *before* the request is sent: what is reported includes the regeneration itself.

All of it runs on the generator's core, the forty as well: where they share one core, part of the time with `wait` is
forty processes' worth of waking up one after the other.
"""

from __future__ import annotations

import json
import random
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from scripts.bench_parts.contest import Contestant
from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.installing import AUDIENCE, ROLE, Client, install
from scripts.bench_parts.load import Broken, percentile
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.processes import Died, clean_environment, end_of, python, started, stream
from scripts.bench_parts.servers import our_server

_PATIENCE = 40.0
_KINDS = (("polling every second", 0.0, Bar(at_most=1200)), ("held polls (wait)", 20.0, Bar(at_most=150)))


@dataclass(frozen=True)
class Size:
    """So many processes, so many resource servers in each, so many rounds."""

    processes: int = 8
    in_each: int = 5
    rounds: int = 12

    @property
    def servers(self) -> int:
        return self.processes * self.in_each


def measure(plan: Plan) -> list[Figure]:
    size = Size(2, 4, 1) if plan.smoke else Size()
    installation = install(plan.folder("ending"), size.rounds * len(_KINDS))
    figures = []
    with our_server(plan, "ending", installation) as ours:
        admin = _token(ours, installation.administrator)
        for place, (name, wait, bar) in enumerate(_KINDS):
            clients = installation.clients[place * size.rounds : (place + 1) * size.rounds]
            with ExitStack() as stack:
                watchers = [stack.enter_context(_watcher(plan, ours, size, wait)) for _ in range(size.processes)]
                _answers(watchers, "ready", size.servers)
                rounds = [_round(ours, admin, client, watchers, size) for client in clients]
            figures.append(_figure(name, bar, rounds, size))
            plan.say(f"{name}: {figures[-1].value:.0f} ms")
    return figures


@dataclass(frozen=True)
class Watcher:
    process: subprocess.Popen[bytes]

    def tell(self, **message: Any) -> None:
        pipe = stream(self.process.stdin)
        pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()

    def hear(self) -> dict[str, Any]:
        pipe = stream(self.process.stdout)
        if not select.select([pipe], [], [], _PATIENCE)[0]:
            raise Died("resource servers said nothing")
        line = pipe.readline()
        if not line:
            raise Died("resource servers have ended")
        return dict(json.loads(line))


@contextmanager
def _watcher(plan: Plan, ours: Contestant, size: Size, wait: float) -> Iterator[Watcher]:
    folder = plan.folder(f"watching-{random.getrandbits(48):x}")
    words = (f"http://127.0.0.1:{ours.port}", AUDIENCE, ROLE, str(size.in_each), str(wait))
    log, cores = folder / "log", plan.placing.generator
    command = python("scripts.bench_parts.watching", *words)
    with started(command, environment=clean_environment(), log=log, folder=folder, cores=cores, talks=True) as process:
        try:
            yield Watcher(process)
        except Died as fault:
            raise Died(f"{fault}. The end of their log:\n{end_of(log)}") from fault


def _round(
    ours: Contestant, admin: str, client: Client, watchers: Sequence[Watcher], size: Size
) -> tuple[float, list[float]]:
    """How long the regeneration took, and after how long each resource server refused; in milliseconds."""
    token = _token(ours, client)
    for watcher in watchers:
        watcher.tell(token=token)
    _answers(watchers, "accepting", size.servers)
    time.sleep(random.uniform(0.2, 1.2))
    sent = time.monotonic()
    _post(ours, f"/v1/credentials/{client[0]}/regenerate", {"Authorization": f"Bearer {admin}"})
    replied = time.monotonic()
    moments = [moment for watcher in watchers for moment in watcher.hear()["refused"]]
    if len(moments) != size.servers:
        raise Broken(f"{len(moments)} of {size.servers} resource servers have refused the token")
    return 1000 * (replied - sent), [1000 * (moment - sent) for moment in moments]


def _answers(watchers: Sequence[Watcher], name: str, expected: int) -> None:
    counted = sum(watcher.hear()[name] for watcher in watchers)
    if counted != expected:
        raise Broken(f"{counted} of {expected} resource servers are {name}")


def _figure(name: str, bar: Bar, rounds: Sequence[tuple[float, Sequence[float]]], size: Size) -> Figure:
    ordered = sorted(moment for _, moments in rounds for moment in moments)
    detail = {
        "milliseconds": {str(share): round(percentile(ordered, share), 1) for share in (0.5, 0.9, 0.99, 1.0)},
        "last_of_each_round": [round(max(moments), 1) for _, moments in rounds],
        "regenerate_took": [round(took, 1) for took, _ in rounds],
    }
    also = f"p50 {percentile(ordered, 0.5):,.0f} ms, max {ordered[-1]:,.0f} ms, {len(rounds)} rounds"
    what = f"regenerate → refused at {size.servers}, {name}: p99"
    return Figure("ending", what, percentile(ordered, 0.99), "ms", bar, None, also, detail)


def _token(ours: Contestant, client: Client) -> str:
    form = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return str(_post(ours, "/oauth/token", kind, urlencode(form).encode())["access_token"])


def _post(ours: Contestant, path: str, headers: Mapping[str, str], body: bytes = b"") -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", ours.port, timeout=20)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Broken(f"POST {path.rpartition('/')[2]} was answered with {answer.status}: {told.decode()[:300]}")
    return dict(json.loads(told))
