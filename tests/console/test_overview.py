"""How things stand, and the first steps: what is there, whose it is, and that it is true."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from app.console.words import REFUSALS
from tests.support.console import signed_in
from tests.support.world import ROOT
from tokenserver.clock import DAY
from tokenserver.domain.credential import Status

REASONED = [
    ROOT / path for path in ("app/services/proving.py", "app/services/failures.py", "tokenserver/domain/grant.py")
]


def catalogue(server):
    scopes = [{"name": "reports:read", "access": "read"}]
    server.call("POST", "/v1/apis", {"audience": "https://api.example.com", "name": "Example", "scopes": scopes})


def credential(server, name="nightly export", **terms):
    grants = [{"audience": "https://api.example.com", "access": "all_read_write"}]
    made = server.call("POST", "/v1/credentials", {"name": name, "grants": grants, **terms})
    assert made.status_code == 201, made.text
    return made.get_json()


def counted(server):
    while server.services.activities.piece(server.clock()):
        pass


def test_until_there_is_a_credential_for_an_app_the_overview_points_to_the_first_steps(server):
    visitor = signed_in(server)
    assert "first steps</a>, from here to a token" in visitor.open("/").text
    server.call("DELETE", f"/v1/credentials/{server.installed.client_id}", if_match=None)
    assert "first steps</a>, from here to a token" in visitor.open("/").text


def test_where_there_is_one_it_points_nowhere(server):
    catalogue(server)
    credential(server)
    assert "first steps</a>, from here to a token" not in signed_in(server).open("/").text


def test_the_first_steps_of_a_member_are_their_own(server):
    catalogue(server)
    made = credential(server, "of somebody else")
    page = signed_in(server, "ada@example.com", "member").open("/start").text
    assert made["client_id"] not in page
    assert "of somebody else" not in page
    assert made["client_id"] in signed_in(server).open("/start").text


def test_what_is_counted_is_shown_with_the_numbers_behind_it(server):
    catalogue(server)
    made = credential(server)
    for _ in range(3):
        server.token(made["client_id"], made["client_secret"])
    server.ask_for_token(made["client_id"], "tss_wrong")
    counted(server)
    page = signed_in(server).open("/")
    assert "Issued: 4" in page.text  # with the administrator's own
    assert "Refused: 1" in page.text
    assert "<td>What was sent has not the form of a client ID and a secret</td>" in page.text
    assert '<svg class="chart"' in page.text
    assert re.search(r'<td class="number">4</td><td class="number">1</td>', page.text)
    assert "style=" not in page.text


def test_credentials_are_counted_by_status_and_the_widest_are_named(server):
    catalogue(server)
    credential(server, "wide", expires_at=None)
    narrow = credential(server, "narrow", allowed_ips="192.0.2.1")
    server.call("POST", f"/v1/credentials/{narrow['client_id']}/disable")
    page = signed_in(server).open("/").text
    assert re.search(r"<strong>1</strong> <span class=\"badge disabled\">", page)
    widest = page.partition("With the widest rights")[2].partition("</article>")[0]
    assert "wide" in widest
    assert "narrow" not in widest
    assert widest.count("never expires") >= 1


def test_what_was_not_used_for_90_days_is_named(server):
    catalogue(server)
    credential(server, "forgotten")
    server.clock.advance(91 * DAY)
    visitor = signed_in(server)
    unused = visitor.open("/").text.partition("Unused for 90 days")[2].partition("</article>")[0]
    assert "forgotten" in unused
    assert "/console/credentials?unused=90" in unused
    assert "forgotten" in visitor.open("/credentials", unused="90").text


@pytest.mark.parametrize("role", ["auditor", "admin", "owner"])
def test_whoever_may_read_sees_the_organization(server, role):
    assert "Tokens, last 24 hours" in signed_in(server, "ada@example.com", role).open("/").text


def test_a_member_sees_only_what_is_theirs(server):
    catalogue(server)
    credential(server, "of the organization", expires_at=None)
    page = signed_in(server, "ada@example.com", "member").open("/").text
    assert "your credentials" in page
    assert "of the organization" not in page
    assert "Tokens, last 24 hours" not in page


def test_the_month_is_a_page_of_its_own(server):
    visitor = signed_in(server)
    assert "last 30 days" in visitor.open("/", over="month").text
    assert "last 24 hours" in visitor.open("/", over="nonsense").text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "🦄" * 100, "שלום"])
def test_a_hostile_name_is_only_a_name(server, name):
    catalogue(server)
    credential(server, name, expires_at=None)
    assert "<script>alert" not in signed_in(server).open("/").text
    assert "<script>alert" not in signed_in(server).open("/start").text


def test_the_route_of_the_first_steps_is_a_program_that_guards(server):
    page = signed_in(server).open("/start").text
    found = re.search(r'<pre id="step-api"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(unescape(found[1]), "first steps", "exec"), names)  # noqa: S102  it is ours
    assert names["app"].test_client().get("/reports").status_code == 401


def test_steps_are_done_when_they_are_done(server):
    visitor = signed_in(server)
    assert visitor.open("/start").text.count(">done<") == 0
    catalogue(server)
    assert visitor.open("/start").text.count(">done<") == 1
    made = credential(server)
    page = visitor.open("/start").text
    assert page.count(">done<") == 2
    assert f"{made['client_id']} &#34;$TOKENSERVER_CLIENT_SECRET&#34;" in page
    assert made["client_secret"] not in page
    server.token(made["client_id"], made["client_secret"])
    assert visitor.open("/start").text.count(">done<") == 3
    server.call("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    assert visitor.open("/start").text.count(">done<") == 4


def test_every_reason_that_code_gives_is_told_in_words():
    given = {found for path in REASONED for found in re.findall(r'\bdetail="([^"]+)"', path.read_text())}
    given |= {status.value for status in Status if status not in {Status.ACTIVE, Status.EXPIRES_SOON}}
    assert given <= set(REFUSALS)
