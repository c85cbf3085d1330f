"""Webhooks over the admin API."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from standardwebhooks import Webhook

from app.services.deliveries import Done, Room
from app.services.posting import Outcome
from tests.support.server import serving
from tokenserver.domain.webhook import MOST_WEBHOOKS

URL = "https://hooks.example.com/in?key=k3y"
ALL_ROOM = Room(failing=False, parcels=50, of_one_webhook=50, of_one_organization=50)


def webhook(api, **members):
    return api.ok("POST", "/v1/webhooks", {"url": URL, "events": ["*"], **members})


def path_of(made):
    return f"/v1/webhooks/{made['id']}"


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(api):
    answer = api.call("POST", "/v1/webhooks", {"url": URL, "events": ["credential.*"], "description": "d"})
    made = answer.json
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    assert answer.headers["Location"] == f"https://auth.example.com{path_of(made)}"
    assert Webhook(made.pop("secret")).sign("evt_1", dt.datetime.now(dt.UTC), ""), "the stock library takes it"
    assert api.ok("GET", path_of(made)) == made
    assert api.ok("GET", "/v1/webhooks") == {"items": [made], "next": None}
    assert (made["url"], made["events"], made["description"]) == (URL, ["credential.*"], "d")
    assert (made["enabled"], made["failing_since"], made["old_secret_until"]) == (True, None, None)


def test_a_repeated_request_makes_no_second_webhook_and_shows_no_secret(api):
    asked = {"url": URL, "events": ["*"]}
    first = api.call("POST", "/v1/webhooks", asked, headers={"Idempotency-Key": "once"})
    again = api.call("POST", "/v1/webhooks", asked, headers={"Idempotency-Key": "once"})
    assert first.json["secret"].startswith("whsec_")
    assert (again.json["id"], again.json["secret"]) == (first.json["id"], None)
    assert len(api.ok("GET", "/v1/webhooks")["items"]) == 1


FAULTY = {
    "no URL": ({"events": ["*"]}, "/url"),
    "no events": ({"url": URL}, "/events"),
    "an empty list of events": ({"url": URL, "events": []}, "/events"),
    "an event twice": ({"url": URL, "events": ["*", "*"]}, "/events"),
    "too many events": ({"url": URL, "events": ["*"] * 51}, "/events"),
    "an event that never happens": ({"url": URL, "events": ["credential.eaten"]}, "/events/0"),
    "all of a subject that there is not": ({"url": URL, "events": ["dog.*"]}, "/events/0"),
    "an event that is not told": ({"url": URL, "events": ["*", "token.issued"]}, "/events/1"),
    "an unknown member": ({"url": URL, "events": ["*"], "secret": "whsec_"}, ""),
    "plain http": ({"url": "http://hooks.example.com/", "events": ["*"]}, "/url"),
    "another scheme": ({"url": "ftp://hooks.example.com/", "events": ["*"]}, "/url"),
    "a user": ({"url": "https://me:s3cr3t@hooks.example.com/", "events": ["*"]}, "/url"),
    "a fragment": ({"url": "https://hooks.example.com/#x", "events": ["*"]}, "/url"),
    "no host": ({"url": "https:///x", "events": ["*"]}, "/url"),
    "a port that there is not": ({"url": "https://hooks.example.com:65536/", "events": ["*"]}, "/url"),
    "a line break": ({"url": "https://hooks.example.com/\r\nHost: x", "events": ["*"]}, "/url"),
    "a very long URL": ({"url": "https://hooks.example.com/" + "x" * 2000, "events": ["*"]}, "/url"),
    "an empty URL": ({"url": "", "events": ["*"]}, "/url"),
    "a number for a URL": ({"url": 5, "events": ["*"]}, "/url"),
    "a private address": ({"url": "https://10.0.0.1/", "events": ["*"]}, "/url"),
    "the metadata of a cloud": ({"url": "https://169.254.169.254/latest/meta-data", "events": ["*"]}, "/url"),
    "loopback in IPv6 clothing": ({"url": "https://[::ffff:127.0.0.1]/", "events": ["*"]}, "/url"),
    "loopback as a number": ({"url": "https://2130706433/", "events": ["*"]}, "/url"),
    "loopback as a short number": ({"url": "https://127.1/", "events": ["*"]}, "/url"),
}


@pytest.mark.parametrize(("asked", "pointer"), FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_field_is_refused_by_its_pointer_and_not_repeated(refusing, asked, pointer):
    answer = refusing.call("POST", "/v1/webhooks", asked)
    assert (answer.status_code, [fault["pointer"] for fault in answer.json["errors"]]) == (422, [pointer])
    assert "hooks.example" not in answer.text
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("url", ["http://10.1.2.3:8080/", "https://[fd00::5]/"])
def test_an_operator_may_allow_networks_of_their_own_and_plain_http(installed, tmp_path, contract, url):
    allowed = "10.0.0.0/8, fd00::/8"
    with serving(installed, tmp_path, webhook_allowed_networks=allowed, webhook_plain_http=True) as server:
        assert server.call("POST", "/v1/webhooks", {"url": url, "events": ["*"]}).status_code == 201
        for other in ("https://192.168.0.1/", "https://[fe80::1]/"):
            assert server.call("POST", "/v1/webhooks", {"url": other, "events": ["*"]}).status_code == 422


def test_only_members_that_are_present_change(api):
    made = webhook(api)
    del made["secret"]
    changed = api.ok("PATCH", path_of(made), {"description": "d"}, if_match='"1"')
    assert changed == {**made, "description": "d", "version": 2}
    changed = api.ok("PATCH", path_of(made), {"events": ["role.*"], "url": "https://other.example.com"}, if_match='"2"')
    assert (changed["events"], changed["url"], changed["version"]) == (["role.*"], "https://other.example.com", 3)
    assert api.ok("PATCH", path_of(made), {}, if_match='"3"') == changed
    assert api.problem(412, "PATCH", path_of(made), {"description": "x"}, if_match='"1"')
    assert api.problem(428, "PATCH", path_of(made), {"description": "x"})
    nonsense: list[tuple[str, object]] = [("url", None), ("events", None), ("enabled", None), ("events", [])]
    for name, value in [*nonsense, ("url", "https://127.0.0.1")]:
        assert api.pointers("PATCH", path_of(made), {name: value}, if_match="*") == [f"/{name}"]
    assert api.ok("GET", path_of(made)) == changed


def test_a_webhook_is_disabled_and_enabled(api):
    made = webhook(api)
    changed = api.ok("PATCH", path_of(made), {"enabled": False}, if_match="*")
    assert (changed["enabled"], changed["disabled_reason"]) == (False, "disabled by an operator")
    for doing in ("/test", "/deliveries/dlv_0000000000000000/redeliver"):
        assert api.problem(409, "POST", path_of(made) + doing)["code"] == "webhook_disabled"
    changed = api.ok("PATCH", path_of(made), {"enabled": True}, if_match="*")
    assert (changed["enabled"], changed["disabled_at"], changed["disabled_reason"]) == (True, None, None)


def test_a_webhook_that_was_deleted_is_gone(api):
    made = webhook(api)
    assert api.problem(412, "DELETE", path_of(made), if_match='"2"')
    assert api.call("DELETE", path_of(made), if_match='"1"').status_code == 204
    assert api.problem(404, "GET", path_of(made))
    assert api.problem(404, "DELETE", path_of(made))
    assert api.ok("GET", "/v1/webhooks")["items"] == []


def test_there_is_a_most_of_webhooks(api):
    for _ in range(MOST_WEBHOOKS):
        last = webhook(api)
    assert api.problem(409, "POST", "/v1/webhooks", {"url": URL, "events": ["*"]})["code"] == "too_many_webhooks"
    api.ok("DELETE", path_of(last))
    webhook(api)
    page = api.call("GET", "/v1/webhooks?limit=15")
    assert 'rel="next"' in page.headers["Link"]
    rest = api.ok("GET", f"/v1/webhooks?limit=15&cursor={page.json['next']}")["items"]
    assert len({one["id"] for one in page.json["items"] + rest}) == MOST_WEBHOOKS


def test_a_rotated_secret_is_another_one_and_both_sign_for_a_day(api):
    made = webhook(api)
    rotated = api.ok("POST", f"{path_of(made)}/rotate-secret", if_match='"1"')
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["version"] == 2
    assert rotated["old_secret_until"] == rotated["webhook"]["old_secret_until"] == "2027-01-16T08:00:00Z"
    api.server.clock.advance(86_400)
    with pytest.raises(AssertionError, match="401"):
        api.ok("GET", path_of(made))  # a day later the token has ended
    del api.server.admin_token
    assert api.ok("GET", path_of(made))["old_secret_until"] is None


def test_no_secret_and_no_path_of_a_url_is_in_an_audit_line(api):
    made = webhook(api)
    api.ok("PATCH", path_of(made), {"url": URL + "2"}, if_match="*")
    api.ok("POST", f"{path_of(made)}/rotate-secret")
    api.ok("DELETE", path_of(made))
    lines = [line for line in map(json.loads, api.server.services.audit_trail.export()) if "webhook" in line["event"]]
    assert [line["event"].partition(":")[2] for line in lines] == ["created", "updated", "secret_rotated", "deleted"]
    assert lines[0]["detail"]["target"] == "https://hooks.example.com"
    assert "whsec_" not in str(lines)
    assert "k3y" not in str(lines)


def test_a_test_event_is_a_delivery_whatever_the_webhook_listens_to(api):
    made = webhook(api, events=["role.*"])
    answer = api.call("POST", f"{path_of(made)}/test")
    assert answer.status_code == 202
    assert (answer.json["type"], answer.json["state"], answer.json["attempts"]) == ("webhook.test", "pending", [])
    assert api.ok("GET", f"{path_of(made)}/deliveries") == {"items": [answer.json], "next": None}


def attempted(api, status, error):
    """As the work of the clock would, with this outcome."""
    post_office, now = api.server.services.deliveries, api.server.clock()
    post_office.fan_out(now)
    parcels = post_office.claim(now, ALL_ROOM)
    post_office.record([Done(parcel, Outcome(status, error, 12), now) for parcel in parcels])


def test_the_log_of_deliveries_says_what_came_of_each_attempt(api):
    made = webhook(api, events=["role.*"])
    sent = api.ok("POST", f"{path_of(made)}/test")
    attempted(api, 500, "It was answered with a status that does not mean success.")
    (shown,) = api.ok("GET", f"{path_of(made)}/deliveries")["items"]
    (attempt,) = shown.pop("attempts")
    assert attempt == {
        "number": 1,
        "at": "2027-01-15T08:00:00Z",
        "duration_ms": 12,
        "status": 500,
        "error": "It was answered with a status that does not mean success.",
    }
    assert (shown["id"], shown["state"], shown["attempt_count"]) == (sent["id"], "pending", 1)
    assert shown["next_attempt_at"] > "2027-01-15T08:00:00Z"
    assert api.ok("GET", path_of(made))["failing_since"] == "2027-01-15T08:00:00Z"


def test_what_was_delivered_is_delivered_again_on_demand_under_the_same_id(api):
    made = webhook(api, events=["role.*"])
    sent = api.ok("POST", f"{path_of(made)}/test")
    attempted(api, 204, None)
    (delivered,) = api.ok("GET", f"{path_of(made)}/deliveries")["items"]
    assert (delivered["state"], delivered["next_attempt_at"]) == ("delivered", None)
    answer = api.call("POST", f"{path_of(made)}/deliveries/{sent['id']}/redeliver")
    assert (answer.status_code, answer.json["state"], answer.json["event_id"]) == (202, "pending", sent["event_id"])
    attempted(api, 200, None)
    (again,) = api.ok("GET", f"{path_of(made)}/deliveries")["items"]
    assert (again["state"], [attempt["number"] for attempt in again["attempts"]]) == ("delivered", [2, 1])


def test_a_delivery_belongs_to_its_webhook(api):
    one, other = webhook(api), webhook(api)
    sent = api.ok("POST", f"{path_of(one)}/test")
    assert api.problem(404, "POST", f"{path_of(other)}/deliveries/{sent['id']}/redeliver")
    assert api.ok("GET", f"{path_of(other)}/deliveries")["items"] == []


def test_deliveries_come_in_pages(api):
    made = webhook(api)
    sent = [api.ok("POST", f"{path_of(made)}/test")["id"] for _ in range(5)]
    page = api.call("GET", f"{path_of(made)}/deliveries?limit=3")
    assert f"/v1/webhooks/{made['id']}/deliveries?limit=3&cursor=" in page.headers["Link"]
    rest = api.ok("GET", f"{path_of(made)}/deliveries?limit=3&cursor={page.json['next']}")
    assert sorted(one["id"] for one in page.json["items"] + rest["items"]) == sorted(sent)
    assert rest["next"] is None
