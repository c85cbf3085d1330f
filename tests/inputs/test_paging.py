"""Lists in pages: every item once, whatever happens in between."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inputs.paging import cursor_at, read_page
from tests.support.credentials import QUICK
from tokenserver.errors import InvalidRequest


def pages(api, path, limit):
    """Every page, by following `next`; and `Link`, which must agree."""
    at = f"{path}?limit={limit}"
    while True:
        answer = api.call("GET", at)
        yield answer.json["items"]
        link = answer.headers.get("Link")
        if answer.json["next"] is None:
            assert link is None
            return
        told = re.fullmatch(r'<https://auth\.example\.com(/[!-~]+)>; rel="next"', link)
        assert told is not None
        at = told[1]
        assert f"cursor={answer.json['next']}" in at
        assert f"limit={limit}" in at


def test_every_credential_is_on_exactly_one_page_though_all_were_made_at_once(api):
    made = {api.credential(name=f"number {number}")["client_id"] for number in range(7)}
    api.server.clock.advance(1)
    newest = api.credential(name="newest")["client_id"]
    found = [[item["client_id"] for item in page] for page in pages(api, "/v1/credentials", 3)]
    assert [len(page) for page in found] == [3, 3, 3]
    flat = [client_id for page in found for client_id in page]
    assert flat[0] == newest
    assert set(flat) == made | {newest, api.server.installed.client_id}
    assert len(set(flat)) == len(flat)


def test_apis_and_roles_are_listed_oldest_first(api):
    for number in range(5):
        api.ok("POST", "/v1/roles", {"name": f"role{number}"})
        api.ok("POST", "/v1/apis", {"audience": f"https://{number}.example.com", "name": "x"})
        if number % 2:
            api.server.clock.advance(1)
    roles = [role for page in pages(api, "/v1/roles", 2) for role in page]
    apis = [api for page in pages(api, "/v1/apis", 2) for api in page]
    assert {role["name"] for role in roles} == {f"role{number}" for number in range(5)}
    assert len(roles) == 5
    assert len({api["id"] for api in apis}) == len(apis) == 6
    assert roles == sorted(roles, key=lambda role: role["created_at"])


def test_what_is_deleted_between_two_pages_hides_nothing_else(api):
    api.server.clock.advance(1)  # so that the administrator's own is the last
    for number in range(5):
        api.credential(name=f"number {number}")
    first = api.ok("GET", "/v1/credentials?limit=2")
    for item in first["items"]:
        api.ok("DELETE", f"/v1/credentials/{item['client_id']}")
    rest = api.ok("GET", f"/v1/credentials?limit=200&cursor={first['next']}")
    assert len(rest["items"]) == 4


def test_a_page_has_50_items_when_nothing_is_said(api):
    for number in range(50):
        api.server.call("POST", "/v1/roles", {"name": f"role{number}"})
    assert api.ok("GET", "/v1/roles")["next"] is None
    api.ok("POST", "/v1/roles", {"name": "one_more"})
    listed = api.ok("GET", "/v1/roles")
    assert len(listed["items"]) == 50
    assert listed["next"] is not None


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.0", "", "x", "1e2", "%00", "9" * 5000, "+5", "0x10", "٣"])
def test_a_limit_is_a_number_from_1_to_200(refusing, limit):
    assert "limit" in refusing.problem(400, "GET", f"/v1/roles?limit={limit}")["title"]


def unread(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


TAMPERED = {
    "empty": "",
    "another alphabet": "%C3%A9%C3%A9%C3%A9%C3%A9",
    "not of ours": "AAAA",
    "padded": cursor_at((1, "x")) + "=",
    "bits to spare": cursor_at((1, "ab"))[:-1] + "B",
    "a place without ID": unread('["",5,""]'),
    "a negative moment": unread('["",-5,"x"]'),
    "a moment beyond all bounds": unread('["",' + "9" * 60 + ',"x"]'),
    "an ID with a NUL": unread('["",5,"a\\u0000b"]'),
    "an ID with a quotation mark": unread('["",5,"a\'b"]'),
    "text where a moment belongs": unread('["","5","x"]'),
    "true where a moment belongs": unread('["",true,"x"]'),
    "of a list in another order": cursor_at(("a", "x"), "name"),
    "no list": unread('{"a":1}'),
    "nested": unread("[" * 900),
    "too long": "A" * 2001,
}


@pytest.mark.parametrize("cursor", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_cursor_that_no_list_gave_out_is_refused(refusing, cursor):
    for path in ("/v1/credentials", "/v1/apis", "/v1/roles"):
        assert "cursor" in refusing.problem(400, "GET", f"{path}?cursor={cursor}")["title"]


def test_links_are_made_of_the_issuer_whatever_the_request_says(api):
    api.credential()
    headers = {"Host": "evil.example.com", "X-Forwarded-Host": "evil.example.com"}
    answer = api.call("GET", "/v1/credentials?limit=1", headers=headers)
    assert answer.headers["Link"].startswith("<https://auth.example.com/v1/credentials?")
    made = api.call("POST", "/v1/roles", {"name": "r"}, headers=headers)
    assert made.headers["Location"].startswith("https://auth.example.com/v1/roles/")
    assert "evil" not in answer.text + str(answer.headers) + made.text + str(made.headers)


@given(st.integers(0, 10**14), st.from_regex(r"[a-z]{3,4}_[0-9A-Za-z]{16,22}", fullmatch=True))
@QUICK
def test_a_cursor_leads_back_to_its_place(moment, item_id):
    assert read_page(None, cursor_at((moment, item_id))).after == (moment, item_id)


@given(st.text(max_size=120))
@QUICK
def test_any_text_is_a_cursor_or_refused(text):
    try:
        after = read_page(None, text).after
    except InvalidRequest:
        return
    assert after is not None
    assert cursor_at(after) == text
