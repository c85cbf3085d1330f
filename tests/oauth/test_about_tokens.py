"""Do introspection and revocation answer whom they should, and nobody else? (I01 to I03, G03, G09, T07)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from app.services.catalogue import ApiDraft
from tests.oauth.conftest import Door, basic
from tests.support.workshop import ISSUER, NOW, allowed
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.tokens.jws import Signer, open_signed

FILES = "https://files.example.com"
INACTIVE = {"active": False}
DOORS = ["/oauth/introspect", "/oauth/revoke"]
JWT = "application/token-introspection+jwt"


class Story:
    """A resource server that may ask about tokens for its API, and an app that has one."""

    def __init__(self, door: Door) -> None:
        self.door = door
        scopes = (Scope("files:read", Kind.READ), Scope("tokens:introspect", Kind.READ, sensitive=True))
        door.server.services.catalogue.create_api(door.caller, ApiDraft(FILES, "Files", scopes))
        self.asker = self.credential("tokens:introspect")
        self.app = self.credential("files:read", roles=frozenset({"auditor"}))
        self.token = self.token_of(self.app)

    def credential(self, *scopes: str, audience: str = FILES, **terms: Any) -> tuple[str, str]:
        made = self.door.credential(grants=(Grant(audience, Access.CUSTOM, frozenset(scopes)),), **terms)
        return made.view.credential.client_id, made.secret.reveal()

    def token_of(self, credential: tuple[str, str], **form: str) -> str:
        return self.door.server.token(*credential, **form)

    def ask(self, token: str | None, asker: tuple[str, str] | None = None, *, path: str = DOORS[0], **more: Any) -> Any:
        form = {} if token is None else {"token": token}
        headers = [*basic(*(asker or self.asker)), *more.pop("headers", ())]
        return self.door.send(urlencode({**form, **more.pop("form", {})}), headers, path=path, **more)

    def says(self, token: str, asker: tuple[str, str] | None = None) -> Any:
        answer = self.ask(token, asker)
        assert answer.status == 200, answer.body
        return answer.json

    def signed(self, changes: dict[str, Any], typ: str = "at+jwt") -> str:
        """The token with other claims, signed by this server's own key."""
        key = self.door.server.services.keys.ring().access.key
        raw = open_signed(self.token, "at+jwt", {key.kid: key.verifying}.get).payload
        return Signer(key, typ).sign({**raw, **changes})

    def revoke(self, token: str, by: tuple[str, str]) -> None:
        answer = self.ask(token, by, path="/oauth/revoke")
        assert (answer.status, answer.body) == (200, b"")


@pytest.fixture(params=[True, False], ids=["in front of Flask", "by Flask"])
def story(own_door, request):
    own_door.in_front = request.param
    return Story(own_door)


def test_a_live_token_is_told_with_everything_it_says(story):
    answer = story.ask(story.token)
    assert answer.status == 200
    told = answer.json
    assert told["active"] is True
    assert told["client_id"] == told["sub"] == story.app[0]
    assert (told["aud"], told["iss"], told["token_type"]) == (FILES, ISSUER, "Bearer")
    assert (told["scope"], told["roles"], told["gen"]) == ("files:read", ["auditor"], 1)
    assert told["exp"] - told["iat"] == 900
    assert told["jti"]
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Content-Type-Options") == "nosniff"


ENDINGS = {
    "regenerated": lambda own, caller, client_id: own.credentials.regenerate(caller, client_id),
    "disabled": lambda own, caller, client_id: own.credentials.disable(caller, client_id),
    "revoked": lambda own, caller, client_id: own.credentials.revoke(caller, client_id, "gone"),
    "deleted": lambda own, caller, client_id: own.credentials.delete(caller, client_id),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_what_was_ended_is_not_active_from_that_moment_on(how, story):
    assert story.says(story.token)["active"]
    ENDINGS[how](story.door.server.services, story.door.caller, story.app[0])
    assert story.says(story.token) == INACTIVE


def test_a_token_whose_key_was_revoked_is_not_active(story):
    services = story.door.server.services
    services.keys.revoke(story.door.caller, services.keys.ring().access.key.kid)
    assert story.says(story.token) == INACTIVE


def test_an_expired_token_is_not_active_on_the_second(story):
    story.door.server.clock.advance(899.5)
    assert story.says(story.token)["active"]
    story.door.server.clock.advance(0.5)
    assert story.says(story.token) == INACTIVE


def test_in_a_grace_period_the_old_tokens_are_active_to_its_end(story):
    services, clock = story.door.server.services, story.door.server.clock
    services.credentials.rotate(story.door.caller, story.app[0], 60)
    assert story.says(story.token)["active"]
    clock.advance(61)
    assert story.says(story.token) == INACTIVE


FORGED: dict[str, dict[str, Any]] = {
    "of another issuer": {"iss": ISSUER + "/"},
    "for another audience": {"aud": "urn:other"},
    "of another organization": {"org": "org_other"},
    "of another credential": {"sub": "tsc_" + "0" * 22, "client_id": "tsc_" + "0" * 22},
    "of another subject": {"sub": "somebody"},
    "that has expired": {"exp": int(NOW)},
    "of tomorrow": {"nbf": int(NOW) + 60},
    "of an old generation": {"gen": 0},
    "of an old generation of the organization": {"org_gen": 0},
    "bound to a sender": {"cnf": {"jkt": "x"}},
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_no_good_token_is_not_active_though_our_own_key_signed_it(how, story):
    assert story.says(story.signed(FORGED[how])) == INACTIVE
    assert story.says(story.signed({}))["active"]


def test_a_token_of_another_type_or_with_another_signature_is_not_active(story):
    assert story.says(story.signed({}, typ="generations+jwt")) == INACTIVE
    body, _, signature = story.token.rpartition(".")
    assert story.says(f"{body}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}") == INACTIVE


@pytest.mark.parametrize("text", ["x", "a.b.c", "ü", "x" * 20_000, "tss_" + "0" * 46])
def test_garbage_is_not_active_and_no_fault(text, story):
    assert story.says(text) == INACTIVE


def test_who_does_not_hold_the_scope_at_that_api_is_told_nothing(story):
    services = story.door.server.services
    services.catalogue.create_api(
        story.door.caller, ApiDraft("urn:other", "Other", (Scope("tokens:introspect", Kind.READ),))
    )
    elsewhere = story.credential("tokens:introspect", audience="urn:other")
    without = story.credential("files:read")
    assert story.says(story.token, elsewhere) == INACTIVE
    assert story.says(story.token, without) == INACTIVE
    assert story.says(story.token, story.app) == INACTIVE, "not even about one's own"


def test_a_scope_that_was_taken_away_is_gone_at_once(story):
    assert story.says(story.token)["active"]
    services = story.door.server.services
    services.credentials.disable(story.door.caller, story.asker[0])
    answer = story.ask(story.token)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    assert answer.json["error_description"] == "The credential is disabled.", "who has proven the secret is told why"


def test_of_another_organization_nothing_is_told(story):
    """Though it calls its own API by the same name."""
    services = story.door.server.services
    stranger = services.organizations.create(story.door.caller, "Strangers", Policy())
    there = replace(story.door.caller, organization_id=stranger.id)
    scopes = (Scope("files:read", Kind.READ), Scope("tokens:introspect", Kind.READ))
    services.catalogue.create_api(there, ApiDraft(FILES, "Theirs", scopes))
    home, story.door.caller = story.door.caller, there
    foreign = story.credential("tokens:introspect", "files:read")
    story.door.caller = home
    assert story.says(story.token, foreign) == INACTIVE
    assert story.says(story.token_of(foreign), foreign)["active"]
    assert story.says(story.token_of(foreign)) == INACTIVE


def test_a_signed_answer_is_for_this_caller_and_says_the_same(story):
    answer = story.ask(story.token, headers=[("Accept", JWT)])
    assert answer.header("Content-Type") == JWT
    keys = story.door.server.services.keys.ring().believed
    payload = open_signed(answer.body.decode(), "token-introspection+jwt", keys.get).payload
    assert {name: payload[name] for name in ("iss", "aud", "iat")} == {
        "iss": ISSUER,
        "aud": story.asker[0],
        "iat": int(NOW),
    }
    assert payload["token_introspection"] == story.says(story.token)
    dead = story.ask("x", headers=[("Accept", JWT)])
    assert (
        open_signed(dead.body.decode(), "token-introspection+jwt", keys.get).payload["token_introspection"] == INACTIVE
    )


@pytest.mark.parametrize("accept", ["*/*", "application/json", f"{JWT};q=0", "nonsense;;", ""])
def test_who_does_not_ask_for_a_signed_answer_gets_json(accept, story):
    assert story.ask(story.token, headers=[("Accept", accept)]).json["active"]


# --- revocation -------------------------------------------------------------------------------------------------------


def test_one_token_is_ended_everywhere_by_its_own_credential_and_no_other_is(story):
    other = story.token_of(story.app)
    story.revoke(story.token, by=story.app)
    assert story.says(story.token) == INACTIVE
    assert story.says(other)["active"]
    (line,) = [line for line in story.door.audit_events() if line.get("event") == "token:revoked"]
    assert (line["actor"], line["credential"]) == (f"credential:{story.app[0]}", story.app[0])
    told = story.door.server.services.feed.statement()
    keys = story.door.server.services.keys.ring().believed
    ((jti, expires_at),) = open_signed(told, "generations+jwt", keys.get, longest=10**6).payload["tokens"]
    assert (jti, expires_at) == (line["detail"]["jti"], int(NOW) + 900)


def test_revoking_twice_is_once(story):
    for _ in range(2):
        story.revoke(story.token, by=story.app)
    assert len([line for line in story.door.audit_events() if line.get("event") == "token:revoked"]) == 1


def test_a_token_of_another_credential_goes_on(story):
    story.revoke(story.token, by=story.asker)
    assert story.says(story.token)["active"]


@pytest.mark.parametrize("text", ["x", "a.b.c", "ü", "x" * 20_000])
def test_what_is_unknown_is_revoked_already(text, story):
    story.revoke(text, by=story.app)


def test_a_dead_token_leaves_no_trace(story):
    seq = story.door.server.services.feed.last_seq()
    story.door.server.clock.advance(901)
    story.revoke(story.token, by=story.app)
    assert story.door.server.services.feed.last_seq() == seq


def test_a_revoked_token_is_refused_by_the_admin_api(own_door):
    server = own_door.server
    token = server.token(server.installed.client_id, server.installed.secret)
    assert server.call("GET", "/v1/credentials", token=token).status_code == 200
    form = urlencode({"token": token, "token_type_hint": "nonsense"})
    assert own_door.send(form, basic(server.installed.client_id, server.installed.secret), path=DOORS[1]).status == 200
    assert server.call("GET", "/v1/credentials", token=token).status_code == 401


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOORS)
def test_only_a_post_of_a_form_with_one_token_is_read(path, story):
    assert story.ask(story.token, path=path, method="GET").status == 405
    assert story.ask(story.token, path=path, kind="application/json").status == 400
    assert story.ask(story.token, path=f"{path}?token=x").status == 400
    assert story.ask(None, path=path).json == {
        "error": "invalid_request",
        "error_description": "The parameter token is missing.",
    }
    assert story.door.send("token=x&token=y", basic(*story.asker), path=path).status == 400
    assert story.ask("x" * 70_000, path=path).status == 413
    assert story.ask("x\0", path=path).status == 400


@pytest.mark.parametrize("path", DOORS)
def test_the_secret_may_come_in_the_body_and_in_one_way_only(path, story):
    form = {"client_id": story.app[0], "client_secret": story.app[1], "token": story.token}
    assert story.door.send(urlencode(form), path=path).status == 200
    assert story.door.send(urlencode(form), basic(*story.app), path=path).status == 400


@pytest.mark.parametrize("path", DOORS)
def test_strangers_get_the_same_bytes_whoever_they_say_they_are(path, story):
    wrong = "tss_" + "0" * 46
    answers = {
        story.ask(story.token, asker, path=path).but_for_the_request_id().__repr__()
        for asker in [(story.app[0], wrong), ("tsc_" + "0" * 22, wrong), ("ü", "ü"), (story.app[0], "tss_x")]
    }
    anonymous = story.door.send(urlencode({"token": story.token}), path=path)
    assert len(answers | {repr(anonymous.but_for_the_request_id())}) == 1
    assert anonymous.status == 401
    assert anonymous.header("WWW-Authenticate").startswith("Basic ")


@pytest.mark.parametrize(("path", "event"), [(DOORS[0], "introspection:refused"), (DOORS[1], "revocation:refused")])
def test_failed_authentications_are_folded_in_the_audit_log(path, event, story):
    for _ in range(5):
        story.ask(story.token, (story.app[0], "wrong"), path=path)
    story.door.server.clock.advance(60)
    story.ask(story.token, (story.app[0], "wrong"), path=path)
    lines = [line for line in story.door.audit_events() if line.get("event") == event]
    assert [line["detail"].get("more") for line in lines] == [None, 4, None]
    assert {line["actor"] for line in lines} == {"stranger"}


@pytest.mark.parametrize("path", DOORS)
def test_a_credential_is_held_to_its_addresses(path, story):
    elsewhere = story.credential("tokens:introspect", allowed_ips=allowed("198.51.100.0/24"))
    assert story.ask(story.token, elsewhere, path=path).json["error"] == "unauthorized_client"
    assert story.ask(story.token, elsewhere, path=path, peer="198.51.100.7").status == 200


@pytest.mark.parametrize("path", DOORS)
def test_who_is_wrong_too_often_waits(path, door_with):
    story = Story(door_with(rate_limits="address=500/minute"))
    statuses = [story.ask(story.token, (story.app[0], "wrong"), path=path).status for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429
    assert story.ask(story.token, story.asker, path=path).status == 200, "others do not"
