"""Under every usual server the address of a caller is its own, whatever it writes into a header, and the last report of
usage is told when the server stops; as docs/resource-servers/servers.md says of each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.support.addressed import HELD_TO
from tests.support.app_servers import SERVERS, serving
from tests.support.world import ROOT, eventually

API = "tests.support.addressed"
GUIDE = ROOT / "docs" / "resource-servers" / "servers.md"
STRANGER = "203.0.113.5"
BELIEVING = ["gunicorn -k uvicorn.workers.UvicornWorker", "uvicorn"]
FORGETTING = ["waitress"]
FAST = {"granian --interface wsgi"}
CASES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SERVERS]


@pytest.fixture(scope="module")
def api(request, tmp_path_factory) -> Iterator[str]:
    with serving(SERVERS[request.param], API, tmp_path_factory.mktemp("api")) as base:
        yield base


def get(base: str, path: str, forwarded: str | None = None) -> int:
    """What is said by a process that has heard of the keys."""
    headers = {"Authorization": f"Bearer {requests.get(f'{base}/token', timeout=20).text}"}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded

    def said() -> int | None:
        status = requests.get(base + path, headers=headers, timeout=20).status_code
        return None if status == 503 else status

    return int(eventually(said, "it knows"))


@pytest.mark.parametrize("api", CASES, indirect=True)
def test_what_a_stranger_says_of_its_address_is_not_believed(api):
    said = requests.get(f"{api}/token", headers={"X-Forwarded-For": HELD_TO}, timeout=20)
    assert said.headers["X-Peer"] == "127.0.0.1"
    assert get(api, "/alone", HELD_TO) == 403
    assert get(api, "/behind", f"{HELD_TO}, {STRANGER}") == 403, "it has written before the proxy did"
    assert get(api, "/behind") == 403


@pytest.mark.parametrize("api", CASES, indirect=True)
def test_what_a_trusted_proxy_says_of_an_address_is_believed(api):
    assert get(api, "/behind", HELD_TO) == 200
    assert get(api, "/behind", f"{STRANGER}, {HELD_TO}") == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", BELIEVING)
def test_some_servers_believe_by_themselves_as_the_guide_warns(name, tmp_path):
    """Should they ever stop to, the guide is to be rewritten."""
    with serving(SERVERS[name], API, tmp_path, as_it_comes=True) as base:
        assert get(base, "/alone", HELD_TO) == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", FORGETTING)
def test_some_servers_take_away_what_a_proxy_says_as_the_guide_warns(name, tmp_path):
    with serving(SERVERS[name], API, tmp_path, as_it_comes=True) as base:
        assert get(base, "/behind", HELD_TO) == 403


@pytest.mark.parametrize("name", CASES)
def test_what_was_not_yet_reported_is_told_when_the_server_stops(name, tmp_path):
    told = tmp_path / "told"
    with serving(SERVERS[name], API, tmp_path, REPORTED_TO=str(told)) as base:
        assert get(base, "/alone") == 403
        assert eventually(told.exists, "the first report is told")
        assert [get(base, "/alone") for _ in range(3)] == [403] * 3
        if name.startswith("uWSGI"):  # stopped amid a request, which it logs after the answer, it tells nothing more
            eventually(lambda: "GET /alone" in (tmp_path / "log").read_text().splitlines()[-1], "it is done with it")
    reports = [json.loads(line) for line in told.read_text().splitlines()]
    assert sum(use["count"] for report in reports for use in report["uses"] if use["status"] == 403) == 4
    assert [report["leaving"] for report in reports][-1]
    assert sum(report["leaving"] for report in reports) == 1, "one goodbye"


def test_the_guide_names_every_server_with_what_it_needs():
    rows = [line for line in GUIDE.read_text(encoding="utf-8").split("\n") if line.startswith("|")]
    options = {server.needs for server in SERVERS.values() if server.needs}
    for name, server in SERVERS.items():
        (row,) = [row for row in rows if f"`{name}`" in row.split("|")[1]]
        assert {option for option in options if f"`{option}`" in row.split("|")[3]} == {server.needs} - {""}
