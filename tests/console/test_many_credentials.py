"""Is a change of many shown before it is done, done as it was shown, and told afterwards?"""

from __future__ import annotations

import re

import pytest

from app.services import bulk
from tests.support.console import hidden_fields, signed_in

API = "https://api.example.com"


@pytest.fixture
def three(server):
    server.call("POST", "/v1/apis", {"audience": API, "name": "Example", "scopes": [{"name": "a", "access": "read"}]})
    grants = [{"audience": API, "access": "all_read"}]
    bodies = ({"name": name, "grants": grants} for name in ("one", "two", "three"))
    return [server.call("POST", "/v1/credentials", body).get_json() for body in bodies]


def ids(made):
    return [one["client_id"] for one in made]


def status_of(server, client_id):
    return server.call("GET", f"/v1/credentials/{client_id}").get_json()["status"]


def previewed(visitor, action, client_ids, **more):
    visitor.open("/credentials")
    return visitor.send("/credentials/bulk", {"action": action, "client_ids": client_ids, **more})


def confirmed(visitor, **more):
    fields = {name: value for name, value in hidden_fields(visitor.page_text).items() if name != "organization"}
    return visitor.send("/credentials/bulk/apply", {**fields, **more})


def test_those_that_were_disabled_are_enabled_again(server, three):
    visitor = signed_in(server)
    previewed(visitor, "disable", ids(three))
    confirmed(visitor)
    page = previewed(visitor, "enable", ids(three))
    assert "This would enable 3 credentials" in page.text
    assert "stays ended" in page.text
    assert "3 credentials enabled" in confirmed(visitor).text
    assert {status_of(server, client_id) for client_id in ids(three)} == {"active"}
    page = previewed(visitor, "enable", ids(three))
    assert "There is nothing to enable" in page.text
    assert "it is enabled already" in page.text


@pytest.mark.parametrize("action", ["disable", "revoke", "rotate"])
def test_nothing_happens_before_it_is_confirmed(server, three, action):
    visitor = signed_in(server)
    page = previewed(visitor, action, ids(three))
    assert f"This would {action} 3 credentials" in page.text
    assert "Nothing has changed yet." in page.text
    assert page.text.count("<td>would be") == 3
    for one in three:
        found = server.call("GET", f"/v1/credentials/{one['client_id']}").get_json()
        assert (found["status"], found["generation"], found["rotation"]) == ("active", 1, None)


@pytest.mark.parametrize(("action", "more"), [("disable", {}), ("revoke", {"confirmed": "3", "reason": "an incident"})])
def test_what_was_confirmed_is_done_to_each(server, three, action, more):
    visitor = signed_in(server)
    previewed(visitor, action, ids(three))
    page = confirmed(visitor, **more)
    assert f"3 credentials {action}d" in page.text
    assert {status_of(server, client_id) for client_id in ids(three)} == {f"{action}d"}
    if action == "revoke":
        found = server.call("GET", f"/v1/credentials/{three[0]['client_id']}").get_json()
        assert found["revoked_reason"] == "an incident"


def test_a_rotation_of_many_shows_each_new_secret_this_once(server, three):
    visitor = signed_in(server)
    previewed(visitor, "rotate", ids(three))
    page = confirmed(visitor, grace_hours="48")
    secrets = set(re.findall(r"tss_[0-9A-Za-z]{46}", page.text))
    assert len(secrets) == 3
    told = re.findall(r"&#34;client_id&#34;: &#34;(\w+)&#34;,\s+&#34;client_secret&#34;: &#34;(\w+)&#34;", page.text)
    assert {client_id for client_id, _ in told} == set(ids(three))
    for client_id, secret in told:
        assert server.ask_for_token(client_id, secret).status_code == 200
    for path in ("/credentials", f"/credentials/{ids(three)[0]}", f"/audit?credential={ids(three)[0]}"):
        assert "tss_" not in visitor.open(path).text.replace("tss_…", "")


def test_those_to_which_it_cannot_be_done_are_told_and_left_out(server, three):
    revoked, disabled, active = ids(three)
    server.call("POST", f"/v1/credentials/{revoked}/revoke", {})
    server.call("POST", f"/v1/credentials/{disabled}/disable", {})
    visitor = signed_in(server)
    page = previewed(visitor, "disable", [*ids(three), "tsc_0000000000000000000000"])
    assert "This would disable 1 credential<" in page.text
    assert "it has been revoked or has expired" in page.text
    assert "it is disabled already" in page.text
    assert "there is no such credential any more" in page.text
    assert "3 of 4 are left as they are." in page.text
    assert hidden_fields(page.text)["client_ids"] == active
    confirmed(visitor)
    assert status_of(server, active) == "disabled"


def test_what_changed_meanwhile_is_shown_anew_and_nothing_is_done(server, three):
    visitor = signed_in(server)
    previewed(visitor, "disable", ids(three))
    server.call("POST", f"/v1/credentials/{three[0]['client_id']}/revoke", {})
    page = confirmed(visitor)
    assert page.status_code == 409
    assert "This would disable 2 credentials" in page.text
    assert [status_of(server, client_id) for client_id in ids(three)] == ["revoked", "active", "active"]
    assert confirmed(visitor).status_code == 200
    assert status_of(server, three[1]["client_id"]) == "disabled"


@pytest.mark.parametrize("typed", ["", "2", "three", "30"])
def test_who_revokes_many_types_their_number(server, three, typed):
    visitor = signed_in(server)
    previewed(visitor, "revoke", ids(three))
    page = confirmed(visitor, confirmed=typed, reason="gone")
    assert page.status_code == 422
    assert 'value="gone"' in page.text
    assert {status_of(server, client_id) for client_id in ids(three)} == {"active"}


@pytest.mark.parametrize("hours", ["0", "721", "soon"])
def test_a_grace_period_that_cannot_be_is_refused(server, three, hours):
    visitor = signed_in(server)
    previewed(visitor, "rotate", ids(three))
    page = confirmed(visitor, grace_hours=hours)
    assert page.status_code == 422
    assert "tss_" not in page.text.replace("tss_…", "")


UNCLEAR = {
    "nothing is ticked": {"action": "disable"},
    "nothing is to be done": {"client_ids": "tsc_x"},
    "something else is to be done": {"action": "explode", "client_ids": "tsc_x"},
    "an ID that cannot be": {"action": "disable", "client_ids": "<script>"},
    "everything, without a filter": {"action": "revoke", "all": "yes"},
    "a filter that says nothing": {"action": "revoke", "all": "yes", "status": "nonsense"},
}


@pytest.mark.parametrize("form", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_what_is_not_clear_is_refused_with_what_to_do(server, three, form):
    visitor = signed_in(server)
    visitor.open("/credentials")
    page = visitor.send("/credentials/bulk", form)
    assert page.status_code in {400, 422}
    assert 'role="alert"' in page.text
    assert "<script>" not in page.text.replace("<script src", "")


@pytest.mark.parametrize(
    "form",
    [{}, {"action": "explode"}, {"client_ids": ""}, {"client_ids": "<script>"}, {"client_ids": "tsc_x " * 1001}],
    ids=["nothing", "another action", "no IDs", "IDs that cannot be", "too many IDs"],
)
def test_what_no_page_of_ours_sends_is_refused(server, three, form):
    visitor = signed_in(server)
    visitor.open("/credentials")
    page = visitor.send(
        "/credentials/bulk/apply", {"action": "disable", "client_ids": ids(three)[0], **form} if form else {}
    )
    assert page.status_code == 422
    assert "<script>" not in page.text.replace("<script src", "")
    assert status_of(server, ids(three)[0]) == "active"


def test_all_that_match_the_filters_are_meant_on_other_pages_too(server):
    for number in range(60):
        server.call("POST", "/v1/credentials", {"name": f"old {number:02}"})
    server.call("POST", "/v1/credentials", {"name": "new"})
    visitor = signed_in(server)
    page = visitor.open("/credentials", q="old")
    assert "all that match the filters" in page.text
    page = visitor.send("/credentials/bulk", {"action": "disable", "all": "yes", "q": "old"})
    assert "This would disable 60 credentials" in page.text
    confirmed(visitor)
    found = server.call("GET", "/v1/credentials?status=active").get_json()["items"]
    assert {one["name"] for one in found} == {"admin", "new"}


def test_where_more_match_than_can_be_changed_at_once_it_goes_part_by_part(server, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 4)
    made = [server.call("POST", "/v1/credentials", {"name": f"old {number}"}).get_json() for number in range(10)]
    visitor = signed_in(server)
    visitor.open("/credentials", q="old")
    page = visitor.send("/credentials/bulk", {"action": "disable", "all": "yes", "q": "old"})
    counted = []
    for _ in range(3):
        counted.append(re.findall(r"This would disable (\d+) credentials", page.text)[0])
        page = confirmed(visitor)
        assert page.status_code == 200
        if "Go on with the rest" not in page.text:
            break
        page = visitor.send("/credentials/bulk", hidden_fields(page.text))
    assert counted == ["4", "4", "2"]
    assert {status_of(server, client_id) for client_id in ids(made)} == {"disabled"}
    page = visitor.send("/credentials/bulk", {"action": "disable", "all": "yes", "q": "old"})
    assert "There is nothing to disable" in page.text
    assert "Go on with the rest" in page.text
    page = visitor.send("/credentials/bulk", {"action": "disable", "all": "yes", "q": "old", "rest": "made up"})
    assert page.status_code == 400


def test_it_is_asked_who_it_is_before_anything_is_done(server, three):
    visitor = signed_in(server)
    server.clock.advance(20 * 60)
    previewed(visitor, "disable", ids(three))
    page = confirmed(visitor)
    assert "Is it still you?" in page.text
    vars(server).pop("admin_token")
    assert {status_of(server, client_id) for client_id in ids(three)} == {"active"}


@pytest.mark.parametrize("role", ["auditor", "member"])
def test_who_may_not_does_not(server, three, role):
    visitor = signed_in(server, "eve@example.com", role)
    visitor.open("/")
    for path in ("/credentials/bulk", "/credentials/bulk/apply"):
        form = {"action": "disable", "client_ids": ids(three)[0]}
        assert visitor.send(path, form).status_code == 403
        visitor.open("/")
    assert status_of(server, ids(three)[0]) == "active"


# --- all that match, round after round ---


@pytest.fixture
def seven(server, monkeypatch):
    """Two a round, the newest first; the fourth has been revoked before."""
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 2)
    made = []
    for number in range(7):
        made.append(server.call("POST", "/v1/credentials", {"name": f"old {number}", "environment": "old"}).get_json())
        server.clock.advance(1)
    server.call("POST", f"/v1/credentials/{made[3]['client_id']}/revoke", {})
    return made


def all_previewed(visitor, action):
    visitor.open("/credentials")
    return visitor.send("/credentials/bulk", {"action": action, "all": "yes", "environment": "old"})


def next_round(visitor, **more):
    fields = {name: value for name, value in hidden_fields(visitor.page_text).items() if name != "organization"}
    refused = re.findall(r'name="refused" value="([^"]*)"', visitor.page_text)
    return visitor.send("/credentials/bulk/all", {**fields, "refused": refused, **more})


def test_all_that_match_are_changed_round_after_round_and_each_page_says_how_far_it_is(server, seven):
    visitor = signed_in(server)
    page = all_previewed(visitor, "disable")
    assert "Disable all 7" in page.text
    late = server.call("POST", "/v1/credentials", {"name": "late", "environment": "old"}).get_json()
    told: list[str] = []
    page = next_round(visitor)
    while "data-goes-on" in page.text:
        told += re.findall(r"<h1>(.*?)</h1>", page.text)
        assert "Stop here" in page.text
        page = next_round(visitor)
    assert told == [f"{count} of 7 credentials disabled" for count in (2, 3, 5)]
    assert "6 credentials disabled" in page.text
    assert "1 was left as it was" in page.text
    assert f"<code>{seven[3]['client_id']}</code></a> it has been revoked or has expired" in page.text
    assert {status_of(server, one["client_id"]) for one in seven} == {"disabled", "revoked"}
    assert status_of(server, late["client_id"]) == "active", "nothing is drawn in that nobody has seen"


def test_stopped_half_way_what_was_told_is_done_and_no_more(server, seven):
    visitor = signed_in(server)
    all_previewed(visitor, "revoke")
    page = next_round(visitor, confirmed="7", reason="the end")
    assert "2 of 7 credentials revoked" in page.text
    revoked = [one["client_id"] for one in seven if status_of(server, one["client_id"]) == "revoked"]
    assert len(revoked) == 3
    found = server.call("GET", f"/v1/credentials/{seven[6]['client_id']}").get_json()
    assert (found["status"], found["revoked_reason"]) == ("revoked", "the end")


@pytest.mark.parametrize("typed", ["", "2", "8", "seven"])
def test_all_are_revoked_when_their_number_was_typed_and_not_before(server, seven, typed):
    visitor = signed_in(server)
    all_previewed(visitor, "revoke")
    page = next_round(visitor, confirmed=typed)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert "data-goes-on" not in page.text
    assert "Revoke all 7" in page.text, "it can be confirmed anew"
    assert [status_of(server, one["client_id"]) for one in seven].count("revoked") == 1
    assert "2 of 7 credentials revoked" in next_round(visitor, confirmed="7").text


def test_a_round_that_is_sent_twice_is_done_once(server, seven):
    visitor = signed_in(server)
    page = all_previewed(visitor, "disable")
    next_round(visitor)
    visitor.page = page
    assert next_round(visitor).status_code == 409
    assert [status_of(server, one["client_id"]) for one in seven].count("disabled") == 2


@pytest.mark.parametrize(
    "more", [{"action": "rotate"}, {"action": "explode"}, {"environment": ""}, {"total": "x"}, {"reason": "x" * 501},
             {"begin": "", "rest": "AAAA"}, {"begin": "AAAA"}, {"refused": ["<script>", "tsc_ x"]}],
)  # fmt: skip
def test_a_round_of_nonsense_changes_nothing_or_says_what_is_wrong(server, seven, more):
    visitor = signed_in(server)
    all_previewed(visitor, "disable")
    page = next_round(visitor, **more)
    assert page.status_code in {200, 400, 409, 422}
    assert "<script>" not in page.text.replace("<script src", "")
    if page.status_code != 200:
        assert [status_of(server, one["client_id"]) for one in seven].count("disabled") == 0


def test_a_rotation_of_all_waits_for_its_secrets_to_be_stored(server, seven):
    visitor = signed_in(server)
    page = all_previewed(visitor, "rotate")
    assert "/credentials/bulk/all" not in page.text
    assert "You go on with the rest afterwards." in page.text
