"""No spelling of a target, a method or a header slips past a policy: byte for byte, through real servers, to a router
that takes a path for whatever any program could."""

from __future__ import annotations

import os
import re
import socket

import pytest

from tests.support.app_servers import SERVERS, serving
from tests.support.world import ROOT, Process, eventually, free_port

API = "tests.support.careless"
FAST = {"granian --interface wsgi", "granian --interface asginl", "uvicorn"}
CASES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SERVERS]

TARGETS = [
    *(
        "/admin",
        "/admin/",
        "/admin/x",
        "/admin?x",
        "/admin/?x=/y",
        "//admin",
        "///admin",
        "/admin//x",
        "/./admin",
        "/.//admin",
    ),
    *("/x/../admin", "/x/%2e%2e/admin", "/x/%2E%2E/admin", "/x/.%2e/admin", "/x/..%2fadmin", "/x%2f..%2fadmin"),
    *(
        "/%61dmin",
        "/%61%64%6d%69%6e",
        "/%2561dmin",
        "/%252561dmin",
        "/%25252561dmin",
        "/admi%6E",
        "/admin%2fx",
        "/admin%2Fx",
    ),
    *("/ADMIN", "/Admin/x", "/aDmIn", "/%41dmin", "/admin;x", "/admin;x=/y", "/;/admin", "/;x=y/admin", "/x;/../admin"),
    *("/admin%20", "/%20admin", "/admin%09", "/admin%00", "/admin%00/x", "/%00/../admin", "/admin.", "/admin%2e"),
    *(
        "/\\admin",
        "/x\\..\\admin",
        "/%5cadmin",
        "/x%5c..%5cadmin",
        "/%EF%BD%81dmin",
        "/%EF%BC%8Fadmin",
        "/admin%EF%BC%8Fx",
    ),
    *(
        "http://api/admin",
        "http://api//admin",
        "HTTP://API/admin",
        "http://other/admin",
        "https://api/admin",
        "//api/admin",
    ),
    *(
        "admin",
        "*",
        "/admin#x",
        "/admin%23",
        "/admin%3f",
        "/%3f/../admin",
        "/../admin",
        "/../../admin",
        "/x/../../admin",
    ),
    *("/admin/%ff", "/%c0%ae%c0%ae/admin", "/%c0%afadmin", "/admin%c3", "/" + "x/../" * 40 + "admin"),
]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND", "get", "Post", "delete"]
HEADERS = [
    "X-HTTP-Method-Override: GET",
    "X-Original-URL: /page",
    "X-Rewrite-URL: /page",
    "X-Forwarded-Prefix: /admin",
    "SCRIPT_NAME: /admin",
    "Path-Info: /page",
    "X-Script-Name: /admin",
    "Transfer-Encoding:\t",
]


@pytest.fixture(scope="module", params=[*CASES, "forked processes"])
def port(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("careless")
    if request.param in SERVERS:
        with serving(SERVERS[request.param], API, folder) as base:
            yield int(base.rpartition(":")[2])
        return
    port = free_port()
    command = ["-m", "tests.support.preforked", f"{API}:wsgi_app", str(port)]
    process = Process(command, {**os.environ, "PYTHONPATH": str(ROOT)}, folder / "log")

    def serves() -> bool:
        assert process.alive(), process.log.read_text()
        try:
            return say(port, "GET", "/token")[0] == 200
        except OSError:
            return False

    try:
        eventually(serves, "the API serves")
        yield port
    finally:
        process.stop()


def say(port: int, method: str, target: str, *headers: str) -> tuple[int, bytes]:
    """Exactly these bytes; the status, 0 where the connection was closed without one, and all of the answer."""
    head = [f"{method} {target} HTTP/1.1", "Host: api", "Connection: close", *headers]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    status = re.match(rb"HTTP/1.[01] (\d{3})", answer)
    return int(status[1]) if status else 0, answer


@pytest.fixture
def token(port):
    def fresh() -> str:
        found = re.search(rb"x-page: ([^\r]+)", say(port, "GET", "/token")[1], re.IGNORECASE)
        assert found is not None
        return found[1].decode()

    return fresh


def test_no_spelling_slips_past(port, token):
    bearer = f"Authorization: Bearer {token()}"
    assert eventually(lambda: say(port, "GET", "/page", bearer)[0] == 200, "a page for any caller")
    slipped = []
    for target in TARGETS:
        for method in METHODS:
            _, said = say(port, method, target, bearer)
            if b"the admin page" in said:
                slipped.append((method, target))
    assert not slipped


def test_no_header_changes_what_a_target_means(port, token):
    bearer = f"Authorization: Bearer {token()}"
    for header in HEADERS:
        for method in ("GET", "POST"):
            status, said = say(port, method, "/admin", bearer, header)
            assert b"the admin page" not in said, header
            assert status != 200, header


def test_two_tokens_or_none_pass_nowhere(port, token):
    bearer = f"Bearer {token()}"
    for headers in (
        [],
        [f"Authorization: {bearer}", f"Authorization: {bearer}"],
        [f"authorization: {bearer}", f"AUTHORIZATION: {bearer}"],
        [f"Authorization: {bearer}, {bearer}"],
        [f"Authorization:  {bearer} x"],
        [f"X-Authorization: {bearer}"],
        [f"Proxy-Authorization: {bearer}"],
        [f"Cookie: access_token={bearer[7:]}"],
    ):
        status, said = say(port, "GET", "/page", *headers)
        assert status in {400, 401}, headers
        assert b"a page" not in said
    assert say(port, "GET", f"/page?access_token={bearer[7:]}")[0] == 401
