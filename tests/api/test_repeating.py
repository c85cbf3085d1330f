"""Is a POST that is sent again done once and answered alike, without a secret being kept?"""

from __future__ import annotations

import json
import re
import uuid

import pytest
from pydantic import Field
from sqlalchemy import text

from app.api.outputs import Output
from app.api.repeating import NOTICE, without_secrets
from tests.support.workshop import at_once, succeeded

CREDENTIALS = "/v1/credentials"


def keyed(key=None):
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def secret_in(body):
    return re.search(r"tss_[0-9A-Za-z]{46}", json.dumps(body))


def test_a_credential_is_created_once_and_its_secret_seen_once(stocked):
    headers, body = keyed(), {"name": "nightly"}
    first = stocked.call("POST", CREDENTIALS, body, headers=headers)
    again = stocked.call("POST", CREDENTIALS, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert secret_in(first.json)
    assert again.json == {**first.json, "client_secret": None, "notice": NOTICE}
    for name in ("ETag", "Location", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert len(stocked.ok("GET", CREDENTIALS)["items"]) == 2  # and the administrator's


@pytest.mark.parametrize(("action", "body"), [("regenerate", {}), ("rotate", {"grace_seconds": 600})])
def test_a_new_secret_is_made_once(stocked, action, body):
    grants = [{"audience": "https://reports.example.com", "access": "all_read"}]
    client_id, headers = stocked.credential(grants=grants)["client_id"], keyed()
    first = stocked.call("POST", f"{CREDENTIALS}/{client_id}/{action}", body, headers=headers)
    again = stocked.call("POST", f"{CREDENTIALS}/{client_id}/{action}", body, headers=headers)
    assert first.status_code == again.status_code == 200
    assert again.json == {**first.json, "client_secret": None, "notice": NOTICE}
    assert stocked.server.token(client_id, first.json["client_secret"]), "the first one works on"


def test_no_secret_is_in_the_database(stocked):
    headers = keyed()
    made = stocked.call("POST", CREDENTIALS, {"name": "a"}, headers=headers).json
    path = f"{CREDENTIALS}/{made['client_id']}/regenerate"
    again = stocked.call("POST", path, {}, headers=keyed()).json
    with stocked.server.services.store.reading() as tx:
        rows = [list(row) for row in tx.session.execute(text("SELECT * FROM idempotency"))]
    assert len(rows) == 2
    for secret in (made["client_secret"], again["client_secret"]):
        assert secret[4:] not in str(rows)
    assert headers["Idempotency-Key"] not in str(rows), "nor the key"


def test_an_answer_without_a_secret_is_the_same_bytes(stocked):
    client_id, headers = stocked.credential()["client_id"], keyed()
    path = f"{CREDENTIALS}/{client_id}/disable"
    first = stocked.call("POST", path, headers=headers)
    stocked.ok("POST", f"{CREDENTIALS}/{client_id}/enable")
    again = stocked.call("POST", path, headers=headers)
    assert again.data == first.data
    assert stocked.read(client_id)["status"] == "active", "and nothing was done again"


OTHERS = {
    "another body": ({"name": "b"}, {}),
    "the same in other words": ({"name": "a", "description": ""}, {}),
    "another condition": ({"name": "a"}, {"If-Match": '"1"'}),
}


@pytest.mark.parametrize(("body", "more"), OTHERS.values(), ids=OTHERS.keys())
def test_the_key_of_another_request_is_refused(stocked, body, more):
    headers = keyed()
    stocked.call("POST", CREDENTIALS, {"name": "a"}, headers=headers)
    problem = stocked.problem(422, "POST", CREDENTIALS, body, headers={**headers, **more})
    assert problem["code"] == "idempotency_key_reused"


def test_the_key_of_another_operation_is_refused(stocked):
    client_id, headers = stocked.credential()["client_id"], keyed()
    stocked.ok("POST", f"{CREDENTIALS}/{client_id}/disable", {}, headers=headers)
    problem = stocked.problem(422, "POST", f"{CREDENTIALS}/{client_id}/enable", {}, headers=headers)
    assert problem["code"] == "idempotency_key_reused"


def test_each_caller_has_its_own_keys(stocked):
    headers = keyed()
    token = stocked.limited_token("roles:write")
    first = stocked.call("POST", "/v1/roles", {"name": "one"}, headers=headers)
    second = stocked.call("POST", "/v1/roles", {"name": "two"}, headers=headers, token=token)
    assert (first.status_code, second.status_code) == (201, 201)


def test_a_request_that_was_refused_may_be_repeated_under_its_key(stocked):
    headers = keyed()
    stocked.problem(422, "POST", CREDENTIALS, {"name": "a", "roles": ["missing"]}, headers=headers)
    stocked.ok("POST", "/v1/roles", {"name": "missing"})
    assert stocked.ok("POST", CREDENTIALS, {"name": "a", "roles": ["missing"]}, headers=headers)["client_secret"]


def test_a_replay_needs_the_right_to_the_request(stocked):
    headers = keyed()
    stocked.ok("POST", CREDENTIALS, {"name": "a"}, headers=headers)
    stocked.problem(401, "POST", CREDENTIALS, {"name": "a"}, headers=headers, token=None)
    stocked.problem(403, "POST", CREDENTIALS, {"name": "a"}, headers=headers, token=stocked.limited_token("roles:read"))


def test_after_a_day_a_key_is_new_again(stocked):
    headers = keyed()
    stocked.ok("POST", "/v1/roles", {"name": "one"}, headers=headers)
    stocked.server.clock.advance(86_401)
    del stocked.server.admin_token
    assert stocked.ok("POST", "/v1/roles", {"name": "two"}, headers=headers)["name"] == "two"


def test_twice_at_the_same_time_is_once(stocked):
    headers = keyed()
    _ = stocked.server.admin_token
    outcomes = at_once(*[lambda: stocked.call("POST", CREDENTIALS, {"name": "a"}, headers=headers)] * 4)
    answers = succeeded(outcomes)
    assert len(answers) == 4
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len([answer for answer in answers if secret_in(answer.json)]) == 1
    assert all(a.json["code"] == "idempotency_in_progress" for a in answers if a.status_code == 409)
    assert len([c for c in stocked.ok("GET", CREDENTIALS)["items"] if c["name"] == "a"]) == 1


def test_quoted_and_bare_are_the_same_key(stocked):
    stocked.ok("POST", "/v1/roles", {"name": "one"}, headers=keyed("abc-1"))
    again = stocked.call("POST", "/v1/roles", {"name": "one"}, headers=keyed('"abc-1"'))
    assert again.headers["Idempotent-Replayed"] == "true"


BAD_KEYS = {
    "empty": "",
    "spaces": "a b",
    "empty quotes": '""',
    "one quotation mark": '"a',
    "too long": "a" * 256,
    "a list": "a, b",
    "a list without spaces": "a,b",
    "not ASCII": "\u00e9",
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_what_is_no_key_is_refused_and_nothing_done(stocked, key):
    problem = stocked.problem(400, "POST", "/v1/roles", {"name": "one"}, headers={"Idempotency-Key": key})
    assert "Idempotency-Key" in problem["title"]
    assert stocked.ok("POST", "/v1/roles", {"name": "one"})


def test_methods_that_may_be_repeated_anyway_ignore_it(stocked):
    headers = keyed()
    client_id = stocked.credential()["client_id"]
    for _ in range(2):
        stocked.ok("GET", f"{CREDENTIALS}/{client_id}", headers=headers)
    changed = stocked.call("PATCH", f"{CREDENTIALS}/{client_id}", {"name": "x"}, if_match="*", headers=headers)
    assert "Idempotent-Replayed" not in changed.headers
    assert stocked.call("DELETE", f"{CREDENTIALS}/{client_id}", headers=headers).status_code == 204


def test_every_post_says_that_it_takes_a_key(contract):
    for operations in contract.document["paths"].values():
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert ("Idempotency-Key" in names) == (method == "post"), operation["operationId"]
            if method == "post":
                assert {"409", "422"} <= set(operation["responses"])


def every_output(kind=Output):
    return [kind, *(each for child in kind.__subclasses__() for each in every_output(child))]


def test_whatever_is_not_shown_may_be_null():
    """A replayed answer has null there, and must keep to its description."""
    for output in every_output():
        for name, field in output.model_fields.items():
            if not field.repr:
                assert type(None) in getattr(field.annotation, "__args__", ()), f"{output.__name__}.{name}"


def test_a_member_that_is_called_a_secret_is_declared_as_one():
    for output in every_output():
        for name, field in output.model_fields.items():
            assert not (name.endswith("secret") and field.repr), f"{output.__name__}.{name}: Field(repr=False)"


class Inner(Output):
    key: str | None = Field(repr=False)
    name: str


class Outer(Output):
    one: Inner
    many: list[Inner]


def test_secrets_are_taken_out_at_any_depth():
    inner = Inner(key="k", name="n")
    assert without_secrets(Outer(one=inner, many=[inner, inner])) == {
        "one": {"key": None, "name": "n"},
        "many": [{"key": None, "name": "n"}] * 2,
        "notice": NOTICE,
    }
    assert without_secrets(Outer(one=inner, many=[]))["many"] == []
