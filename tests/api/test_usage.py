"""Are reports summed exactly once, for one's own organization only; and is what is said of them so?"""

from __future__ import annotations

import pytest

from app.store.usage import MOST_ROWS
from tests.support.contract import REPORTS
from tokenserver.clock import DAY, HOUR

PATH = "/v1/usage-reports"
PROCESS = "p" * 16


def use(client_id, **members):
    return {
        "client_id": client_id,
        "route": "GET /reports/{id}",
        "status": 200,
        "address": "192.0.2.17",
        "count": 5,
        "first_ago_ms": 4000,
        "last_ago_ms": 1000,
        **members,
    }


def report(*uses, **members):
    return {
        "instance": "api-1",
        "process": PROCESS,
        "batch": 1,
        "audience": REPORTS,
        "interval_ms": 5000,
        "uses": list(uses),
        **members,
    }


@pytest.fixture
def client_id(stocked):
    return stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])["client_id"]


def usage_of(api, client_id):
    return api.ok("GET", f"/v1/credentials/{client_id}/usage")


def instances(api, query=""):
    return api.ok("GET", f"/v1/apis/{api.only_api()['id']}/instances{query}")


# --- usage ----------------------------------------------------------------------------------------------------------


def test_a_credential_shows_by_api_route_status_and_address_what_it_did(stocked, client_id):
    refused = use(client_id, status=403, count=2, address="2001:DB8::1")
    taken = stocked.ok("POST", PATH, report(use(client_id), use(client_id, route=None, address=None), refused))
    assert taken == {"counted": 12, "ignored": 0, "repeated": False}
    found = usage_of(stocked, client_id)
    assert found["count"] == 10
    assert found["first_used_at"] == "2027-01-15T07:59:56Z"
    assert found["last_used_at"] == "2027-01-15T07:59:59Z"
    assert [(api["audience"], api["count"]) for api in found["apis"]] == [(REPORTS, 10)]
    assert {route["route"]: route["count"] for route in found["routes"]} == {"GET /reports/{id}": 5, None: 5}
    assert {one["status"]: one["count"] for one in found["statuses"]} == {200: 10, 403: 2}
    assert {one["address"]: one["count"] for one in found["addresses"]} == {"192.0.2.17": 5, None: 5}
    assert found["unused_apis"] == []


# --- the last use of a secret ---------------------------------------------------------------------------------------


def fetched(stocked, seconds_ago=60):
    """A credential that has fetched a token with its secret."""
    made = stocked.credential(grants=[{"audience": REPORTS, "access": "all_read"}])
    stocked.server.token(made["client_id"], made["client_secret"])
    stocked.server.clock.advance(seconds_ago)
    return made


def last_uses(stocked, client_id):
    """By the state of the secret."""
    secrets = stocked.read(client_id)["secrets"]
    return {secret["state"]: (secret["last_used_at"], secret["last_used_from"]) for secret in secrets}


FETCHED = ("2027-01-15T08:00:00Z", "127.0.0.1")


def test_what_was_let_in_moves_the_last_use_of_the_secret_and_of_the_credential(stocked):
    client_id = fetched(stocked)["client_id"]
    assert last_uses(stocked, client_id) == {"current": FETCHED}
    stocked.ok("POST", PATH, report(use(client_id, generation=1), use(client_id, generation=1, last_ago_ms=3000)))
    assert last_uses(stocked, client_id) == {"current": ("2027-01-15T08:00:59Z", "192.0.2.17")}
    shown = stocked.read(client_id)
    assert (shown["last_used_at"], shown["last_used_from"]) == ("2027-01-15T08:00:59Z", "192.0.2.17")


def test_in_a_grace_period_the_generation_tells_which_of_two_secrets(stocked):
    made = fetched(stocked)
    client_id = made["client_id"]
    new = stocked.ok("POST", f"/v1/credentials/{client_id}/rotate", {"grace_seconds": 3600})
    stocked.server.token(client_id, new["client_secret"])
    stocked.server.clock.advance(60)
    old, young = use(client_id, generation=1, last_ago_ms=2000), use(client_id, generation=2, address=None)
    stocked.ok("POST", PATH, report(old))
    just_fetched = ("2027-01-15T08:01:00Z", "127.0.0.1")
    assert last_uses(stocked, client_id) == {
        "retiring": ("2027-01-15T08:01:58Z", "192.0.2.17"),
        "current": just_fetched,
    }
    stocked.ok("POST", PATH, report(young, batch=2))
    assert last_uses(stocked, client_id)["current"] == ("2027-01-15T08:01:59Z", None)
    stocked.ok("POST", f"/v1/credentials/{client_id}/disable")
    stocked.ok("POST", PATH, report(use(client_id, generation=2, last_ago_ms=0), batch=3))
    assert last_uses(stocked, client_id)["current"] == ("2027-01-15T08:01:59Z", None), "that number is nobody's now"


def test_what_was_done_until_the_end_of_a_grace_period_is_told_after_it(stocked):
    client_id = fetched(stocked)["client_id"]
    stocked.ok("POST", f"/v1/credentials/{client_id}/rotate", {"grace_seconds": 60})
    stocked.server.clock.advance(61)
    stocked.ok("POST", PATH, report(use(client_id, generation=1, last_ago_ms=2000)))
    assert last_uses(stocked, client_id)["ended"] == ("2027-01-15T08:01:59Z", "192.0.2.17")


MOVES_NOTHING = {
    "not told, as by an older resource server": {"generation": None},
    "one that was never minted": {"generation": 2},
    "the largest there is": {"generation": 2**53 - 1},
    "of somebody who was refused": {"generation": 1, "status": 403},
    "earlier than what is known": {"generation": 1, "first_ago_ms": 70_000, "last_ago_ms": 61_000},
    "of nobody": {"generation": 1, "client_id": None},
    "of a stranger": {"generation": 1, "client_id": "tsc_nobody"},
}


@pytest.mark.parametrize("told", MOVES_NOTHING.values(), ids=MOVES_NOTHING.keys())
def test_a_generation_that_says_nothing_of_a_secret_moves_no_last_use(stocked, told):
    client_id = fetched(stocked)["client_id"]
    before = stocked.read(client_id)
    stocked.ok("POST", PATH, report({**use(client_id), **told}))
    assert stocked.read(client_id) == before


def test_a_report_makes_no_secret_look_used_that_never_fetched_a_token(stocked, client_id):
    """Else who may report could end the old secret of a rotation on schedule."""
    before = stocked.read(client_id)
    stocked.ok("POST", PATH, report(use(client_id, generation=1)))
    assert stocked.read(client_id) == before


# --- sums -----------------------------------------------------------------------------------------------------------


def test_a_batch_counts_once_however_often_it_is_sent(stocked, client_id):
    sent = report(use(client_id))
    stocked.ok("POST", PATH, sent)
    assert stocked.ok("POST", PATH, sent) == {"counted": 0, "ignored": 0, "repeated": True}
    stocked.ok("POST", PATH, report(use(client_id), batch=2))
    stocked.ok("POST", PATH, report(use(client_id), batch=1, process="another_process"))
    assert usage_of(stocked, client_id)["count"] == 15


def test_grants_of_which_no_use_is_made_are_named_where_use_is_told(stocked, client_id):
    assert usage_of(stocked, client_id)["unused_apis"] == []
    stocked.ok("POST", PATH, report(use(None, status=401, address=None)))
    assert usage_of(stocked, client_id)["unused_apis"] == [REPORTS]


def test_sums_are_bounded_whatever_is_reported(stocked, client_id):
    for batch in range(1, 4):
        uses = [use(client_id, address=f"198.51.{batch}.{n}", route=f"GET /{n}", count=1) for n in range(150)]
        stocked.ok("POST", PATH, report(*uses, batch=batch))
    found = usage_of(stocked, client_id)
    assert found["count"] == 450
    assert len(found["addresses"]) == MOST_ROWS + 1


def test_what_is_old_is_forgotten(stocked, client_id):
    stocked.ok("POST", PATH, report(use(client_id)))
    stocked.server.clock.advance(91 * DAY)
    del stocked.server.__dict__["admin_token"]
    stocked.ok("POST", PATH, report(use(client_id, count=1), batch=2))
    assert usage_of(stocked, client_id)["count"] == 1


def test_a_report_leaves_no_audit_line(stocked, client_id):
    before = len(list(stocked.server.services.audit_trail.export()))
    stocked.ok("POST", PATH, report(use(client_id)))
    assert len(list(stocked.server.services.audit_trail.export())) == before


# --- whose ----------------------------------------------------------------------------------------------------------


def test_a_reporter_tells_of_its_own_organization_only(stocked, client_id):
    other = stocked.ok("POST", "/v1/organizations", {"name": "Other"})["id"]
    there = {"headers": {"Tokenserver-Organization": other}}
    stocked.ok("POST", "/v1/apis", {"audience": REPORTS, "name": "Theirs"}, **there)
    theirs = stocked.ok("POST", "/v1/credentials", {"name": "theirs"}, **there)["client_id"]
    told = stocked.ok("POST", PATH, report(use(client_id), use(theirs), use("tsc_nobody"), use(None, status=401)))
    assert told == {"counted": 10, "ignored": 10, "repeated": False}
    assert stocked.ok("GET", f"/v1/credentials/{theirs}/usage", **there)["count"] == 0
    stocked.problem(404, "GET", f"/v1/credentials/{client_id}/usage", **there)
    stocked.problem(404, "GET", f"/v1/apis/{stocked.only_api()['id']}/instances", **there)


def test_a_reporter_needs_its_own_scope_and_no_more(stocked, client_id):
    reporter = stocked.limited_token("usage:write")
    assert stocked.ok("POST", PATH, report(use(client_id)), token=reporter)["counted"] == 5
    stocked.problem(403, "GET", f"/v1/credentials/{client_id}/usage", token=reporter)
    stocked.problem(403, "POST", PATH, report(), token=stocked.limited_token("credentials:write"))


def test_an_api_that_is_not_there_is_a_fault_of_the_report(stocked):
    assert stocked.pointers("POST", PATH, report(audience="https://nowhere.example.com")) == ["/audience"]


# --- bad reports ----------------------------------------------------------------------------------------------------

BAD = {
    "a number beyond all bounds": ({"count": 10**400}, "/uses/0/count"),
    "a request that was not": ({"count": 0}, "/uses/0/count"),
    "a fraction of a request": ({"count": 1.5}, "/uses/0/count"),
    "a time in the future": ({"last_ago_ms": -1}, "/uses/0/last_ago_ms"),
    "a time long ago": ({"first_ago_ms": 8 * DAY * 1000}, "/uses/0/first_ago_ms"),
    "a last request before the first": ({"first_ago_ms": 1, "last_ago_ms": 2}, "/uses/0"),
    "no status": ({"status": 99}, "/uses/0/status"),
    "a name for an address": ({"address": "localhost"}, "/uses/0/address"),
    "a route with a line break": ({"route": "GET /\nx"}, "/uses/0/route"),
    "a long route": ({"route": "x" * 201}, "/uses/0/route"),
    "a client ID that is none": ({"client_id": "a b"}, "/uses/0/client_id"),
    "an unknown member": ({"path": "/x"}, "/uses/0"),
    "generation zero": ({"generation": 0}, "/uses/0/generation"),
    "a generation beyond 2^53": ({"generation": 2**53}, "/uses/0/generation"),
    "a generation in words": ({"generation": "1"}, "/uses/0/generation"),
}


@pytest.mark.parametrize(("wrong", "pointer"), BAD.values(), ids=BAD.keys())
def test_a_faulty_use_is_refused_with_its_place(refusing, wrong, pointer):
    assert refusing.pointers("POST", PATH, report({**use("tsc_x"), **wrong})) == [pointer]


BAD_REPORTS = {
    "too many uses": ({"uses": [use(None)] * 1001}, "/uses"),
    "a number for a process": ({"process": "p p"}, "/process"),
    "batch zero": ({"batch": 0}, "/batch"),
    "a batch beyond 2^53": ({"batch": 2**53}, "/batch"),
    "an interval of nothing": ({"interval_ms": 0}, "/interval_ms"),
    "a change in the future": ({"applied": [{"seq": 1, "ago_ms": -5}]}, "/applied/0/ago_ms"),
    "changes out of order": ({"applied": [{"seq": 2, "ago_ms": 5}, {"seq": 1, "ago_ms": 1}]}, "/applied"),
    "a change below zero": ({"applied": [{"seq": -1, "ago_ms": 5}]}, "/applied/0/seq"),
    "too many changes": ({"applied": [{"seq": n, "ago_ms": 5} for n in range(17)]}, "/applied"),
    "leaving, in words": ({"leaving": "yes"}, "/leaving"),
}


@pytest.mark.parametrize(("wrong", "pointer"), BAD_REPORTS.values(), ids=BAD_REPORTS.keys())
def test_a_faulty_report_is_refused_with_its_place(refusing, wrong, pointer):
    assert refusing.pointers("POST", PATH, report(**wrong)) == [pointer]


# --- who has applied a change ---------------------------------------------------------------------------------------


def test_the_answer_that_ends_tokens_says_where_its_end_is_proven(stocked, client_id):
    done = stocked.ok("POST", f"/v1/credentials/{client_id}/regenerate")
    (proof,) = done["proofs"]
    assert proof.endswith(f"/v1/apis/{stocked.only_api()['id']}/instances?seq={done['feed_seq']}")
    path = proof.removeprefix(stocked.server.settings.issuer)
    assert stocked.ok("GET", path)["summary"] == "No resource server of this API reports."
    stocked.server.clock.advance(3)
    applied = [{"seq": done["feed_seq"] - 1, "ago_ms": 9000}, {"seq": done["feed_seq"], "ago_ms": 2200}]
    stocked.ok("POST", PATH, report(applied=applied))
    stocked.ok("POST", PATH, report(applied=applied[:1], process="q" * 16, instance="api-2"))
    found = stocked.ok("GET", path)
    assert found["summary"] == f"1 of 2 have applied change {done['feed_seq']}."
    assert [(one["applied"], one["seconds_after"]) for one in found["instances"]] == [(True, 0.8), (False, None)]
    stocked.ok("POST", PATH, report(applied=applied, process="q" * 16, instance="api-2", batch=2))
    assert stocked.ok("GET", path)["summary"] == f"2 of 2 have applied change {done['feed_seq']}, 0.8 s after it."


@pytest.mark.parametrize("action", ["rotate", "disable", "revoke"])
def test_every_ending_names_its_change(stocked, client_id, action):
    done = stocked.ok("POST", f"/v1/credentials/{client_id}/{action}")
    assert isinstance(done["feed_seq"], int)
    assert instances(stocked, f"?seq={done['feed_seq']}")["changed_at"] is not None


def test_what_changes_nothing_has_no_change_to_prove(stocked, client_id):
    stocked.ok("POST", f"/v1/credentials/{client_id}/disable")
    done = stocked.ok("POST", f"/v1/credentials/{client_id}/disable")
    assert (done["feed_seq"], done["proofs"]) == (None, [])


def test_a_process_that_is_not_heard_of_is_silent_and_after_an_hour_forgotten(stocked):
    stocked.ok("POST", PATH, report())
    stocked.server.clock.advance(15)
    assert instances(stocked)["silent"] == 0
    stocked.server.clock.advance(2)
    assert (instances(stocked)["silent"], instances(stocked)["total"]) == (1, 1)
    stocked.server.clock.advance(HOUR)
    del stocked.server.__dict__["admin_token"]
    assert instances(stocked)["total"] == 0


def test_a_process_that_says_goodbye_is_no_longer_counted(stocked):
    stocked.ok("POST", PATH, report())
    stocked.ok("POST", PATH, report(batch=2, leaving=True))
    assert instances(stocked)["total"] == 0


def test_a_repeated_batch_brings_its_news_of_the_feed(stocked):
    stocked.ok("POST", PATH, report())
    stocked.ok("POST", PATH, report(applied=[{"seq": 0, "ago_ms": 0}]))
    assert instances(stocked, "?seq=0")["applied"] == 1


@pytest.mark.parametrize("seq", ["x", "-1", "1.5", "", "9" * 17, "9" * 16, "\u0661"])
def test_a_number_that_is_none_is_refused(refusing, seq):
    api_id = refusing.only_api()["id"]
    refusing.problem(400, "GET", f"/v1/apis/{api_id}/instances?seq={seq}")


def test_a_change_that_was_not_yet_cannot_be_proven(refusing):
    api_id = refusing.only_api()["id"]
    refusing.problem(404, "GET", f"/v1/apis/{api_id}/instances?seq=100000")
