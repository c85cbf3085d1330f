"""Does the list of credentials show what there is, who may see it, and nothing else?"""

from __future__ import annotations

import html
import re

import pytest

from tests.support.console import signed_in
from tests.support.server import NOW
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.names import ADMIN_AUDIENCE

READ = {"audience": ADMIN_AUDIENCE, "access": "custom", "scopes": ["credentials:read"]}
STRANGE = (
    "😀" * 100,
    "<script>alert(1)</script>",
    "\u05e2\u05d1\u05e8\u05d9\u05ea abc",
    '"><img src=x>',
    "{{ 7 * 7 }}",
)


def made(server, name, **terms):
    answer = server.call("POST", "/v1/credentials", {"name": name, **terms})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def names_on(page):
    return re.findall(r'<td class="name"><a [^>]*><bdi>([^<]*)</bdi>', page.text)


def links_on(page):
    """`rel` to where it goes."""
    found = re.findall(r'<a href="/console(/credentials\?[^"]*)" rel="(prev|next)"', page.text)
    return {rel: address.replace("&amp;", "&") for address, rel in found}


def test_a_row_says_what_one_wants_to_know(server):
    server.call("POST", "/v1/roles", {"name": "reader"})
    ranges = "192.0.2.0/24, 198.51.100.7, 203.0.113.9"
    one = made(server, "nightly export", roles=["reader"], allowed_ips=ranges, environment="production")
    server.ask_for_token(one["client_id"], one["client_secret"])  # refused: the address is not allowed
    api = {"audience": "https://api.example.com", "name": "Example", "scopes": [{"name": "a", "access": "read"}]}
    server.call("POST", "/v1/apis", api)
    grants = [{"audience": "https://api.example.com", "access": "all_read"}]
    other = made(server, "billing", expires_at=None, grants=grants)
    server.token(other["client_id"], other["client_secret"])
    page = signed_in(server).open("/credentials")
    row = next(text for text in page.text.split("<tr>") if "nightly export" in text)
    for told in ("Active", one["secrets"][0]["hint"], "reader", "192.0.2.0/24", "and 2 more", "production", "never"):
        assert told in row, told
    assert ">2028-01-1" in row
    row = next(text for text in page.text.split("<tr>") if "billing" in text)
    assert "127.0.0.1" in row
    assert str(rfc3339(NOW))[:10] in row


def test_the_name_of_who_made_it_is_told(server):
    visitor = signed_in(server, "ada@example.com", "admin", name="Ada Lovelace")
    visitor.open("/credentials/new")
    visitor.send("/credentials/new", {"name": "hers"})
    row = next(text for text in visitor.open("/credentials").text.split("<tr>") if "hers" in text)
    assert "by <bdi>Ada Lovelace</bdi>" in row


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_text_and_nothing_else(server, name):
    one = made(server, name, description=name)
    visitor = signed_in(server)
    for path in ("/credentials", f"/credentials/{one['client_id']}"):
        text = visitor.open(path).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", text)
    assert len(names_on(visitor.open("/credentials"))) == 2


FILTERS = {
    "a name, in part and in any case": ({"q": "NIGHT"}, ["nightly"]),
    "a status": ({"status": "disabled"}, ["off"]),
    "a role": ({"role": "reader"}, ["nightly"]),
    "a project": ({"project": "atlas"}, ["placed"]),
    "an environment": ({"environment": "staging"}, ["placed"]),
    "unused for a day": ({"unused": "1"}, ["nightly", "off", "placed", "soon"]),
    "unused for longer than they are there": ({"unused": "90"}, []),
    "an expiry": ({"expires": "2027-02-15"}, ["soon"]),
    "names backwards": ({"sort": "-name", "status": "active,disabled"}, ["placed", "off", "nightly", "admin"]),
    "the oldest first, of one name": ({"sort": "created_at", "q": "placed"}, ["placed"]),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_shows_exactly_what_it_is_about(server, query, expected):
    server.call("POST", "/v1/roles", {"name": "reader"})
    server.call("POST", "/v1/projects", {"name": "atlas"})
    made(server, "nightly", roles=["reader"])
    off = made(server, "off")
    server.call("POST", f"/v1/credentials/{off['client_id']}/disable", {})
    made(server, "placed", project="atlas", environment="staging")
    made(server, "soon", expires_at=rfc3339(NOW + 20 * DAY))
    server.clock.advance(2 * DAY)
    vars(server).pop("admin_token", None)
    assert server.admin_token  # the admin credential is in use
    found = names_on(signed_in(server).open("/credentials", **query))
    assert (found if "sort" in query else sorted(found)) == expected


def test_a_click_on_a_column_sorts_by_it_and_the_next_one_turns_it_round(server):
    for name, days in (("late", 300), ("never", None), ("early", 20)):
        one = made(server, name, expires_at=days and rfc3339(NOW + days * DAY), grants=[READ])
        if name != "never":
            server.token(one["client_id"], one["client_secret"])
        server.clock.advance(1)
    visitor = signed_in(server)
    orders = {"Expires": ["early", "late", "never"], "Last used": ["never", "late", "early"]}
    for column, expected in orders.items():
        page = visitor.open("/credentials")
        for arrow, order in (("↑", expected), ("↓", expected[::-1])):
            page = visitor.open(
                html.unescape(re.findall(rf'<a href="/console(/credentials[^"]*)">{column}', page.text)[0])
            )
            assert f"{column} {arrow}" in page.text
            assert [name for name in names_on(page) if name != "admin"] == order


@pytest.mark.parametrize(
    "query",
    [
        {"status": "nonsense"},
        {"unused": "soon"},
        {"unused": "0"},
        {"unused": "99999"},
        {"expires": "tomorrow"},
        {"sort": "secret"},
        {"cursor": "AAAA"},
        {"before": "AAAA"},
        {"q": "a\x00b"},
        {"q": "x" * 300},
    ],
)
def test_a_filter_that_says_nothing_is_refused_with_what_to_do_and_kept(server, query):
    page = signed_in(server).open("/credentials", **query)
    assert page.status_code in {400, 422}
    assert 'role="alert"' in page.text
    assert names_on(page) == []
    assert "Filter" in page.text or 'class="filters"' in page.text


@pytest.mark.parametrize("sort", ["-created_at", "name", "-expires_at", "last_used_at"])
def test_pages_go_on_and_back_without_losing_or_repeating_anything(server, sort):
    for number in range(120):
        made(server, f"one {number:03}")
        server.clock.advance(number % 2)
    visitor = signed_in(server)
    pages, page = [], visitor.open("/credentials", sort=sort)
    while True:
        pages.append(names_on(page))
        if "next" not in links_on(page):
            break
        page = visitor.open(links_on(page)["next"])
    shown = [name for names in pages for name in names]
    assert [len(names) for names in pages] == [50, 50, 21]
    assert sorted(shown) == sorted(["admin", *(f"one {number:03}" for number in range(120))])
    back = [pages[-1]]
    while "prev" in links_on(page):
        page = visitor.open(links_on(page)["prev"])
        back.append(names_on(page))
    assert back == pages[::-1]


def test_a_member_sees_their_own_and_cannot_change_many(server):
    made(server, "of the organization")
    visitor = signed_in(server, "ada@example.com", "member")
    visitor.open("/credentials/new")
    visitor.send("/credentials/new", {"name": "mine"})
    page = visitor.open("/credentials")
    assert names_on(page) == ["mine"]
    assert "Your credentials" in page.text
    assert "/credentials/bulk" not in page.text
    visitor.open("/credentials/new")
    assert visitor.send("/credentials/bulk", {"action": "revoke", "client_ids": "tsc_x"}).status_code == 403


def test_an_auditor_sees_all_and_changes_nothing(server):
    one = made(server, "of the organization")
    visitor = signed_in(server, "eve@example.com", "auditor")
    page = visitor.open("/credentials")
    assert "of the organization" in page.text
    assert "New credential" not in page.text
    assert "/credentials/bulk" not in page.text
    page = visitor.open(f"/credentials/{one['client_id']}")
    assert page.status_code == 200
    assert "Danger zone" not in page.text
    assert "/edit" not in page.text
    assert visitor.open("/credentials/new").status_code == 403


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_who_manages_sees_all_and_may_change_it(server, role):
    one = made(server, "of the organization")
    visitor = signed_in(server, "olga@example.com", role)
    page = visitor.open("/credentials")
    assert "New credential" in page.text
    assert "/credentials/bulk" in page.text
    assert "Danger zone" in visitor.open(f"/credentials/{one['client_id']}").text


def test_a_full_page_with_long_names_is_light(server):
    for number in range(50):
        made(server, f"{number:02} " + "😀" * 97, allowed_ips=["192.0.2.0/24", "2001:db8::/32"], expires_at=None)
    page = signed_in(server).open("/credentials")
    assert len(names_on(page)) == 50
    assert len(page.data) < 100_000
