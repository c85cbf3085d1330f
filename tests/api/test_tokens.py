"""Does an inspection say of every token what a resource server would, and who ended it; and nothing to strangers?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.contract import REPORTS
from tokenserver.resource.testing import FakeClock, FakeIssuer

PATH = "/v1/tokens/inspect"


@pytest.fixture
def made(stocked):
    return stocked.credential(roles=["auditor"], grants=[{"audience": REPORTS, "access": "all_read"}])


@pytest.fixture
def token(stocked, made):
    return stocked.server.token(made["client_id"], made["client_secret"])


def inspect(api, token, *, as_=None, **more):
    sent = {} if as_ is None else {"token": as_}
    found = api.ok("POST", PATH, {"token": token, **more}, **sent)
    return found, {check["name"]: (check["outcome"], check["reason"]) for check in found["checks"]}


def actor(api):
    return f"credential:{api.server.installed.client_id}"


def test_a_live_token_passes_every_check_and_says_what_it_is(stocked, made, token):
    found, checks = inspect(
        stocked, token, address="192.0.2.1", roles=["auditor"], scopes=["reports:read"], audience=REPORTS
    )
    assert found["good"]
    assert {outcome for outcome, _ in checks.values()} == {"pass"}
    assert [check["number"] for check in found["checks"]] == list(range(1, 13))
    assert (found["says"]["client_id"], found["says"]["generation"]) == (made["client_id"], 1)
    assert (found["says"]["audience"], found["says"]["scopes"]) == ([REPORTS], ["reports:read"])


def test_what_is_not_asked_is_skipped_and_what_is_missing_fails(stocked, token):
    _, checks = inspect(stocked, token)
    assert {name for name, (outcome, _) in checks.items() if outcome == "skipped"} == {"audience", "roles", "scopes"}
    found, checks = inspect(stocked, token, roles=["cloud_admin"], audience="https://other.example.com")
    assert not found["good"]
    assert checks["roles"][0] == checks["audience"][0] == "fail"
    assert "cloud_admin" in checks["roles"][1]


ENDED_BY = {
    "regenerate": ({}, "Generation 1 is below the floor 2: the secret was regenerated"),
    "disable": ({}, "Generation 1 is below the floor 2: the credential was disabled"),
    "revoke": ({"reason": "left"}, "Generation 1 is below the floor 2: the credential was revoked"),
}


@pytest.mark.parametrize("how", ENDED_BY)
def test_a_token_that_was_ended_is_told_by_whom_and_when(how, stocked, made, token):
    body, words = ENDED_BY[how]
    stocked.server.clock.advance(60)
    stocked.ok("POST", f"/v1/credentials/{made['client_id']}/{how}", body)
    found, checks = inspect(stocked, token)
    assert not found["good"]
    assert checks["endings"] == ("fail", f"{words} by {actor(stocked)} at 2027-01-15T08:01:00.250Z.")


def test_a_narrowing_and_a_deletion_are_told_as_well(stocked, made, token):
    stocked.change(made["client_id"], roles=[])
    _, checks = inspect(stocked, token)
    assert "the credential was narrowed by" in checks["endings"][1]
    later = stocked.server.token(made["client_id"], made["client_secret"])
    stocked.ok("DELETE", f"/v1/credentials/{made['client_id']}")
    _, checks = inspect(stocked, later)
    assert "Generation 2 is below the floor 3: the credential was deleted by" in checks["endings"][1]


def test_what_ended_it_first_is_named_however_much_follows(stocked, made, token):
    path = f"/v1/credentials/{made['client_id']}"
    stocked.change(made["client_id"], description="disturbs nobody")
    stocked.ok("POST", f"{path}/disable")
    stocked.ok("POST", f"{path}/enable")
    stocked.ok("POST", f"{path}/regenerate")
    assert "was disabled by" in inspect(stocked, token)[1]["endings"][1]


def test_a_rotation_ends_tokens_when_its_grace_period_does(stocked, made, token):
    path = f"/v1/credentials/{made['client_id']}"
    stocked.ok("POST", f"{path}/rotate", {"grace_seconds": 300})
    assert inspect(stocked, token)[0]["good"]
    stocked.server.clock.advance(301)
    words = inspect(stocked, token)[1]["endings"][1]
    assert words.startswith("Generation 1 is below the floor 2: the secret was rotated by")
    assert words.endswith("and its grace period ended at 2027-01-15T08:05:01Z.")
    stocked.server.clock.advance(1)
    stocked.ok("POST", f"{path}/regenerate")
    assert inspect(stocked, token)[1]["endings"][1] == words, "what came later has not ended it"


def test_the_end_of_everything_of_an_organization_is_told(stocked, token):
    stocked.ok("POST", f"/v1/organizations/{stocked.server.installed.organization_id}/end-everything")
    fresh = stocked.server.token(stocked.server.installed.client_id, stocked.server.installed.secret)
    _, checks = inspect(stocked, token, as_=fresh)
    assert checks["endings"][1].startswith("Generation 1 of the organization is below the floor 2: everything of the")
    assert actor(stocked) in checks["endings"][1]


def test_a_token_that_its_app_revoked_says_so(stocked, made, token):
    form = {"client_id": made["client_id"], "client_secret": made["client_secret"], "token": token}
    assert stocked.server.app.test_client().post("/oauth/revoke", data=form).status_code == 200
    _, checks = inspect(stocked, token)
    assert checks["endings"][1].startswith(f"This very token was revoked by credential:{made['client_id']} at ")


def test_an_end_whose_audit_line_is_gone_is_still_an_end(stocked, made, token):
    stocked.ok("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    with stocked.server.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("DELETE FROM audit_event")
    outcome, reason = inspect(stocked, token)[1]["endings"]
    assert outcome == "fail"
    assert "is not in the audit log any more" in reason


def test_a_long_list_of_addresses_is_looked_up(stocked):
    ranges = [f"192.0.2.{n}" for n in range(0, 200, 2)]
    made = stocked.credential(allowed_ips=ranges, grants=[{"audience": REPORTS, "access": "all_read"}])
    asked = {"environ_base": {"REMOTE_ADDR": "192.0.2.4"}}
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    token = stocked.server.app.test_client().post("/oauth/token", data=form, **asked).get_json()["access_token"]
    assert inspect(stocked, token, address="192.0.2.4")[1]["address"][0] == "pass"
    assert inspect(stocked, token, address="192.0.2.5")[1]["address"][0] == "fail"


def test_of_another_organization_no_more_is_told_than_that_it_is_signed(stocked, made, token):
    other = stocked.ok("POST", "/v1/organizations", {"name": "Other"})["id"]
    elsewhere = {"headers": {"Tokenserver-Organization": other}}
    stocked.ok("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    found = stocked.ok("POST", PATH, {"token": token, "roles": ["auditor"], "address": "192.0.2.1"}, **elsewhere)
    assert found["says"] is None
    assert [check["outcome"] for check in found["checks"]] == ["pass"] * 5 + ["skipped"] * 7
    told = json.dumps(found)
    hidden = (made["client_id"], stocked.server.installed.organization_id, REPORTS, "auditor", "regenerated")
    assert not any(name in told for name in hidden)


def test_a_member_is_told_of_tokens_of_their_own_credentials_only(stocked, token):
    person = stocked.ok("POST", "/v1/operators", {"email": "m@example.com", "role": "member"})["id"]
    grants = [
        {"audience": "urn:tokenserver:admin", "access": "custom", "scopes": ["personal:read"]},
    ]
    own = stocked.credential(owner=person, grants=grants)
    mine = stocked.server.token(own["client_id"], own["client_secret"])
    assert inspect(stocked, token, as_=mine)[0]["says"] is None
    assert inspect(stocked, mine, as_=mine)[0]["says"]["client_id"] == own["client_id"]


FOREIGN = {
    "nonsense": "a.b.c",
    "one word": "x",
    "beyond ASCII": "é.é.é",
    "half of a pair is refused before": "\u0000",
    "far too long": "a" * 20_000,
    "a stranger's": FakeIssuer(clock=FakeClock()).token(),
}


@pytest.mark.parametrize("token", FOREIGN.values(), ids=FOREIGN.keys())
def test_whatever_is_sent_as_a_token_fails_a_check_and_is_not_repeated(token, refusing):
    if token == "\u0000":
        token = "\u0000."
    answer = refusing.call("POST", PATH, {"token": token})
    assert answer.status_code == 200, answer.text
    assert not answer.json["good"]
    assert answer.json["says"] is None
    if len(token) > 1:
        assert token not in answer.text
        assert json.dumps(token)[1:-1] not in answer.text


FAULTY: dict[str, list[dict[str, Any]]] = {
    "/token": [{"token": ""}, {"token": "  "}, {"token": 7}, {"token": None}],
    "": [{}, {"token": "x", "ip": "192.0.2.1"}],
    "/address": [{"token": "x", "address": "192.0.2.0/24"}, {"token": "x", "address": "localhost"}],
    "/roles/0": [{"token": "x", "roles": ["a b"]}],
    "/scopes/0": [{"token": "x", "scopes": [7]}],
    "/audience": [{"token": "x", "audience": "not a uri"}],
}


@pytest.mark.parametrize(("pointer", "body"), [(pointer, body) for pointer, all_ in FAULTY.items() for body in all_])
def test_a_faulty_question_says_where_it_is_faulty(pointer, body, refusing):
    assert refusing.pointers("POST", PATH, body) == [pointer or ("/token" if not body else "")]


def test_it_takes_the_permission_to_read_credentials(refusing):
    refusing.problem(403, "POST", PATH, {"token": "x"}, token=refusing.limited_token("audit:read", "roles:read"))
    reader = refusing.limited_token("credentials:read")
    assert refusing.call("POST", PATH, {"token": "x"}, token=reader).status_code == 200


def test_the_token_is_in_no_log_and_no_row_even_with_an_idempotency_key(stocked, token, caplog):
    caplog.set_level("DEBUG")
    for _ in range(2):
        stocked.ok("POST", PATH, {"token": token}, headers={"Idempotency-Key": "once"})
    assert token not in caplog.text
    with stocked.server.services.store.reading() as tx:
        kept = "".join(tx.session.connection().connection.driver_connection.iterdump())
    assert token not in kept
    assert token.rpartition(".")[2] not in kept
