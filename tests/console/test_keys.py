"""Signing keys at the console: which one signs, the next one, and the end of one that leaked."""

from __future__ import annotations

from tests.support.console import hidden_fields, signed_in


def kids(server):
    return [key.kid for key in server.services.keys.list()]


def test_the_keys_are_listed_with_what_signs_now_and_what_will(server):
    visitor = signed_in(server)
    (first,) = kids(server)
    page = visitor.open("/keys")
    assert first in page.text
    assert "Signs now" in page.text
    visitor.open("/keys/rotate")
    page = visitor.send("/keys/rotate")
    assert "There is a new key." in page.text
    assert "Signs soon" in page.text
    server.clock.advance(10 * 60)
    page = visitor.open("/keys")
    assert "Signs no more" in page.text
    assert len(kids(server)) == 2


def test_a_form_that_is_sent_twice_makes_one_key(server):
    visitor = signed_in(server)
    once = hidden_fields(visitor.open("/keys/rotate").text)
    visitor.send("/keys/rotate", once)
    again = visitor.client.post("/console/keys/rotate", data=once, headers={"Sec-Fetch-Site": "same-origin"})
    assert again.status_code == 409
    assert len(kids(server)) == 2


def test_revoking_wants_the_beginning_of_the_id_and_ends_what_the_key_signed(server):
    token = server.admin_token
    visitor = signed_in(server)
    (kid,) = kids(server)
    page = visitor.open(f"/keys/{kid}/revoke")
    assert "every token that it signed" in page.text
    wrong = visitor.send(f"/keys/{kid}/revoke", {"typed_name": "00000000"})
    assert wrong.status_code == 422
    assert server.call("GET", "/v1/apis", token=token).status_code == 200
    page = visitor.send(f"/keys/{kid}/revoke", {"typed_name": kid[:8]})
    assert "Every token that it signed has ended." in page.text
    assert server.call("GET", "/v1/apis", token=token).status_code == 401
    assert len(kids(server)) == 2
    assert visitor.open(f"/keys/{kid}/revoke").status_code == 404


def test_an_owner_of_an_organization_sees_no_key(server):
    visitor = signed_in(server, "owner@example.com", "owner")
    assert visitor.open("/keys").status_code == 403
    assert "/console/keys" not in visitor.open("/").text
