"""Does `login` keep what it is told, prove it first, and never take a secret as an argument?"""

from __future__ import annotations

import stat

import pytest

from tests.support.terminals import in_a_terminal
from tokenserver.cli.commands.login import login


@pytest.fixture
def typed(administrator):
    return ("--url", administrator["TOKENSERVER_URL"], "--client-id", administrator["TOKENSERVER_CLIENT_ID"])


def secret_of(administrator):
    return administrator["TOKENSERVER_CLIENT_SECRET"]


def test_after_a_login_commands_need_nothing_more(stranger, administrator, typed):
    stranger.ok("login", *typed, "--secret-file", "-", stdin=secret_of(administrator) + "\n")
    assert "reader" in stranger.ok("role", "list", "--all")
    own = stranger.home / "config" / "tokenserver" / "default.secret"
    assert own.read_text().strip() == secret_of(administrator)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    stranger.ok("logout")
    assert not own.exists()
    assert "tokenserver login" in stranger.refused(2, "role", "list")
    assert "no profile" in stranger.refused(4, "logout")


def test_a_secret_in_a_file_stays_where_it_is(stranger, administrator, typed):
    (stranger.home / "mine").write_text(secret_of(administrator))
    shown = stranger.json("login", "second", *typed, "--secret-file", "mine")
    assert shown["secret_file"] == str(stranger.home / "mine")
    assert sorted(p.name for p in (stranger.home / "config" / "tokenserver").iterdir()) == ["profiles.json"]
    assert "reader" in stranger.ok("role", "list", "--all", "--profile", "second")
    stranger.ok("logout", "second")
    assert (stranger.home / "mine").exists()


def test_what_is_not_said_is_taken_from_the_environment(terminal, stranger):
    terminal.ok("login")
    assert "reader" in stranger.ok("role", "list", "--all")


def test_a_person_is_asked_and_the_secret_is_not_shown(stranger, administrator):
    keys = [
        ("URL of the server", administrator["TOKENSERVER_URL"] + "\n"),
        ("Client ID", administrator["TOKENSERVER_CLIENT_ID"] + "\n"),
        ("not shown", secret_of(administrator) + "\n"),
    ]
    code, shown = in_a_terminal(["login"], stranger.of_a_process(), columns=200, keys=keys)
    assert code == 0, shown
    assert secret_of(administrator) not in shown
    assert "reader" in stranger.ok("role", "list", "--all")


def test_what_the_server_does_not_accept_is_not_kept(stranger, typed):
    told = stranger.refused(3, "login", *typed, "--secret-file", "-", stdin="tss_wrong")
    assert "Client authentication failed" in told
    assert "tss_wrong" not in told
    assert not (stranger.home / "config").exists()
    stranger.ok("login", *typed, "--secret-file", "-", "--no-check", stdin="tss_wrong")
    assert "regenerated" in stranger.refused(3, "role", "list")


def test_a_secret_is_never_an_argument():
    names = {option for param in login.params for option in param.opts}
    assert not {name for name in names if "secret" in name} - {"--secret-file", "secret_file"}


REFUSED = {
    "no address": (("--client-id", "x"), "URL of the server is missing"),
    "no client ID": (("--url", "https://auth.example.com"), "Client ID is missing"),
    "no secret": (("--url", "https://auth.example.com", "--client-id", "x"), "The secret is missing"),
    "an empty secret": (("--url", "https://a.example", "--client-id", "x", "--secret-file", "-"), "is empty"),
    "an address that is none": (("--url", "auth", "--client-id", "x"), "like https"),
    "plain http": (("--url", "http://auth.example.com", "--client-id", "x"), "--allow-http"),
    "a name that is no file's": (("../x",), "64 letters"),
    "a secret file that is not there": (
        ("--url", "https://a.example", "--client-id", "x", "--secret-file", "nowhere"),
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("typed", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_missing_or_wrong_is_told(stranger, typed, told):
    assert told in stranger.refused(2, "login", *typed)
