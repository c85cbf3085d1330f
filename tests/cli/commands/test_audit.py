"""Is the audit log listed by what is asked for, and exported byte by byte?"""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.terminals import in_a_terminal

EVENT = {
    "at": "2026-11-21T09:30:00Z",
    "action": "secret:regenerated",
    "outcome": "success",
    "credential": "tsc_1",
    "actor": "credential:tsc_2",
    "address": "192.0.2.1",
    "request_id": "req1",
}
LINES = '{"at":1,"name":"Ü"}\n{"at":2}\n'.encode()
FILTERED = "--credential tsc_1 --actor shell --action secret:regenerated --outcome success --address 192.0.2.1"
WITHIN = "--since 2026-11-01 --until 2026-12-01 --limit 5"


def test_what_is_asked_for_is_asked_of_the_server(at_the_stub, stub):
    stub.answer("GET", "/v1/audit-events", {"items": [EVENT], "next": None})
    shown = at_the_stub.ok("audit", "list", *FILTERED.split(), *WITHIN.split())
    assert "secret:regenerated" in shown
    (query,) = stub.queries("/v1/audit-events")
    assert set(query.split("&")) == {
        *("credential=tsc_1", "actor=shell", "action=secret%3Aregenerated", "outcome=success", "address=192.0.2.1"),
        *("since=2026-11-01T00%3A00%3A00Z", "until=2026-12-01T00%3A00%3A00Z", "limit=5"),
    }


def test_an_export_is_what_the_server_sent_to_the_byte(at_the_stub, stub):
    stub.answer("GET", "/v1/audit-events/export", LINES)
    with (at_the_stub.home / "log").open("wb") as log:
        done = at_the_stub.process("audit", "export", "--since", "2026-11-01", stdout=log, stderr=-1)
    assert (done.returncode, done.stderr) == (0, "")
    assert (at_the_stub.home / "log").read_bytes() == LINES
    assert stub.queries("/v1/audit-events/export") == ["since=2026-11-01T00%3A00%3A00Z&format=jsonl"]


def test_an_export_does_not_steer_a_terminal(at_the_stub, stub):
    stub.answer("GET", "/v1/audit-events/export", b"a,\x1b]0;owned\x07b\nc,d\n")
    code, shown = in_a_terminal(["audit", "export", "--format", "csv"], at_the_stub.of_a_process())
    assert code == 0
    assert "\x1b]" not in shown
    assert "c,d" in shown


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n40\r\n"], ids=["length", "chunks"]
)
def test_an_export_that_was_cut_off_is_not_taken_for_a_whole_one(at_the_stub, head):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            token = b'{"access_token": "a.b.c"}'
            for answer in (b"Content-Length: %d\r\n\r\n%b" % (len(token), token), head + LINES):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + answer)

        threading.Thread(target=serve, daemon=True).start()
        at_the_stub.environment["TOKENSERVER_URL"] = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = at_the_stub.process("audit", "export")
    assert done.returncode == 6
    assert len(done.stderr.splitlines()) == 1


def test_a_refusal_is_no_export(at_the_stub, stub):
    stub.answer(
        "GET", "/v1/audit-events/export", {"title": "The token lacks a scope.", "code": "insufficient_scope"}, 403
    )
    assert "lacks a scope" in at_the_stub.refused(3, "audit", "export")
    assert "Invalid value" in at_the_stub.refused(2, "audit", "list", "--since", "soon")
    assert "'success', 'refused'" in at_the_stub.refused(2, "audit", "list", "--outcome", "done")


def test_the_help_of_an_export_says_what_checks_the_whole_log(terminal, world, tmp_path):
    other = terminal.json("organization", "create", "--name", "Another")["id"]
    terminal.ok("role", "create", "--name", "elsewhere", "--organization", other)
    terminal.ok("role", "create", "--name", "here_again")
    exported = tmp_path / "of-the-organization.jsonl"
    exported.write_text(terminal.ok("audit", "export"))
    assert world.shell("audit", "verify", str(exported), check=False).returncode == 1  # the other's line is not there
    (tmp_path / "whole.jsonl").write_text(world.shell("audit", "export").stdout)
    (tmp_path / "keys.json").write_text(world.shell("audit", "jwks").stdout)
    keys = ("--jwks", str(tmp_path / "keys.json"))
    assert "is whole" in world.shell("audit", "verify", str(tmp_path / "whole.jsonl"), *keys).stdout
    told = " ".join(terminal.ok("audit", "export", "--help").split())
    for command in ("`python -m app audit export > FILE`", "`python -m app audit verify FILE --jwks JWKS`"):
        assert command in told
