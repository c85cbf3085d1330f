"""Does `scripts/bench` say what it measured, count right, and leave nothing behind? How fast it is, is no test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.bench_parts.__main__ import PARTS, run
from scripts.bench_parts.contest import Outcome
from scripts.bench_parts.figures import COLUMNS, Bar, Control, Figure, table
from scripts.bench_parts.load import Load, drive, percentile
from scripts.bench_parts.machine import facts
from scripts.bench_parts.placing import Placing
from scripts.bench_parts.plan import Plan, Skipped
from scripts.bench_parts.processes import clean_environment, started
from scripts.bench_parts.report import Report
from scripts.bench_parts.scratch import scratch
from scripts.bench_parts.shares import Shares, family, resident_mebibytes

ROOT = Path(__file__).resolve().parents[2]
FIGURE = Figure("issuing", "tokens", 4000.0, "/s", Bar(at_least=5000, aim=8000), Control("a bare view", 2000.0))

JUDGED = {
    "a figure below its bar": (FIGURE, "NO", "2.00"),
    "a figure above its bar": (Figure("x", "y", 5000.0, "/s", Bar(at_least=5000)), "yes", "–"),
    "a duration that is short enough": (Figure("x", "y", 24.9, "ms", Bar(at_most=25)), "yes", "–"),
    "a ratio that is high enough": (
        Figure("x", "y", 9.5, "/s", Bar(at_least=0.9, of="ratio"), Control("few", 10.0)),
        "yes",
        "0.95",
    ),
    "a ratio that is too high": (
        Figure("x", "y", 13.0, "µs", Bar(at_most=1.25, of="ratio"), Control("bare", 10.0)),
        "NO",
        "1.30",
    ),
    "a figure that nobody asked for": (Figure("x", "y", 1.0, "s"), "–", "–"),
}


@pytest.fixture
def plan(tmp_path):
    return Plan(kept=tmp_path, scratch=tmp_path, placing=Placing(), smoke=True)


@pytest.mark.parametrize(("figure", "met", "ratio"), JUDGED.values(), ids=JUDGED.keys())
def test_a_figure_is_judged_by_what_its_bar_is_about(figure, met, ratio):
    assert figure.cells()[-2:] == (ratio, met)


def a_load(rate):
    return Load(16, int(rate), 0, 0, 1.0, 0.1, [0.001])


def test_rounds_with_strangers_on_the_core_do_not_count_and_ratios_are_taken_round_by_round():
    quiet, busy = Shares(0.95, 0.01, 0.04), Shares(0.5, 0.5, 0.0)
    ours = Outcome([a_load(100), a_load(50), a_load(60)], [quiet, quiet, busy])
    control = Outcome([a_load(200), a_load(100), a_load(400)], [quiet, quiet, quiet])
    assert ours.rate == 75
    assert control.rate == 200
    assert ours.ratio_to(control) == 0.5
    assert Outcome([a_load(60)], [busy]).rate == 60


def test_the_table_has_a_cell_for_every_column_of_every_figure():
    lines = table([figure for figure, _, _ in JUDGED.values()]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert tuple(cells[0]) == COLUMNS
    assert len(cells) == len(JUDGED) + 2
    assert {len(row) for row in cells} == {len(COLUMNS)}
    assert cells[2] == ["tokens", "4,000/s", "≥ 5,000/s, aim 8,000/s", "a bare view: 2,000/s", "2.00", "NO"]


def test_the_json_says_on_what_it_was_measured_and_what_came_out(plan, tmp_path):
    report = Report([FIGURE], skipped={"rival": "no node"})
    told = json.loads(json.dumps(report.as_json(facts(tmp_path, Placing()), plan)))
    assert told["figures"][0] | {"met": False, "ratio": 2.0, "value": 4000.0} == told["figures"][0]
    assert told["skipped"] == {"rival": "no node"}
    assert {"date", "commit", "python", "cores", "fsync_microseconds", "load_average", "libraries"} <= set(
        told["machine"]
    )


def test_a_part_that_fails_leaves_the_others_their_turn(plan, monkeypatch):
    def fails(_):
        raise RuntimeError("broken")

    def cannot(_):
        raise Skipped("not here")

    monkeypatch.setitem(PARTS, "issuing", fails)
    monkeypatch.setitem(PARTS, "postgres", cannot)
    monkeypatch.setitem(PARTS, "memory", lambda _: [FIGURE])
    report = run(plan, ["issuing", "postgres", "memory"])
    assert report.failed == {"issuing": "RuntimeError: broken"}
    assert report.skipped == {"postgres": "not here"}
    assert report.figures == [FIGURE]
    assert "FAILED issuing" in report.in_words()


def test_the_console_is_not_measured_where_there_is_no_browser(plan, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    report = run(plan, ["console"])
    assert report.skipped == {"console": "Chromium is not installed: apt-get install chromium"}
    assert not report.failed


def test_the_page_about_it_names_every_part():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert not [name for name in PARTS if f"`{name}`" not in page]


# --- the load generator ---------------------------------------------------------------------------------------------


class TokenServer(BaseHTTPRequestHandler):
    """On each connection, the third answer is no token, and after the fourth it hangs up."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_POST(self):
        self.answered += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"error": "no"}' if self.answered == 3 else b'{"access_token": "t"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.answered == 4

    def log_message(self, *_):
        pass


@pytest.fixture
def token_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_the_generator_tells_tokens_from_other_answers_and_survives_being_hung_up_on(token_server):
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
    load = drive(token_server, [request], connections=3, seconds=0.5)
    assert load.answered == len(load.latencies) > 0
    assert load.not_tokens > 0
    assert load.reconnected > 0
    assert b"error" in load.an_odd_answer
    assert load.bodies[0] == b'{"access_token": "t"}'
    assert 0 < load.latency(0.5) <= load.latency(0.99) <= load.latency(1.0)


def test_percentiles_are_values_that_occurred():
    hundred = list(range(1, 101))
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7.0


# --- what is left behind --------------------------------------------------------------------------------------------


def test_what_was_started_has_ended_with_its_block(tmp_path):
    with started(["sleep", "60"], environment=clean_environment(), log=tmp_path / "log", folder=tmp_path) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="who dies tells its children by the kernel, on Linux only")
def test_what_was_started_ends_with_a_bench_that_is_killed(tmp_path):
    program = """
import sys, time
from pathlib import Path
from scripts.bench_parts.processes import clean_environment, started
folder = Path(sys.argv[1])
with started(["sleep", "60"], environment=clean_environment(), log=folder / "log", folder=folder) as process:
    print(process.pid, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        child = int(bench.stdout.readline())
        assert child in family([bench.pid])
        assert (resident_mebibytes(child) or 0) > 0
        bench.kill()
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return False


def test_the_scratch_of_a_killed_run_is_removed_by_the_next_and_that_of_a_living_one_is_not(tmp_path):
    with subprocess.Popen(["true"]) as gone:
        pass
    killed, living = tmp_path / f"run-{gone.pid}-a", tmp_path / f"run-{os.getppid()}-b"
    killed.mkdir()
    living.mkdir()
    with scratch(tmp_path, "run") as folder:
        assert set(tmp_path.iterdir()) == {folder, living}
    assert set(tmp_path.iterdir()) == {living}


def test_a_setting_of_ours_does_not_reach_what_is_measured(monkeypatch):
    monkeypatch.setenv("TOKENSERVER_DATABASE_URL", "sqlite:///mine.db")
    environment = clean_environment(TOKENSERVER_HOME="there")
    assert {name for name in environment if name.startswith("TOKENSERVER_")} == {"TOKENSERVER_HOME"}
    assert environment["PATH"] == os.environ["PATH"]
