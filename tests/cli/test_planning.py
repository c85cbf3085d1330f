"""Is a plan complete, in an order that works, honest about what ends, and empty when there is nothing to do?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenserver.cli.declaration import read_declaration
from tokenserver.cli.failures import Failure
from tokenserver.cli.planning import Deed, Present, plan

API = {
    "id": "api_1",
    "audience": "urn:x",
    "name": "X",
    "version": 3,
    "scopes": [
        {"name": "r", "access": "read", "sensitive": False, "description": ""},
        {"name": "w", "access": "write", "sensitive": False, "description": ""},
    ],
}
ADMIN_API = {**API, "id": "api_0", "audience": "urn:tokenserver:admin"}
ROLE = {"id": "role_1", "name": "reader", "description": "", "audience": None, "version": 1}
CREDENTIAL = {
    "client_id": "tsc_1",
    "name": "export",
    "description": "",
    "status": "active",
    "roles": ["reader"],
    "grants": [{"audience": "urn:x", "access": "custom", "scopes": ["r"]}],
    "allowed_ips": ["192.0.2.0/24"],
    "token_lifetime": 900,
    "expires_at": "2027-11-21T00:00:00Z",
    "project": None,
    "environment": None,
    "disabled_at": None,
    "version": 5,
}
SAME = (
    "{name: export, roles: [reader, reader], grants: ['urn:x=r'], allowed_ips: [192.0.2.128/25, 192.0.2.0/25],"
    " token_lifetime: 15m, expires_at: 2027-11-21}"
)


def planned(text, present=None, **more):
    present = present or Present([ADMIN_API, API], [ROLE], [CREDENTIAL], "tsc_own")
    return plan(read_declaration(Path("f"), f"version: 1\n{text}\n"), present, **more)


def credential(members, **present):
    there = Present([ADMIN_API, API], [ROLE], [{**CREDENTIAL, **present}])
    (step,) = planned(f"credentials: [{{name: export, {members}}}]", there)
    return step


def test_what_is_the_same_in_other_words_is_unchanged():
    steps = planned(
        f"apis: [{{audience: 'urn:x', scopes: [w=write, r=read]}}]\nroles: [{{name: reader}}]\ncredentials: [{SAME}]"
    )
    assert [step.deed for step in steps] == [Deed.UNCHANGED] * 3


ENDING = {
    "a role less": ("roles: []", True),
    "a role more": ("roles: [reader, other]", False),
    "a scope less": ("grants: []", True),
    "a scope more": ("grants: ['urn:x=r,w']", False),
    "all that reads, which is the same today": ("grants: ['urn:x=all_read']", False),
    "fewer addresses": ("allowed_ips: 192.0.2.1", True),
    "more addresses": ("allowed_ips: 192.0.0.0/16", False),
    "from anywhere": ("allowed_ips: null", False),
    "a shorter lifetime": ("token_lifetime: 60", True),
    "a longer lifetime": ("token_lifetime: 1h", False),
    "an earlier end": ("expires_at: 2027-01-01", True),
    "no end": ("expires_at: never", False),
    "another description": ("description: other", False),
    "another project": ("project: other", True),
    "another environment": ("environment: production", True),
    "a rotation on schedule": ("rotation_schedule: 90d", False),
    "switched off": ("disabled: true", True),
}


@pytest.mark.parametrize(("members", "ends"), ENDING.values(), ids=ENDING.keys())
def test_a_change_says_whether_tokens_end(members, ends):
    step = credential(members)
    assert (step.deed, step.ends) == (Deed.CHANGE, ends)
    assert [member for member, _, _ in step.differences] == [members.split(":")[0]]
    assert set(step.body) == {members.split(":")[0]}


def test_switching_on_ends_nothing_and_staying_off_is_no_change():
    assert credential("disabled: false", disabled_at="2026-01-01T00:00:00Z").ends is False
    assert credential("disabled: true", disabled_at="2026-01-01T00:00:00Z").deed is Deed.UNCHANGED


def test_what_is_not_mentioned_is_left_alone():
    assert credential("description: ''").deed is Deed.UNCHANGED
    assert [step.title for step in planned("roles: []")] == []


def test_things_are_made_before_they_are_asked_for_and_taken_away_after_nobody_holds_them():
    text = """
apis:
  - {audience: 'urn:x', name: Renamed, scopes: [r=read, n=read]}
  - {audience: 'urn:new', name: New}
roles: [{name: other}]
credentials: [{name: export, grants: ['urn:x=r,n']}, {name: second}]"""
    steps = planned(text, prune=True)
    assert [(step.deed, step.kind, step.title) for step in steps] == [
        (Deed.CHANGE, "api", "urn:x"),
        (Deed.CREATE, "api", "urn:new"),
        (Deed.CREATE, "role", "other"),
        (Deed.CHANGE, "credential", "export"),
        (Deed.CREATE, "credential", "second"),
        (Deed.CHANGE, "api", "urn:x"),
        (Deed.DELETE, "role", "reader"),
    ]
    widening, narrowing = steps[0], steps[5]
    assert {scope["name"] for scope in widening.body["scopes"]} == {"r", "w", "n"}
    assert {scope["name"] for scope in narrowing.body["scopes"]} == {"r", "n"}
    assert [widening.ends, narrowing.ends] == [False, True]


def test_pruning_is_asked_for_and_spares_the_admin_api_and_the_credential_that_prunes():
    own = {**CREDENTIAL, "client_id": "tsc_own", "name": "own"}
    ended = {**CREDENTIAL, "client_id": "tsc_2", "name": "old", "status": "revoked"}
    present = Present([ADMIN_API, API], [ROLE], [CREDENTIAL, own, ended], "tsc_own")
    assert planned("roles: []", present) == ()
    steps = planned("roles: []", present, prune=True)
    assert [(step.kind, step.title, step.ends) for step in steps] == [
        ("credential", "export", True),
        ("role", "reader", True),
        ("api", "urn:x", True),
    ]


def test_one_that_has_ended_for_good_makes_way_for_a_new_one():
    for status in ("revoked", "expired"):
        assert credential("description: x", status=status).deed is Deed.CREATE


def test_two_of_one_name_are_a_conflict_only_if_the_file_means_them():
    twins = Present([API], [], [CREDENTIAL, {**CREDENTIAL, "client_id": "tsc_2"}])
    assert planned("credentials: []", twins) == ()
    with pytest.raises(Failure, match="tsc_1, tsc_2") as failed:
        planned("credentials: [{name: export}]", twins)
    assert failed.value.exit_code == 5


NEVER = {
    "the API of a role": ("roles: [{name: reader, audience: 'urn:x'}]", "line 2: the API of a role never changes"),
    "an API without a name": ("apis: [{audience: 'urn:new'}]", "line 2: an API that is not there yet needs a name"),
}


@pytest.mark.parametrize(("text", "told"), NEVER.values(), ids=NEVER.keys())
def test_what_can_never_be_is_told_before_anything_is_done(text, told):
    with pytest.raises(Failure, match=told):
        planned(text)


# --- what is shared by organizations ---

SHARED_API, SHARED_ROLE = {**API, "shared": True, "own": True}, {**ROLE, "shared": True, "own": True}
SHARE = """
apis: [{audience: 'urn:x', shared: true, scopes: [r=read, n=read]}]
roles: [{name: reader, shared: true}]"""
UNSHARE = """
apis: [{audience: 'urn:x', shared: false, scopes: [r=read, n=read]}]
roles: [{name: reader, shared: false}]
credentials: [{name: second}]"""


def bodies(steps):
    return [(step.kind, set(step.body or {}), (step.body or {}).get("shared"), step.ends) for step in steps]


def test_an_api_is_shared_before_its_roles_and_shared_no_more_after_all_else():
    assert bodies(planned(SHARE, Present([ADMIN_API, API], [ROLE], []))) == [
        ("api", {"scopes", "shared"}, True, False),
        ("role", {"shared"}, True, False),
        ("api", {"scopes"}, None, True),
    ]
    assert bodies(planned(UNSHARE, Present([ADMIN_API, SHARED_API], [SHARED_ROLE], []))) == [
        ("api", {"scopes"}, None, False),
        ("role", {"shared"}, False, True),
        ("credential", {"name"}, None, False),
        ("api", {"scopes", "shared"}, False, True),
    ]


def test_what_is_shared_stays_so_where_the_file_does_not_say_it():
    there = Present([ADMIN_API, SHARED_API], [SHARED_ROLE], [])
    steps = planned("apis: [{audience: 'urn:x', scopes: [r=read, w=write]}]\nroles: [{name: reader}]", there)
    assert [step.deed for step in steps] == [Deed.UNCHANGED] * 2


THEIRS = Present([ADMIN_API, {**SHARED_API, "own": False}], [{**SHARED_ROLE, "own": False}], [])
OF_ANOTHER = {
    "other scopes": "apis: [{audience: 'urn:x', scopes: [r=read]}]",
    "another name": "apis: [{audience: 'urn:x', name: Ours}]",
    "an API of one's own": "apis: [{audience: 'urn:x', shared: false}]",
    "another description": "roles: [{name: reader, description: ours}]",
    "a role of one's own": "roles: [{name: reader, shared: false}]",
}


@pytest.mark.parametrize("text", OF_ANOTHER.values(), ids=OF_ANOTHER.keys())
def test_what_another_organization_shares_is_never_changed(text):
    with pytest.raises(Failure, match=r"line 2: another organization shares this (api|role)"):
        planned(text, THEIRS)


def test_what_another_organization_shares_may_be_mentioned_as_it_is_asked_for_and_is_never_pruned():
    text = """
apis: [{audience: 'urn:x', shared: true, scopes: [w=write, r=read]}]
credentials: [{name: export, roles: [reader], grants: ['urn:x=r']}]"""
    steps = planned(text, THEIRS, prune=True)
    assert [(step.deed, step.kind) for step in steps] == [(Deed.UNCHANGED, "api"), (Deed.CREATE, "credential")]
