"""`python -m app …` as real processes: what the shell sees, on either stream, and the exit code."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.shell import in_this_process
from tests.support.world import ROOT, free_port
from tokenserver.tokens.keys import new_signing_key

SERVE_SOMEWHERE = ("serve", "--port", str(free_port()))  # whoever runs the tests may serve at the usual port


@dataclass
class Shell:
    """A shell in a folder of its own, as after a fresh clone."""

    home: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}
        return subprocess.run(
            [sys.executable, "-m", "app", *command],
            cwd=self.home,
            env={**kept, "PYTHONPATH": str(ROOT), **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def ok(self, *command: str, **environment: str) -> str:
        done = self.run(*command, **environment)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def refused(self, code: int, *command: str, **environment: str) -> str:
        """What is told on standard error; nothing else may be said, and never a traceback."""
        done = self.run(*command, **environment)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert "Traceback" not in done.stderr
        return done.stderr


class Within(Shell):
    """The same commands in this process: for tables of cases, since starting one takes a second."""

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with contextlib.chdir(self.home):
            return in_this_process(command, environment)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation that several tests share; none of them relies on another."""
    shell = Shell(tmp_path_factory.mktemp("shell"))
    Within(shell.home).ok("bootstrap", "--json")
    return shell


@pytest.fixture
def fresh(tmp_path):
    """A folder where nothing has happened yet."""
    return Shell(tmp_path)


@pytest.fixture
def within(tmp_path):
    """The same, without processes."""
    return Within(tmp_path)


# --- installing ---


def test_bootstrap_prints_one_json_object_and_a_second_call_makes_nothing_new(fresh, within):
    first = json.loads(fresh.ok("bootstrap", "--json", "--email", "me@example.com"))
    assert set(first) == {"organization_id", "operator_email", "setup_url", "client_id", "client_secret"}
    assert first["operator_email"] == "me@example.com"
    assert first["client_secret"].startswith("tss_")
    assert first["setup_url"].startswith("http://127.0.0.1:8000/console/")
    assert stat.S_IMODE((fresh.home / "var" / "tokenserver.db").stat().st_mode) == 0o600
    second = json.loads(within.ok("bootstrap", "--json"))
    assert second == {**first, "client_secret": None, "setup_url": None}
    third = json.loads(within.ok("bootstrap", "--json", "--again"))
    assert third["client_secret"] not in {None, first["client_secret"]}
    assert third["client_id"] != first["client_id"]


def test_for_people_it_prints_lines_and_says_how_to_get_another(shell):
    told = Within(shell.home).ok("bootstrap")
    assert "client_id: tsc_" in told
    assert "client_secret" not in told
    assert "--again" in told


@pytest.mark.parametrize(
    "command",
    ["keys list", "keys rotate", "keys revoke x", "audit verify", "audit export", "audit checkpoint", "accept-restore"],
)
def test_in_a_folder_without_an_installation_nothing_is_begun(within, command):
    """Somebody is in the wrong folder: an empty log would be whole, and a new key would be nobody's."""
    told = within.refused(2, *command.split())
    assert "There is no installation here" in told
    assert list(within.home.iterdir()) == []


def test_what_it_leaves_is_readable_by_its_owner_only(shell):
    home = shell.home / "var"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("pepper", "kek"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert {path.name for path in home.iterdir()} <= {
        *("tokenserver.db", "tokenserver.db-wal", "tokenserver.db-shm", "pepper", "kek", "high-water")
    }


def test_migrate_says_whether_there_was_anything_to_do(within):
    assert "brought up to date" in within.ok("migrate")
    assert within.ok("migrate") == "The schema is up to date.\n"


@pytest.mark.slow
def test_commands_that_run_at_the_same_time_set_up_one_installation(fresh):
    with ThreadPoolExecutor(3) as shells:
        made = [json.loads(text) for text in shells.map(lambda _: fresh.ok("bootstrap", "--json"), range(3))]
    assert len({one["client_id"] for one in made}) == 1
    assert [one["client_secret"] is None for one in made].count(False) == 1


# --- keys ---


def test_an_operator_who_lost_everything_gets_a_link_from_the_machine(within):
    made = json.loads(within.ok("bootstrap", "--json"))
    email = made["operator_email"]
    link = within.ok("operators", "link", f" {email.upper()}").strip()
    assert link.startswith("http://127.0.0.1:8000/console/set-up/")
    assert link not in {made["setup_url"], within.ok("operators", "link", email, "--without-second-factor").strip()}
    lines = [json.loads(line) for line in within.ok("audit", "export").splitlines()]
    invited = [line for line in lines if line.get("event") == "operator:invited"]
    assert {line["actor"] for line in invited} == {"shell"}
    assert {line["organization"] for line in invited} == {made["organization_id"]}
    assert "no operator" in within.refused(1, "operators", "link", "nobody@example.com")


def test_keys_are_listed_rotated_and_revoked(fresh, within):
    within.ok("bootstrap", "--json")
    (first,) = within.ok("keys", "list").splitlines()
    second = within.ok("keys", "rotate").strip()
    listed = within.ok("keys", "list").splitlines()
    assert [line.split()[0] for line in listed] == [first.split()[0], second]
    assert fresh.ok("keys", "revoke", second) == ""
    assert " revoked 2" in within.ok("keys", "list").splitlines()[1]
    assert "no signing key" in within.refused(1, "keys", "revoke", second)
    assert "no signing key" in within.refused(1, "keys", "revoke", "nothing")


def pem(key, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_a_key_of_ones_own_is_imported_once(shell, tmp_path):
    within = Within(shell.home)
    own = new_signing_key("RS256")
    (tmp_path / "own.pem").write_bytes(pem(own.private))
    command = ("keys", "import", "--pem", str(tmp_path / "own.pem"))
    assert within.ok(*command).strip() == own.kid
    assert f"{own.kid} RS256" in within.ok("keys", "list")
    assert "already" in within.refused(1, *command)


UNFIT = {
    "an encrypted key": pem(ec.generate_private_key(ec.SECP256R1()), b"password"),
    "a key of another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "a short key": pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505  refused, that is
    "a public key": ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    "nothing": b"",
    "garbage": bytes(range(256)),
}


def test_a_key_that_cannot_be_used_is_refused_and_why(shell, tmp_path):
    within = Within(shell.home)
    before = within.ok("keys", "list")
    for name, content in UNFIT.items():
        (tmp_path / "unfit.pem").write_bytes(content)
        told = within.refused(1, "keys", "import", "--pem", str(tmp_path / "unfit.pem"))
        assert told.startswith("The key cannot be used: "), name
    assert within.ok("keys", "list") == before
    assert "does not exist" in within.refused(2, "keys", "import", "--pem", str(tmp_path / "missing.pem"))


# --- audit ---


@pytest.fixture(scope="module")
def exported(shell):
    return Within(shell.home).ok("audit", "export").splitlines()


def test_the_log_verifies_in_the_database_and_as_a_file_without_it(shell, exported, tmp_path):
    assert Within(shell.home).ok("audit", "verify") == "The audit log is whole.\n"
    (tmp_path / "audit.jsonl").write_text("\n".join(exported) + "\n")
    elsewhere = Shell(tmp_path)
    assert elsewhere.ok("audit", "verify", "audit.jsonl") == "The audit log is whole.\n"
    assert not (tmp_path / "var").exists(), "no database, no keys"


def test_a_file_that_was_edited_exits_with_1_and_names_the_first_bad_line(exported, within, tmp_path):
    assert len(exported) >= 4
    bad_files = {
        2: [*exported[:1], exported[1].replace('"shell"', '"nobody"'), *exported[2:]],
        3: exported[:2] + exported[3:],
        1: exported[1:],
        len(exported) + 1: [*exported, "{}"],
    }
    for place, lines in bad_files.items():
        (tmp_path / "audit.jsonl").write_text("\n".join(lines) + "\n")
        assert within.refused(1, "audit", "verify", "audit.jsonl").startswith(f"line {place}: ")


FORGED = {
    "not text": b"\xff\xfe\x00",
    "an empty line": b"\n",
    "deep JSON": b"[" * 100_000,
    "a chain that is a list": b'{"chain":[],"seq":1,"prev":"%s"' % (b"0" * 64),
    "a number for a line": b"7",
    "nested beyond reason": b'{"chain":' + b"[" * 50_000,
}


def test_whatever_a_file_holds_it_is_a_bad_line_and_no_traceback(within, tmp_path):
    for name, start in FORGED.items():
        content = start
        if start.startswith(b"{"):  # with a hash that is right
            content = start + b',"hash":"' + hashlib.sha256(start + b"}").hexdigest().encode() + b'"}'
        (tmp_path / "audit.jsonl").write_bytes(content)
        assert within.refused(1, "audit", "verify", "audit.jsonl").startswith("line 1: "), name


def test_a_row_that_was_edited_in_the_database_exits_with_1(fresh, within):
    within.ok("bootstrap", "--json")
    with sqlite3.connect(fresh.home / "var" / "tokenserver.db") as database:
        database.execute("UPDATE audit_event SET line = replace(line, 'shell', 'nobody') WHERE seq = 2")
    assert fresh.refused(1, "audit", "verify") == "line 2: the text does not match its hash: it was edited\n"


def test_a_checkpoint_is_printed_kept_listed_and_exported(within):
    within.ok("bootstrap", "--json")
    made = within.ok("audit", "checkpoint")
    assert made.count(".") == 2
    assert within.ok("audit", "checkpoint") == made, "nothing has moved"
    within.ok("keys", "rotate")
    second = within.ok("audit", "checkpoint")
    assert within.ok("audit", "checkpoints") == made + second
    assert [line for line in within.ok("audit", "export").splitlines() if line.startswith('{"checkpoint"')] == [
        f'{{"checkpoint":"{made.strip()}"}}',
        f'{{"checkpoint":"{second.strip()}"}}',
    ]
    assert within.ok("audit", "verify") == "The audit log is whole.\n"


def test_an_export_is_verified_elsewhere_with_the_keys_that_signed_it(within, tmp_path_factory):
    within.ok("bootstrap", "--json")
    kept = within.ok("audit", "checkpoint")
    within.ok("keys", "rotate")
    elsewhere = Within(tmp_path_factory.mktemp("elsewhere"))
    (elsewhere.home / "audit.jsonl").write_text(within.ok("audit", "export"))
    (elsewhere.home / "jwks.json").write_text(within.ok("audit", "jwks"))
    (elsewhere.home / "kept").write_text(kept)
    assert "--jwks" in elsewhere.ok("audit", "verify", "audit.jsonl")
    asked = ("audit", "verify", "audit.jsonl", "--jwks", "jwks.json", "--kept", "kept")
    assert elsewhere.ok(*asked) == "The audit log is whole.\n"
    stranger = {"keys": [dict(new_signing_key("ES256").verifying.jwk)]}
    (elsewhere.home / "jwks.json").write_text(json.dumps(stranger))
    assert "not in the key set" in elsewhere.refused(1, *asked)
    (elsewhere.home / "jwks.json").write_text("nothing")
    assert "--jwks holds no key set" in elsewhere.refused(1, *asked)


def test_a_checkpoint_that_was_put_aside_finds_a_database_that_was_put_back(within):
    within.ok("bootstrap", "--json")
    before = (within.home / "var" / "tokenserver.db").read_bytes()
    within.ok("keys", "rotate")
    (within.home / "kept").write_text(within.ok("audit", "checkpoint"))
    assert "whole" in within.ok("audit", "verify", "--kept", "kept")
    for name in ("tokenserver.db-wal", "tokenserver.db-shm"):
        (within.home / "var" / name).unlink(missing_ok=True)
    (within.home / "var" / "tokenserver.db").write_bytes(before)
    assert "cut off or rewritten" in within.refused(1, "audit", "verify", "--kept", "kept")


# --- settings ---


def test_config_check_shows_the_settings_and_hides_the_secrets(within):
    told = within.ok("config", "check", TOKENSERVER_PORT="81", TOKENSERVER_KEK="a" * 43)
    assert "TOKENSERVER_PORT=81\n" in told
    assert "TOKENSERVER_ISSUER=http://127.0.0.1:81\n" in told
    assert "TOKENSERVER_KEK=(set)\n" in told
    assert "TOKENSERVER_PEPPER=(not set)\n" in told
    assert "a" * 43 not in told
    assert list(within.home.iterdir()) == [], "nothing was made"


def test_config_check_names_every_fault_and_exits_with_2(within):
    told = within.refused(2, "config", "check", TOKENSERVER_PORT="0", TOKENSERVER_KEK="secret", TOKENSERVER_WORKERS="x")
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        "TOKENSERVER_KEK",
        "TOKENSERVER_PORT",
        "TOKENSERVER_WORKERS",
    ]
    assert "secret" not in told


def test_a_misspelt_variable_is_named_and_does_no_harm(within):
    done = within.run("config", "check", TOKENSERVER_ISUER="https://auth.example.com")
    assert done.returncode == 0
    assert "TOKENSERVER_ISUER" in done.stderr
    assert "auth.example.com" not in done.stderr


def test_a_misspelt_line_of_the_env_file_is_named_as_well(within):
    (within.home / ".env").write_text("TOKENSERVER_ISUER=https://auth.example.com\n")
    assert "TOKENSERVER_ISUER is not a setting" in within.run("config", "check").stderr


def test_the_env_file_of_the_working_directory_is_read(within):
    (within.home / ".env").write_text("TOKENSERVER_PORT=82\n")
    assert "TOKENSERVER_PORT=82\n" in within.ok("config", "check")


# --- what goes wrong ---


def test_another_pepper_is_refused_with_what_to_do(shell):
    told = shell.refused(2, *SERVE_SOMEWHERE, TOKENSERVER_PEPPER="b" * 43)
    assert "TOKENSERVER_PEPPER_PREVIOUS" in told


def test_another_kek_is_refused_before_anything_is_served(shell):
    assert "TOKENSERVER_KEK" in shell.refused(1, *SERVE_SOMEWHERE, TOKENSERVER_KEK="b" * 43)


def test_a_key_file_that_others_can_read_is_refused(within):
    within.ok("bootstrap", "--json")
    (within.home / "var" / "kek").chmod(0o644)
    assert "chmod 600" in within.refused(2, "keys", "list")


def test_before_it_serves_it_names_what_is_misspelt_and_an_issuer_that_leads_others_astray(within):
    faulty = {"TOKENSERVER_HOME": "/dev/null/x", "TOKENSERVER_PORT": str(free_port())}
    told = within.refused(1, "serve", "--host", "0.0.0.0", **faulty, TOKENSERVER_TRUSTED_PROXY="10.0.0.1")  # noqa: S104
    assert "TOKENSERVER_TRUSTED_PROXY is not a setting" in told
    assert "set TOKENSERVER_ISSUER" in told
    told = within.refused(1, "serve", "--host", "0.0.0.0", **faulty, TOKENSERVER_ISSUER="https://auth.example.com")  # noqa: S104
    assert "set TOKENSERVER_ISSUER" not in told
    assert "set TOKENSERVER_ISSUER" not in within.refused(1, "serve", "--host", "::1", **faulty)


def test_a_home_that_cannot_be_made_is_named_with_its_setting(within):
    told = within.refused(1, "bootstrap", TOKENSERVER_HOME="/dev/null/x")
    assert "/dev/null/x" in told
    assert "TOKENSERVER_HOME" in told


DATABASES = {
    "a server that is not there": ("postgresql://me:s3cr3t@127.0.0.1:1/x", 1),
    "a port that is no number": ("postgresql://me:s3cr3t@127.0.0.1:port/x", 2),
    "a file that cannot be": ("sqlite:////dev/null/x.db", 1),
}


@pytest.mark.parametrize(("url", "code"), DATABASES.values(), ids=DATABASES.keys())
def test_a_database_that_cannot_be_reached_is_told_in_one_line_without_its_password(within, url, code):
    told = within.refused(code, "migrate", TOKENSERVER_DATABASE_URL=url)
    assert len(told.splitlines()) <= 3, told
    assert "s3cr3t" not in told


def test_a_newer_database_is_refused(fresh, within):
    within.ok("migrate")
    with sqlite3.connect(fresh.home / "var" / "tokenserver.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer than this program" in within.refused(2, "migrate")
    assert "newer than this program" in fresh.refused(2, *SERVE_SOMEWHERE)


@pytest.mark.parametrize("command", [["nothing"], ["keys"], ["serve", "--port", "x"], ["keys", "revoke"]])
def test_what_is_no_command_is_told_so(within, command):
    done = within.run(*command)
    assert done.returncode == 2
    assert "Usage" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_help_is_there_for_everything(within):
    told = within.ok("--help")
    for command in ("serve", "migrate", "bootstrap", "operators", "keys", "audit", "config"):
        assert command in told


# --- the work of the clock ---


def test_without_a_server_nobody_does_the_work_of_the_clock(within):
    within.ok("bootstrap", "--json")
    told = within.ok("jobs", "list")
    assert "No process does them." in told
    assert "uses" in told.split(), "lists by last use keep up by it"


def test_the_work_of_the_clock_needs_an_installation(within):
    assert "no installation here" in within.refused(2, "jobs", "run")
