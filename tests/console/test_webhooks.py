"""Webhooks at the console: the secret shown once, what is told, the test, deliveries and their end."""

from __future__ import annotations

import re

import pytest

from tests.support.console import hidden_fields, signed_in

URL = "https://hooks.example.com/x"


def made(server, **more):
    answer = server.call("POST", "/v1/webhooks", {"url": URL, "events": ["*"], **more})
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def now_of(server, webhook):
    return server.call("GET", f"/v1/webhooks/{webhook['id']}").get_json()


def deliveries(server, webhook):
    return server.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries").get_json()["items"]


def several(fields, events):
    """A form in which boxes of one name are ticked."""
    return {**fields, "events": events}


def test_a_webhook_is_made_and_its_secret_is_shown_this_once(server):
    visitor = signed_in(server)
    visitor.open("/webhooks/new")
    fields = {"url": URL, "description": "<script>alert(1)</script>"}
    page = visitor.send("/webhooks/new", several(fields, ["credential.*", "credential.created", "secret.rotated"]))
    assert page.status_code == 201
    (secret,) = re.findall(r'id="secret">(whsec_[^<]+)<', page.text)
    (webhook,) = server.call("GET", "/v1/webhooks").get_json()["items"]
    assert webhook["events"] == ["credential.*", "secret.rotated"]
    for path in ("/webhooks", f"/webhooks/{webhook['id']}", f"/webhooks/{webhook['id']}/edit"):
        page = visitor.open(path)
        assert secret not in page.text
        assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://hooks.example.com"}, "url"),
        ({"url": "https://127.0.0.1/x"}, "url"),
        ({"url": ""}, "url"),
        ({"events": []}, "events"),
        ({"events": ["credential.exploded"]}, "events"),
        ({"description": "a\x00b"}, "description"),
    ],
)
def test_each_fault_is_told_at_its_field_and_nothing_is_made(server, fields, field):
    visitor = signed_in(server)
    visitor.open("/webhooks/new")
    page = visitor.send("/webhooks/new", {"url": URL, "description": "kept", "events": ["*"], **fields})
    assert page.status_code == 422
    assert f'id="help-{field}"' in page.text
    assert server.call("GET", "/v1/webhooks").get_json()["items"] == []


def test_it_is_changed_and_a_stale_form_shows_what_somebody_else_saved(server):
    webhook = made(server)
    visitor = signed_in(server)
    where = f"/webhooks/{webhook['id']}/edit"
    version = hidden_fields(visitor.open(where).text)["version"]
    fields = {"version": version, "url": URL, "description": "first"}
    assert "Saved." in visitor.send(where, several(fields, ["secret.*"])).text
    assert now_of(server, webhook)["events"] == ["secret.*"]
    visitor.open(where)
    page = visitor.send(where, several({**fields, "description": "second"}, ["*"]))
    assert page.status_code == 412
    assert "<bdi>first</bdi>" in page.text
    assert "<bdi>secret.*</bdi>" in page.text
    assert ">second</textarea>" in page.text


def test_a_test_event_is_sent_and_what_came_of_it_is_among_the_deliveries(server):
    webhook = made(server)
    visitor = signed_in(server)
    page = visitor.open(f"/webhooks/{webhook['id']}")
    assert "Nothing has been told yet." in page.text
    page = visitor.send(f"/webhooks/{webhook['id']}/test")
    assert "A test event is on its way" in page.text
    (delivery,) = deliveries(server, webhook)
    assert delivery["event_id"] in page.text
    assert "none yet" in page.text
    page = visitor.send(f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}")
    assert "It is being delivered again." in page.text
    assert visitor.send(f"/webhooks/{webhook['id']}/deliveries/dlv_0000000000000000").status_code == 404


def test_one_that_is_disabled_is_told_nothing_and_says_so_until_it_is_enabled(server):
    webhook = made(server)
    visitor = signed_in(server)
    page = visitor.open(f"/webhooks/{webhook['id']}/disable")
    assert "what happens meanwhile is not made up for" in page.text
    page = visitor.send(f"/webhooks/{webhook['id']}/disable")
    assert "disabled by an operator" in page.text
    assert now_of(server, webhook)["enabled"] is False
    page = visitor.send(f"/webhooks/{webhook['id']}/test")
    assert page.status_code == 409
    assert "enable it first" in page.text
    assert "Enabled. What was pending" in visitor.send(f"/webhooks/{webhook['id']}/enable").text
    assert now_of(server, webhook)["enabled"] is True


def test_rotating_shows_the_new_secret_once_and_both_sign_for_a_day(server):
    webhook = made(server)
    visitor = signed_in(server)
    where = f"/webhooks/{webhook['id']}/rotate-secret"
    page = visitor.open(where)
    assert "For 24 hours everything is signed with both" in page.text
    form = {"version": hidden_fields(page.text)["version"]}
    page = visitor.send(where, form)
    assert page.status_code == 201
    (secret,) = re.findall(r'id="secret">(whsec_[^<]+)<', page.text)
    assert secret != webhook["secret"]
    assert "signs as well until" in visitor.open(f"/webhooks/{webhook['id']}").text
    visitor.open(where)
    assert visitor.send(where, form).status_code == 412


def test_one_that_is_deleted_is_gone(server):
    webhook = made(server)
    visitor = signed_in(server)
    where = f"/webhooks/{webhook['id']}/delete"
    form = {"version": hidden_fields(visitor.open(where).text)["version"]}
    assert "Deleted." in visitor.send(where, form).text
    assert visitor.open(f"/webhooks/{webhook['id']}").status_code == 404


def test_an_auditor_sees_deliveries_and_can_do_nothing(server):
    webhook = made(server)
    server.call("POST", f"/v1/webhooks/{webhook['id']}/test", {})
    visitor = signed_in(server, "eve@example.com", "auditor")
    page = visitor.open(f"/webhooks/{webhook['id']}")
    assert "webhook.test" in page.text
    assert "Deliver again" not in page.text
    assert "Send a test event" not in page.text
    assert visitor.send(f"/webhooks/{webhook['id']}/test").status_code == 403
    assert len(deliveries(server, webhook)) == 1
