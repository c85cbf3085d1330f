"""Does whoever finds a secret end it by a command, without a credential, and without it being shown anywhere?"""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from tests.support.terminals import in_a_terminal
from tests.support.world import AUDIENCE

GOOD = ("--role", "reader", "--grant", f"{AUDIENCE}=all_read")


@pytest.fixture
def finder(stranger, world):
    """Somebody who knows the server, and has no credential there."""
    stranger.environment["TOKENSERVER_URL"] = world.issuer
    return stranger


def test_a_secret_that_was_found_ends_with_its_tokens_and_is_in_the_audit_log(finder, terminal, world, request):
    made = terminal.json("credential", "create", "--name", request.node.name[:100], *GOOD)
    typed = ("leaked", "--found-at", "https://paste.example.com/1", "--source", "gitleaks", "--yes")
    done = finder.run(*typed, stdin=f"\n {made['client_secret']}\n")
    assert done.returncode == 0
    assert made["client_secret"] not in done.stdout + done.stderr
    assert world.ask(made["client_id"], made["client_secret"]).status_code == 401
    (line,) = terminal.json("audit", "list", "--action", "secret:leaked", "--credential", made["client_id"])["items"]
    assert (line["detail"]["url"], line["detail"]["source"]) == ("https://paste.example.com/1", "gitleaks")
    assert finder.run("leaked", "--yes", stdin="tss_" + "x" * 46).stdout == done.stdout, (
        "nobody learns whether it was one"
    )


def test_nothing_is_sent_before_it_was_confirmed(at_the_stub, stub):
    assert "--yes" in at_the_stub.refused(2, "leaked", stdin="tss_found")
    assert stub.asked == []


def test_a_person_types_the_secret_unseen_and_confirms(at_the_stub, stub):
    stub.answer("POST", "/oauth/leaked", {"message": "Thank you."})
    keys = [("not shown", "tss_found\n"), ("to go on", "leaked\n")]
    code, shown = in_a_terminal(["leaked"], at_the_stub.of_a_process(), columns=120, keys=keys)
    assert (code, "Thank you." in shown, "tss_found" in shown) == (0, True, False)
    ((method, path, headers, body),) = stub.asked
    assert (method, path, parse_qs(body.decode())) == ("POST", "/oauth/leaked", {"secret": ["tss_found"]})
    assert "Authorization" not in headers


def test_what_is_missing_is_told(stranger, at_the_stub, stub):
    assert "TOKENSERVER_URL" in stranger.refused(2, "leaked", "--yes", stdin="tss_found")
    assert "pipe it in" in at_the_stub.refused(2, "leaked", "--yes", stdin=" \n")
    assert "--organization" in at_the_stub.refused(2, "leaked", "--yes", "--organization", "org_1", stdin="x")
    assert stub.asked == []


def test_what_the_server_refuses_is_told_without_the_secret(at_the_stub, stub):
    stub.answer("POST", "/oauth/leaked", {"title": "Too many at a time.", "code": "temporarily_unavailable"}, 503)
    assert "tss_found" not in at_the_stub.refused(6, "leaked", "--yes", stdin="tss_found")
