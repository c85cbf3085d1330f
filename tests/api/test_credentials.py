"""Credentials over the admin API: made, read, changed, rotated and ended, with what each does to tokens."""

from __future__ import annotations

import pytest

from tests.support.contract import REPORTS
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.secret import looks_like_client_id, looks_like_secret

READ_REPORTS = {"audience": REPORTS, "access": "custom", "scopes": ["reports:read"]}
READ_AND_WRITE_REPORTS = {"audience": REPORTS, "access": "custom", "scopes": ["reports:read", "reports:write"]}


def path_of(credential, action=""):
    return f"/v1/credentials/{credential['client_id']}{action}"


def answer_to(api, credential, secret=None):
    return api.server.ask_for_token(credential["client_id"], secret or credential["client_secret"])


# --- made and read --------------------------------------------------------------------------------------------------


def test_a_credential_is_made_with_everything_that_was_asked_for(stocked):
    asked = {
        "name": "nightly export",
        "description": "Copies the reports.",
        "roles": ["cloud_admin"],
        "grants": [READ_REPORTS],
        "allowed_ips": "192.0.2.1 - 192.0.3.254, 2001:db8::/32",
        "token_lifetime": 600,
        "expires_at": "2099-11-21T02:00:00.5+02:00",
    }
    answer = stocked.call("POST", "/v1/credentials", asked)
    made = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"https://auth.example.com/v1/credentials/{made['client_id']}"
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert looks_like_client_id(made["client_id"])
    assert looks_like_secret(made["client_secret"])
    assert made["secrets"][0]["hint"] == f"tss_…{made['client_secret'][-4:]}"
    assert made["created_by"] == f"credential:{stocked.server.installed.client_id}"
    expected = {
        **asked,
        "allowed_ips": ["192.0.2.1-192.0.3.254", "2001:db8::/32"],
        "expires_at": "2099-11-21T00:00:00Z",
        "status": "active",
        "generation": 1,
        "floor": 1,
        "rotation": None,
        "created_at": "2027-01-15T08:00:00Z",
        "last_used_at": None,
        "version": 1,
    }
    assert {name: made[name] for name in expected} == expected


def test_the_secret_is_shown_once(api):
    made = api.credential()
    read = api.read(made["client_id"])
    assert "client_secret" not in read
    assert {**read, "client_secret": made["client_secret"]} == made
    shown = api.call("GET", "/v1/credentials").text + api.call("GET", path_of(made)).text
    assert made["client_secret"] not in shown


def test_what_is_missing_gets_its_default(api):
    made = api.credential()
    expected: dict[str, object] = {
        "description": "",
        "roles": [],
        "grants": [],
        "allowed_ips": None,
        "token_lifetime": 900,
        "expires_at": "2028-01-15T08:00:00Z",
    }
    assert {name: made[name] for name in expected} == expected


def test_an_expiry_of_null_is_never(api):
    assert api.credential(expires_at=None)["expires_at"] is None


def test_a_secret_that_was_used_says_when_and_from_where(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    stocked.server.clock.advance(60)
    assert answer_to(stocked, made).status_code == 200
    read = stocked.read(made["client_id"])
    assert (read["last_used_at"], read["last_used_from"]) == ("2027-01-15T08:01:00Z", "127.0.0.1")
    assert read["secrets"][0]["last_used_at"] == "2027-01-15T08:01:00Z"
    assert read["version"] == 1


def test_the_last_use_is_the_latest_of_all_secrets(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    rotated = stocked.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 600})
    stocked.server.clock.advance(1)
    answer_to(stocked, made, rotated["client_secret"])
    stocked.server.clock.advance(1)
    answer_to(stocked, made)
    read = stocked.read(made["client_id"])
    assert [secret["last_used_at"] for secret in read["secrets"]] == ["2027-01-15T08:00:01Z", "2027-01-15T08:00:02Z"]
    assert read["last_used_at"] == "2027-01-15T08:00:02Z"


def test_a_list_is_in_the_order_of_expiry_or_of_last_use_page_after_page(stocked):
    made = {}
    for name, days in (("late", 300), ("never", None), ("early", 20)):
        expires_at = None if days is None else rfc3339(stocked.server.clock() + days * DAY)
        made[name] = stocked.credential(name=name, expires_at=expires_at, grants=[READ_REPORTS])
    for name in ("early", "late"):
        stocked.server.clock.advance(1)
        stocked.server.token(made[name]["client_id"], made[name]["client_secret"])
    orders = {"expires_at": ["early", "late", "never"], "last_used_at": ["never", "early", "late"]}
    for order, expected in orders.items():
        for sort, names in ((order, expected), (f"-{order}", expected[::-1])):
            found, cursor = [], ""
            while cursor is not None:
                page = stocked.ok("GET", f"/v1/credentials?limit=1&sort={sort}{cursor}")
                found += [item["name"] for item in page["items"]]
                cursor = page["next"] and f"&cursor={page['next']}"
            assert [name for name in found if name in made] == names
    elsewhere = stocked.ok("GET", "/v1/credentials?limit=1&sort=expires_at")["next"]
    assert "cursor" in stocked.problem(400, "GET", f"/v1/credentials?sort=-expires_at&cursor={elsewhere}")["title"]


def test_a_status_follows_the_clock(api):
    made = api.credential(expires_at="2027-03-01T08:00:00Z")
    statuses = []
    for days in (0, 15, 30):
        api.server.clock.advance(days * DAY)
        del api.server.admin_token
        statuses.append(api.read(made["client_id"])["status"])
    assert statuses == ["active", "expires_soon", "expired"]
    assert api.read(made["client_id"])["secrets"][0]["state"] == "ended"


def test_names_in_any_script_come_back_as_they_went_in(api):
    for name in (
        "nightly 🚀👩‍💻",
        "تصدير ليلي",
        "Übertragung №5",
        "<script>alert(1)</script>",
        "'; DROP TABLE credential; --",
    ):
        assert api.read(api.credential(name=name)["client_id"])["name"] == name


SAME_NAMES = {
    "in another case": ("Nightly Export", "nightly EXPORT"),
    "sharp s and its capitals": ("Straße", "STRASSE"),
    "composed and decomposed": ("Caf\u00e9", "Cafe\u0301"),
    "at full width": ("export 1", "\uff45xport \uff11"),
    "with more space between": ("nightly export", "nightly  export"),
    "a ligature and its letters": ("ﬁle", "file"),
    "with something between that nobody sees": ("nightly", "night\u200b\u00adly\ufeff"),
    "an emoji and its plain form": ("nightly ❤\ufe0f", "nightly ❤"),
}


@pytest.mark.parametrize(("first", "second"), SAME_NAMES.values(), ids=SAME_NAMES.keys())
def test_names_that_a_person_takes_for_the_same_are_the_same(api, first, second):
    api.credential(name=first)
    refused = api.problem(409, "POST", "/v1/credentials", {"name": second})
    assert refused["code"] == "name_taken"
    other = api.credential(name="other")
    path = f"/v1/credentials/{other['client_id']}"
    assert api.problem(409, "PATCH", path, {"name": second}, if_match="*")["code"] == "name_taken"
    assert api.read(other["client_id"]) == {name: value for name, value in other.items() if name != "client_secret"}


OTHER_NAMES = {
    "another script": ("paypal", "p\u0430ypal"),
    "another emoji": ("nightly 🚀", "nightly 🛰"),
    "an accent": ("cafe", "café"),
}


@pytest.mark.parametrize(("first", "second"), OTHER_NAMES.values(), ids=OTHER_NAMES.keys())
def test_names_that_differ_are_two(api, first, second):
    assert [api.credential(name=name)["name"] for name in (first, second)] == [first, second]


def test_a_name_may_be_written_anew_by_whose_it_is(api):
    made = api.credential(name="nightly export")
    assert api.change(made["client_id"], name="Nightly Export")["name"] == "Nightly Export"


@pytest.mark.parametrize(("method", "action"), [("POST", "/revoke"), ("DELETE", "")])
def test_a_name_is_free_when_its_credential_has_ended_and_not_while_it_is_disabled(api, method, action):
    path = f"/v1/credentials/{api.credential(name='nightly export')['client_id']}"
    api.ok("POST", path + "/disable")
    assert api.problem(409, "POST", "/v1/credentials", {"name": "nightly export"})["code"] == "name_taken"
    api.ok(method, path + action)
    assert api.credential(name="Nightly Export")


def test_of_a_request_that_was_submitted_twice_the_second_makes_nothing(api):
    before = len(api.ok("GET", "/v1/credentials")["items"])
    api.credential(name="nightly export")
    refused = api.problem(409, "POST", "/v1/credentials", {"name": "nightly export"})
    assert refused["code"] == "name_taken"
    assert len(api.ok("GET", "/v1/credentials")["items"]) == before + 1


# --- refused as a whole, with every faulty field --------------------------------------------------------------------


def test_every_faulty_field_is_named_at_once(stocked):
    asked = {
        "name": "   ",
        "description": "two\nlines",
        "roles": ["cloud_admin", "no spaces"],
        "grants": [{"audience": "reports", "access": "some", "scopes": [1]}],
        "allowed_ips": ["192.0.2.0/24", "192.0.2.300", "10.0.0.9-10.0.0.1"],
        "token_lifetime": 59,
        "expires_at": "tomorrow",
        "surprise": True,
    }
    pointers = stocked.pointers("POST", "/v1/credentials", asked)
    assert sorted(pointers) == [
        "",
        "/allowed_ips/1",
        "/allowed_ips/2",
        "/description",
        "/expires_at",
        "/grants/0/access",
        "/grants/0/audience",
        "/grants/0/scopes/0",
        "/name",
        "/roles/1",
        "/token_lifetime",
    ]
    assert len(stocked.ok("GET", "/v1/credentials")["items"]) == 1


OF_INTERVAL = "/rotation_schedule/interval_days"
FAULTY = {
    "no name": ({}, "/name"),
    "a name that is null": ({"name": None}, "/name"),
    "a name of 101 characters": ({"name": "x" * 101}, "/name"),
    "a name with an escape sequence": ({"name": "\x1b[31mred"}, "/name"),
    "a name with a line separator": ({"name": "a\u2028b"}, "/name"),
    "a name that turns the direction of text": ({"name": "a\u202eb"}, "/name"),
    "a name with a NUL": ({"name": "a\0b"}, "/name"),
    "a description of 1,001 characters": ({"description": "x" * 1001}, "/description"),
    "roles that are no list": ({"roles": "cloud_admin"}, "/roles"),
    "a role that is not in the catalogue": ({"roles": ["unknown"]}, "/roles"),
    "a role with a NUL": ({"roles": ["a\0"]}, "/roles/0"),
    "too many roles": ({"roles": ["cloud_admin"] * 101}, "/roles"),
    "a grant that is no object": ({"grants": ["x"]}, "/grants/0"),
    "a grant at an API that does not exist": (
        {"grants": [{"audience": "https://other.example.com"}]},
        "/grants/0/audience",
    ),
    "a scope that does not exist": (
        {"grants": [{"audience": REPORTS, "scopes": ["reports:burn"]}]},
        "/grants/0/scopes",
    ),
    "scopes where access is all": (
        {"grants": [{"audience": REPORTS, "access": "all_read", "scopes": ["reports:read"]}]},
        "/grants/0/scopes",
    ),
    "two grants at one API": ({"grants": [{"audience": REPORTS}, {"audience": REPORTS}]}, "/grants"),
    "an unknown member of a grant": ({"grants": [{"audience": REPORTS, "surprise": 1}]}, "/grants/0"),
    "no allowed address": ({"allowed_ips": []}, "/allowed_ips"),
    "blank allowed addresses": ({"allowed_ips": "  \n "}, "/allowed_ips"),
    "allowed addresses of another type": ({"allowed_ips": 5}, "/allowed_ips"),
    "an allowed address with host bits set": ({"allowed_ips": "192.0.2.1/24"}, "/allowed_ips"),
    "a lifetime that is text": ({"token_lifetime": "900"}, "/token_lifetime"),
    "a lifetime that is true": ({"token_lifetime": True}, "/token_lifetime"),
    "a lifetime that is null": ({"token_lifetime": None}, "/token_lifetime"),
    "a lifetime over an hour": ({"token_lifetime": 3601}, "/token_lifetime"),
    "a lifetime beyond all bounds": ({"token_lifetime": 10**4000}, "/token_lifetime"),
    "an expiry that is a number": ({"expires_at": 1_900_000_000}, "/expires_at"),
    "an expiry without offset": ({"expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
    "an expiry on 30 February": ({"expires_at": "2030-02-30T00:00:00Z"}, "/expires_at"),
    "an expiry in the past": ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    "a rotation every minus ninety days": ({"rotation_schedule": {"interval_days": -90}}, OF_INTERVAL),
    "a rotation every zero days": ({"rotation_schedule": {"interval_days": 0}}, OF_INTERVAL),
    "a rotation every half day": ({"rotation_schedule": {"interval_days": 0.5}}, OF_INTERVAL),
    "a rotation every eleven years": ({"rotation_schedule": {"interval_days": 4015}}, OF_INTERVAL),
    "a schedule without interval": ({"rotation_schedule": {}}, OF_INTERVAL),
    "a negative grace period": (
        {"rotation_schedule": {"interval_days": 9, "grace_seconds": -1}},
        "/rotation_schedule/grace_seconds",
    ),
    "a grace period as long as the interval": (
        {"rotation_schedule": {"interval_days": 1, "grace_seconds": DAY}},
        "/rotation_schedule",
    ),
    "an expiry beyond the calendar": ({"expires_at": "9999-12-31T23:59:59-01:00"}, "/expires_at"),
}


@pytest.mark.parametrize(("members", "pointer"), FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_field_is_refused_by_its_pointer(refusing, members, pointer):
    asked = {"name": "nightly export", **members} if members else {}
    assert refusing.pointers("POST", "/v1/credentials", asked) == [pointer]


OF_A_CHANGE = ("a name of 101", "a name that turns", "a role that is not", "a scope that does not", "an expiry in the")


@pytest.mark.parametrize(
    ("members", "pointer"), [case for name, case in FAULTY.items() if name.startswith(OF_A_CHANGE)]
)
def test_a_faulty_field_is_refused_in_a_change_and_nothing_of_it_is_done(stocked, members, pointer):
    made = stocked.credential()
    path = f"/v1/credentials/{made['client_id']}"
    assert stocked.pointers("PATCH", path, {"description": "half done", **members}, if_match="*") == [pointer]
    assert stocked.read(made["client_id"])["version"] == made["version"]


def test_a_member_that_is_not_known_is_not_repeated(api):
    answer = api.call("POST", "/v1/credentials", {"name": "x", "tss_a_secret_in_the_wrong_place": 1})
    assert answer.status_code == 422
    assert "wrong_place" not in answer.text
    assert "token_lifetime" in answer.json["errors"][0]["detail"]


# --- changed --------------------------------------------------------------------------------------------------------


def test_a_change_takes_only_the_members_that_are_present(stocked):
    made = stocked.credential(description="kept", roles=["cloud_admin"], allowed_ips="192.0.2.0/24", expires_at=None)
    changed = stocked.change(made["client_id"], name="renamed")
    del made["client_secret"]
    assert changed == {**made, "name": "renamed", "version": 2, "feed_seq": None, "proofs": []}


def test_null_means_from_anywhere_and_never(api):
    made = api.credential(allowed_ips="192.0.2.0/24")
    changed = api.change(made["client_id"], allowed_ips=None, expires_at=None)
    assert (changed["allowed_ips"], changed["expires_at"]) == (None, None)


@pytest.mark.parametrize("member", ["name", "description", "roles", "grants", "token_lifetime"])
def test_null_is_refused_where_it_means_nothing(refusing, member):
    admin = {"client_id": refusing.server.installed.client_id}
    assert refusing.pointers("PATCH", path_of(admin), {member: None}, if_match="*") == [f"/{member}"]


def test_a_change_without_members_changes_nothing(api):
    made = api.credential()
    assert api.change(made["client_id"])["version"] == 1


@pytest.mark.parametrize("member", ["client_id", "status", "generation", "secrets", "version", "owner"])
def test_what_the_server_decides_cannot_be_written(refusing, member):
    admin = refusing.read(refusing.server.installed.client_id)
    assert refusing.pointers("PATCH", path_of(admin), {member: admin[member]}, if_match="*") == [""]


NARROWING = {
    "a role less": {"roles": ["auditor"]},
    "a scope less": {"grants": [READ_REPORTS]},
    "a grant less": {"grants": []},
    "fewer addresses": {"allowed_ips": "192.0.2.0/25"},
    "a shorter lifetime": {"token_lifetime": 60},
    "an earlier end": {"expires_at": "2027-06-01T00:00:00Z"},
}


@pytest.mark.parametrize("members", NARROWING.values(), ids=NARROWING.keys())
def test_a_narrowing_change_bumps_the_generation(stocked, members):
    terms = {"roles": ["auditor", "cloud_admin"], "grants": [READ_AND_WRITE_REPORTS], "allowed_ips": "192.0.2.0/24"}
    made = stocked.credential(**terms)
    changed = stocked.change(made["client_id"], **members)
    assert (changed["generation"], changed["floor"], changed["version"]) == (2, 2, 2)


WIDENING = {
    "a role more": {"roles": ["auditor", "cloud_admin"]},
    "a scope more": {"grants": [READ_AND_WRITE_REPORTS]},
    "all scopes": {"grants": [{"audience": REPORTS, "access": "all_read_write"}]},
    "more addresses": {"allowed_ips": ["192.0.2.0/24", "198.51.100.7"]},
    "from anywhere": {"allowed_ips": None},
    "a longer lifetime": {"token_lifetime": 3600},
    "a later end": {"expires_at": "2040-06-01T00:00:00Z"},
    "no end": {"expires_at": None},
    "another name": {"name": "another"},
}


@pytest.mark.parametrize("members", WIDENING.values(), ids=WIDENING.keys())
def test_a_widening_change_disturbs_nobody(stocked, members):
    made = stocked.credential(roles=["auditor"], grants=[READ_REPORTS], allowed_ips="192.0.2.0/24")
    changed = stocked.change(made["client_id"], **members)
    assert (changed["generation"], changed["floor"], changed["version"]) == (1, 1, 2)


# --- ended ----------------------------------------------------------------------------------------------------------


def test_regenerate_ends_the_old_secret_at_once(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    answer = stocked.call("POST", path_of(made, "/regenerate"))
    body = answer.json
    assert (body["generation"], body["credential"]["floor"]) == (2, 2)
    assert answer.headers["ETag"] == '"2"'
    assert [secret["state"] for secret in body["credential"]["secrets"]] == ["current", "ended"]
    assert answer_to(stocked, made).json["error"] == "invalid_client"
    assert answer_to(stocked, made, body["client_secret"]).status_code == 200


def test_rotate_lets_both_secrets_work_until_the_second_that_grace_ends(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    rotated = stocked.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 600})
    old, new = made["client_secret"], rotated["client_secret"]
    states = {secret["id"]: secret["state"] for secret in rotated["credential"]["secrets"]}
    assert states == {rotated["old_secret_id"]: "retiring", rotated["new_secret_id"]: "current"}
    told = {name: rotated[name] for name in ("grace_expires_at", "old_secret_id", "new_secret_id")}
    assert rotated["credential"]["rotation"] == told
    assert (rotated["credential"]["generation"], rotated["credential"]["floor"]) == (2, 1)

    stocked.server.clock.advance(599)
    assert [answer_to(stocked, made, secret).status_code for secret in (old, new)] == [200, 200]
    stocked.server.clock.advance(2)
    assert [answer_to(stocked, made, secret).status_code for secret in (old, new)] == [401, 200]
    read = stocked.read(made["client_id"])
    assert (read["rotation"], read["floor"], read["version"]) == (None, 2, 2)
    assert [secret["state"] for secret in read["secrets"]] == ["current", "ended"]


def test_a_grace_period_is_a_day_when_nothing_is_said(api):
    made = api.credential()
    assert api.ok("POST", path_of(made, "/rotate"))["grace_expires_at"] == "2027-01-16T08:00:01Z"


@pytest.mark.parametrize("grace", [0, -1, 30 * DAY + 1, 1.5, "60", None, True])
def test_a_grace_period_is_a_whole_number_of_seconds_up_to_30_days(refusing, grace):
    admin = {"client_id": refusing.server.installed.client_id}
    assert refusing.pointers("POST", path_of(admin, "/rotate"), {"grace_seconds": grace}) == ["/grace_seconds"]


def test_a_second_rotation_names_the_secret_that_retires_now(api):
    made = api.credential()
    first = api.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 1})
    for _ in range(4):
        api.server.clock.advance(5)
        second = api.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 1})
        assert second["old_secret_id"] == first["new_secret_id"]
        assert second["grace_expires_at"] == second["credential"]["rotation"]["grace_expires_at"]
        first = second


def test_a_rotation_within_a_rotation_is_refused_with_what_to_do(api):
    made = api.credential()
    api.ok("POST", path_of(made, "/rotate"), {})
    problem = api.problem(409, "POST", path_of(made, "/rotate"), {})
    assert problem["code"] == "rotation_open"
    assert "finish or cancel" in problem["title"]


def test_finishing_a_rotation_ends_the_old_secret_now(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    rotated = stocked.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 600})
    finished = stocked.ok("POST", path_of(made, "/rotation/finish"))
    assert (finished["generation"], finished["floor"], finished["rotation"]) == (2, 2, None)
    assert answer_to(stocked, made).status_code == 401
    assert answer_to(stocked, made, rotated["client_secret"]).status_code == 200


def test_cancelling_a_rotation_withdraws_the_new_secret(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    rotated = stocked.ok("POST", path_of(made, "/rotate"), {"grace_seconds": 600})
    cancelled = stocked.ok("POST", path_of(made, "/rotation/cancel"), {})
    assert (cancelled["generation"], cancelled["floor"], cancelled["rotation"]) == (3, 3, None)
    assert answer_to(stocked, made).status_code == 200
    assert answer_to(stocked, made, rotated["client_secret"]).status_code == 401


@pytest.mark.parametrize("action", ["finish", "cancel"])
def test_without_a_rotation_there_is_nothing_to_finish_or_cancel(api, action):
    made = api.credential()
    assert api.problem(409, "POST", path_of(made, f"/rotation/{action}"))["code"] == "no_rotation"


def test_a_disabled_credential_gets_no_token_until_it_is_enabled(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    disabled = stocked.ok("POST", path_of(made, "/disable"))
    assert (disabled["status"], disabled["floor"], disabled["disabled_at"]) == ("disabled", 2, "2027-01-15T08:00:00Z")
    assert answer_to(stocked, made).json["error_description"] == "The credential is disabled."
    assert stocked.ok("POST", path_of(made, "/disable"))["version"] == disabled["version"]
    assert stocked.problem(409, "POST", path_of(made, "/rotate"), {})["code"] == "credential_disabled"
    enabled = stocked.ok("POST", path_of(made, "/enable"))
    assert (enabled["status"], enabled["floor"], enabled["disabled_at"]) == ("active", 2, None)
    assert stocked.ok("POST", path_of(made, "/enable"))["version"] == enabled["version"]
    assert answer_to(stocked, made).status_code == 200


def test_a_revoked_credential_is_readable_and_final(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    revoked = stocked.ok("POST", path_of(made, "/revoke"), {"reason": " left the company "})
    assert (revoked["status"], revoked["revoked_reason"], revoked["floor"]) == ("revoked", "left the company", 2)
    assert [secret["state"] for secret in revoked["secrets"]] == ["ended"]
    assert {**revoked, **stocked.read(made["client_id"])} == revoked
    assert answer_to(stocked, made).json["error"] == "invalid_client"
    again = stocked.ok("POST", path_of(made, "/revoke"), {"reason": "another"})
    assert again == {**revoked, "feed_seq": None, "proofs": []}
    for action in ("/regenerate", "/rotate", "/enable", "/disable", "/rotation/finish", "/rotation/cancel"):
        assert stocked.problem(409, "POST", path_of(made, action))["code"] == "credential_ended"
    problem = stocked.problem(409, "PATCH", path_of(made), {"roles": ["auditor"]}, if_match="*")
    assert problem["code"] == "credential_ended"


def test_a_revocation_needs_no_reason(api):
    made = api.credential()
    assert api.ok("POST", path_of(made, "/revoke"))["revoked_reason"] == ""


def test_revoking_amid_a_rotation_shows_no_open_rotation(api):
    made = api.credential()
    api.ok("POST", path_of(made, "/rotate"))
    assert api.ok("POST", path_of(made, "/revoke"))["rotation"] is None


def test_a_deleted_credential_is_gone_for_good(stocked):
    made = stocked.credential(grants=[READ_REPORTS])
    assert stocked.call("DELETE", path_of(made)).status_code == 204
    for method, action in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/regenerate")):
        assert stocked.problem(404, method, path_of(made, action))["code"] == "not_found"
    assert stocked.problem(404, "PATCH", path_of(made), {"name": "again"}, if_match="*")
    assert answer_to(stocked, made).json == answer_to(stocked, {"client_id": "tsc_" + "0" * 22}, "x").json
    assert made["client_id"] not in [item["client_id"] for item in stocked.ok("GET", "/v1/credentials")["items"]]


def test_a_deleted_credential_leaves_a_tombstone(api):
    made = api.credential()
    api.ok("DELETE", path_of(made))
    with api.server.services.store.reading() as tx:
        found = tx.session.connection().exec_driver_sql(
            "SELECT gen_floor, deleted_at FROM credential WHERE client_id = ?", (made["client_id"],)
        )
        assert found.all() == [(2, 1_800_000_000)]


def test_a_network_list_of_ten_thousand_ranges_fits(api):
    ranges = [f"10.{i // 250}.{i % 250}.1" for i in range(10_000)]
    made = api.credential(allowed_ips=ranges)
    assert len(made["allowed_ips"]) == 10_000
    assert api.read(made["client_id"])["allowed_ips"] == made["allowed_ips"]
