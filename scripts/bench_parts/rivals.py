"""How do we compare with others? node-oidc-provider and @node-oauth/oauth2-server, on the same core, in turns with us.

Both keep everything in memory and write nothing down, where we have each token's audit line on the disk before the
answer. The first signs JWTs as we do; the second, behind Express as its documentation shows it, hands out random texts.
Installed from npm, at fixed versions, below var/bench; node and npm must be there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_parts.contest import Contestant, in_turn
from scripts.bench_parts.figures import Figure
from scripts.bench_parts.installing import Installation, install
from scripts.bench_parts.issuing import rate_figure
from scripts.bench_parts.plan import CONNECTIONS, FEW, Plan, Skipped
from scripts.bench_parts.processes import clean_environment, free_port, started, wait_until_ready
from scripts.bench_parts.servers import our_server, token_requests

OURS = "ours on SQLite"


@dataclass(frozen=True)
class Rival:
    """A package of npm with its version, what it is run in, the program beside this file, and how it is asked."""

    package: str
    version: str
    beside: Mapping[str, str]
    program: str
    token_path: str
    keys: str | None

    @property
    def packages(self) -> Mapping[str, str]:
        return {self.package: self.version, **self.beside}

    @property
    def name(self) -> str:
        return f"{self.package} {self.version}"


_EXPRESS = {"@node-oauth/express-oauth-server": "4.2.0", "express": "5.3.0"}
RIVALS = (
    Rival("oidc-provider", "9.13.3", {}, "rival_oidc_provider.mjs", "/token", "/jwks"),
    Rival("@node-oauth/oauth2-server", "5.3.0", _EXPRESS, "rival_oauth2_server.mjs", "/oauth/token", None),
)


def measure(plan: Plan) -> list[Figure]:
    home = _installed(plan)
    installation = install(plan.folder("rivals"), FEW)
    figures = []
    with ExitStack() as stack:
        ours = stack.enter_context(our_server(plan, OURS, installation))
        others = [stack.enter_context(_running(plan, rival, home, installation)) for rival in RIVALS]
        for connections in CONNECTIONS:
            outcomes = in_turn(plan, (ours, *others), connections)
            for other in others:
                what = f"ours beside rivals, {connections} connections"
                against = (other.name, outcomes[other.name])
                figures.append(rate_figure("rivals", what, outcomes[OURS], None, against))
    return figures


def _installed(plan: Plan) -> Path:
    """The folder with their packages in it; raises Skipped where they cannot be had."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        raise Skipped(f"{' and '.join(missing)} not found: install Node.js 20 or newer")
    home = plan.kept / "rivals"
    home.mkdir(exist_ok=True)
    wanted = {name: version for rival in RIVALS for name, version in rival.packages.items()}
    if any(_version_of(home, name) != version for name, version in wanted.items()):
        plan.say("installing the rivals with npm")
        (home / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}), encoding="utf-8")
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        try:
            done = subprocess.run(words, cwd=home, check=False, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            raise Skipped("npm did not finish in three minutes") from None
        if done.returncode != 0:
            raise Skipped(f"npm could not install them: {done.stderr.strip()[-500:]}")
    for rival in RIVALS:
        shutil.copy2(Path(__file__).with_name(rival.program), home)  # where node looks for the packages
    return home


def _version_of(home: Path, package: str) -> str | None:
    about = home / "node_modules" / package / "package.json"
    return str(json.loads(about.read_text(encoding="utf-8"))["version"]) if about.exists() else None


@contextmanager
def _running(plan: Plan, rival: Rival, home: Path, installation: Installation) -> Iterator[Contestant]:
    port, folder = free_port(), plan.folder(rival.program)
    log, clients = folder / "log", folder / "clients.json"
    clients.write_text(json.dumps(list(installation.clients)), encoding="utf-8")
    command = ["node", rival.program, str(port), str(clients)]
    environment = clean_environment(NODE_ENV="production")
    with started(command, environment=environment, log=log, folder=home, cores=plan.placing.server) as process:
        wait_until_ready(port, rival.keys or "/", process, log)
        requests = token_requests(installation.clients, port, rival.token_path)
        yield Contestant(rival.name, port, process.pid, requests, rival.keys)
