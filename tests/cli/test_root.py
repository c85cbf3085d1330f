"""Does the command start at once, know its commands, and end with the code that is documented, whatever happens?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import click
import pytest

from tests.support.world import ROOT
from tokenserver.cli import root
from tokenserver.cli.root import cli

HEAVY = {"rich", "yaml", "ssl", "cryptography", "jwt", "urllib.request", "app", "flask"}


@pytest.mark.parametrize("typed", ["--help", "--version", "credential --help", "api create --help", "completion bash"])
def test_what_needs_no_server_loads_nothing_that_is_slow(typed):
    """Time is not measured here: what takes it is what is loaded."""
    program = (
        "import sys, json\nfrom tokenserver.cli.root import cli\n"
        f"try: cli.main({typed.split()!r})\nexcept SystemExit as end: print(end.code, file=sys.stderr)\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    code, loaded = run.stderr.strip().splitlines()
    assert code == "0"
    assert HEAVY.isdisjoint(json.loads(loaded))


def test_the_command_never_loads_the_server(terminal):
    program = (
        "import sys\nfrom tokenserver.cli.root import cli\n"
        "try: cli.main(['credential', 'list'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('app', 'flask', 'sqlalchemy', 'pydantic')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=terminal.of_a_process(),
        cwd=terminal.home,
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.splitlines()[-1] == "[]"
    assert "tsc_" in run.stdout


def test_without_its_libraries_it_says_what_to_install():
    program = (
        "import sys\nsys.modules['click'] = None\nsys.argv = ['tokenserver']\n"
        "from tokenserver.cli.__main__ import main\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "")
    assert "pip install 'tokenserver[cli]'" in run.stderr
    assert "Traceback" not in run.stderr


def test_every_command_of_the_list_is_there_with_its_help():
    for name in root._COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.name == name
        assert command.help
        for sub in getattr(command, "commands", {}).values():
            assert sub.help, f"{name} {sub.name}"


@pytest.mark.parametrize("typed", ["nope", "credential nope", "credential list --nope", "role list --output xml"])
def test_what_is_not_known_is_a_matter_of_usage(stranger, typed):
    assert "No such" in (told := stranger.refused(2, *typed.split())) or "not one of" in told


def test_options_that_all_commands_share_may_stand_before_or_after(terminal):
    before = terminal.ok("--output", "json", "role", "list")
    after = terminal.ok("role", "list", "--output", "json")
    assert before == after
    assert json.loads(before)["items"]
    assert terminal.ok("--output", "json", "role", "list", "--output", "table").startswith("ID")


def test_what_nobody_foresaw_is_told_without_its_text(stranger, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("tss_secret")

    monkeypatch.setattr("tokenserver.cli.session.connection", fails)
    done = stranger.run("role", "list")
    assert done.returncode == 1
    assert "Unexpected: RuntimeError at test_root.py:" in done.stderr
    assert "tss_secret" not in done.stderr


def test_a_reader_that_goes_away_is_no_reason_for_noise(at_the_stub, stub):
    stub.answer("GET", "/v1/roles", {"items": [{"id": "role_1", "name": "x" * 200_000}], "next": None})
    with subprocess.Popen(
        [sys.executable, "-m", "tokenserver.cli", "role", "list", "--output", "json", "--all"],
        env=at_the_stub.of_a_process(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_interrupt_ends_it_with_130(at_the_stub, stub):
    """Ctrl-C while the server takes its time."""
    asked, answer = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait(60)

    stub.before_answering = hold
    with subprocess.Popen(
        [sys.executable, "-m", "tokenserver.cli", "role", "list"],
        env=at_the_stub.of_a_process(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            answer.set()
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read().strip() == b"Interrupted."


NO_TEXT = {
    "a declaration": ("apply -f -", b"version: \xff"),
    "a token": ("token inspect -", b"\xff.\xff.\xff"),
    "a secret": ("login --url https://auth.example.com --client-id x --secret-file -", b"tss_\xff"),
    "a body": ("role create --json -", b'{"name": "\xff"}'),
}


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize(("typed", "piped"), NO_TEXT.values(), ids=NO_TEXT.keys())
def test_what_is_piped_in_and_is_no_text_is_refused(stranger, locale, typed, piped):
    stranger.environment["LC_ALL"] = locale
    command = [sys.executable, "-m", "tokenserver.cli", *typed.split()]
    run = subprocess.run(
        command, env=stranger.of_a_process(), cwd=stranger.home, input=piped, check=False, capture_output=True
    )
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"UTF-8" in run.stderr
