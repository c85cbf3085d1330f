"""What a grant means today, and whether a change takes anything away: in sentences, and by all a token could do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.credentials import (
    CATALOGUE,
    NOW,
    QUICK,
    READ_KEYS,
    READ_REPORTS,
    REPORTS,
    REPORTS_API,
    VAULT,
    VAULT_API,
    addresses,
    terms,
)
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Api, Catalogue, Kind, Scope
from tokenserver.domain.restrictions import Access, Grant, Restrictions, narrows


def custom(*scopes: str) -> Grant:
    return Grant(REPORTS, Access.CUSTOM, frozenset(scopes))


ALL_READ = Grant(REPORTS, Access.ALL_READ)
ALL_READ_WRITE = Grant(REPORTS, Access.ALL_READ_WRITE)

EXPORT = Scope("reports:export", Kind.READ)
GROWN = replace(REPORTS_API, scopes=(*REPORTS_API.scopes, EXPORT, Scope("reports:delete", Kind.WRITE)))
SHRUNK = replace(REPORTS_API, scopes=tuple(each for each in REPORTS_API.scopes if each.name != "reports:read"))

MEANINGS = {
    "custom: the listed scopes": (custom("reports:read"), REPORTS_API, {"reports:read"}),
    "custom: a sensitive scope, since it is listed": (custom("people:read"), REPORTS_API, {"people:read"}),
    "custom: nothing, when nothing is listed": (custom(), REPORTS_API, set()),
    "custom: no scope that left the catalogue": (custom("reports:read", "reports:write"), SHRUNK, {"reports:write"}),
    "custom: no scope that never was": (custom("reports:own"), REPORTS_API, set()),
    "custom: no scope of the future": (custom("reports:read"), GROWN, {"reports:read"}),
    "all_read: the read scopes that are not sensitive": (ALL_READ, REPORTS_API, {"reports:read"}),
    "all_read: future read scopes as well": (ALL_READ, GROWN, {"reports:read", "reports:export"}),
    "all_read: no scope that left the catalogue": (ALL_READ, SHRUNK, set()),
    "all_read_write: all scopes that are not sensitive": (
        ALL_READ_WRITE,
        REPORTS_API,
        {"reports:read", "reports:write"},
    ),
    "all_read_write: future scopes as well": (
        ALL_READ_WRITE,
        GROWN,
        {"reports:read", "reports:write", "reports:export", "reports:delete"},
    ),
    "all_read: a list beside it adds nothing": (
        Grant(REPORTS, Access.ALL_READ, frozenset({"people:read"})),
        REPORTS_API,
        {"reports:read"},
    ),
}


@pytest.mark.parametrize(("grant", "api", "meaning"), MEANINGS.values(), ids=MEANINGS.keys())
def test_a_grant_means(grant: Grant, api: Api, meaning: set[str]) -> None:
    assert grant.resolved(api) == meaning


def test_a_grant_at_an_api_that_is_gone_means_nothing() -> None:
    both = terms(grants=(READ_REPORTS, READ_KEYS))
    assert both.scopes_at(CATALOGUE) == {REPORTS: {"reports:read"}, VAULT: {"keys:read"}}
    assert both.scopes_at({VAULT: VAULT_API}) == {VAULT: {"keys:read"}}
    assert both.scopes_at({}) == {}


ANYWHERE, OFFICE = None, addresses("192.0.2.0/24")
BOTH_ROLES, ONE_ROLE = frozenset({"admin", "auditor"}), frozenset({"admin"})

SENTENCES = {
    "no change narrows nothing": (terms(), terms(), False),
    "taking a role away narrows": (terms(roles=BOTH_ROLES), terms(roles=ONE_ROLE), True),
    "adding a role does not": (terms(roles=ONE_ROLE), terms(roles=BOTH_ROLES), False),
    "exchanging a role narrows": (terms(roles=ONE_ROLE), terms(roles=frozenset({"auditor"})), True),
    "taking a scope away narrows": (
        terms(grants=(custom("reports:read", "reports:write"),)),
        terms(grants=(custom("reports:read"),)),
        True,
    ),
    "adding a scope does not": (
        terms(grants=(custom("reports:read"),)),
        terms(grants=(custom("reports:read", "reports:write"),)),
        False,
    ),
    "taking an API away narrows": (terms(grants=(READ_REPORTS, READ_KEYS)), terms(grants=(READ_KEYS,)), True),
    "taking an API away narrows even where no scope was granted: roles count there too": (
        terms(grants=(custom(), READ_KEYS)),
        terms(grants=(READ_KEYS,)),
        True,
    ),
    "adding an API does not": (terms(grants=(READ_KEYS,)), terms(grants=(READ_KEYS, READ_REPORTS)), False),
    "the order of grants is no matter": (
        terms(grants=(READ_REPORTS, READ_KEYS)),
        terms(grants=(READ_KEYS, READ_REPORTS)),
        False,
    ),
    "from all_read to a list of every read scope of today takes nothing away": (
        terms(grants=(ALL_READ,)),
        terms(grants=(custom("reports:read"),)),
        False,
    ),
    "from all_read_write to all_read narrows": (terms(grants=(ALL_READ_WRITE,)), terms(grants=(ALL_READ,)), True),
    "from a list with a sensitive scope to all_read_write narrows": (
        terms(grants=(custom("people:read"),)),
        terms(grants=(ALL_READ_WRITE,)),
        True,
    ),
    "dropping a scope that left the catalogue takes nothing away": (
        terms(grants=(custom("reports:read", "reports:gone"),)),
        terms(grants=(custom("reports:read"),)),
        False,
    ),
    "dropping a grant at an API that is gone takes nothing away": (
        terms(grants=(READ_REPORTS, Grant("https://gone.example.com"))),
        terms(),
        False,
    ),
    "restricting addresses narrows": (terms(allowed_ips=ANYWHERE), terms(allowed_ips=OFFICE), True),
    "restricting addresses to all of them narrows, for a token says so": (
        terms(allowed_ips=ANYWHERE),
        terms(allowed_ips=addresses("0.0.0.0/0, ::/0")),
        True,
    ),
    "freeing addresses does not": (terms(allowed_ips=OFFICE), terms(allowed_ips=ANYWHERE), False),
    "a smaller network narrows": (terms(allowed_ips=OFFICE), terms(allowed_ips=addresses("192.0.2.0/25")), True),
    "a larger network does not": (terms(allowed_ips=OFFICE), terms(allowed_ips=addresses("192.0.0.0/16")), False),
    "the same addresses written otherwise do not": (
        terms(allowed_ips=OFFICE),
        terms(allowed_ips=addresses("192.0.2.128-192.0.2.255, 192.0.2.0 - 192.0.2.127")),
        False,
    ),
    "one address less narrows": (
        terms(allowed_ips=OFFICE),
        terms(allowed_ips=addresses("192.0.2.1-192.0.2.255")),
        True,
    ),
    "another family narrows": (terms(allowed_ips=OFFICE), terms(allowed_ips=addresses("2001:db8::/32")), True),
    "a shorter token lifetime narrows": (terms(token_lifetime=900), terms(token_lifetime=899), True),
    "a longer one does not": (terms(token_lifetime=900), terms(token_lifetime=901), False),
    "an earlier expiry narrows": (terms(expires_at=NOW + 2), terms(expires_at=NOW + 1), True),
    "a later one does not": (terms(expires_at=NOW + 1), terms(expires_at=NOW + 2), False),
    "an expiry where there was none narrows": (terms(expires_at=None), terms(expires_at=NOW + 10**9), True),
    "no expiry any more does not": (terms(expires_at=NOW + 1), terms(expires_at=None), False),
    "one narrowing among widenings narrows": (
        terms(roles=ONE_ROLE, token_lifetime=900),
        terms(roles=BOTH_ROLES, token_lifetime=60),
        True,
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), SENTENCES.values(), ids=SENTENCES.keys())
def test_a_change_narrows_if_it_takes_something_from_a_token_that_is_out(
    old: Restrictions, new: Restrictions, expected: bool
) -> None:
    assert narrows(old, new, CATALOGUE) is expected


SENSITIVE_NOW = replace(
    REPORTS_API, scopes=tuple(replace(each, sensitive=each.name == "reports:read") for each in REPORTS_API.scopes)
)
A_WRITE_SCOPE_NOW = replace(
    REPORTS_API,
    scopes=tuple(
        replace(each, access=Kind.WRITE) if each.name == "reports:read" else each for each in SENSITIVE_NOW.scopes
    ),
)

CATALOGUES = {
    "a scope that a credential lists leaves": (terms(), {REPORTS: SHRUNK}, True),
    "a scope that it does not list leaves": (terms(grants=(custom("reports:write"),)), {REPORTS: SHRUNK}, False),
    "a scope comes": (terms(grants=(ALL_READ,)), {REPORTS: GROWN}, False),
    "an API leaves": (terms(grants=(READ_REPORTS, READ_KEYS)), {REPORTS: REPORTS_API}, True),
    "a scope becomes sensitive under all_read": (terms(grants=(ALL_READ,)), {REPORTS: SENSITIVE_NOW}, True),
    "a scope becomes sensitive that is listed by name": (terms(), {REPORTS: SENSITIVE_NOW}, False),
    "a read scope becomes a write scope under all_read": (
        terms(grants=(ALL_READ,)),
        {REPORTS: A_WRITE_SCOPE_NOW},
        True,
    ),
}


@pytest.mark.parametrize(("some", "then", "expected"), CATALOGUES.values(), ids=CATALOGUES.keys())
def test_a_change_of_the_catalogue_narrows_if_it_takes_something_away(
    some: Restrictions, then: Catalogue, expected: bool
) -> None:
    assert narrows(some, some, CATALOGUE, then=then) is expected


LAST_BYTES = range(8)
PLACES = [f"192.0.2.{last}" for last in LAST_BYTES] + [f"2001:db8::{last}" for last in LAST_BYTES]
LIFETIMES = (60, 61, 900, 3600)
MOMENTS = (NOW, NOW + 1, NOW + 60)


def could(some: Restrictions, catalogue: Catalogue) -> set[object]:
    """Everything that a token issued under these terms could do or be, one by one."""
    granted = some.scopes_at(catalogue)
    return {
        *(("reach", audience) for audience in granted),
        *(("do", audience, scope) for audience, scopes in granted.items() for scope in scopes),
        *(("be", role) for role in some.roles),
        *(("come from", place) for place in PLACES if some.allowed_ips is None or some.allowed_ips.admits(place)),
        *(("come from", "anywhere else") for _ in [0] if some.allowed_ips is None),
        *(("live for", lifetime) for lifetime in LIFETIMES if lifetime <= some.token_lifetime),
        *(("live at", moment) for moment in MOMENTS if some.expires_at is None or moment < some.expires_at),
        *(("live", "for ever") for _ in [0] if some.expires_at is None),
    }


def spans(prefix: str) -> st.SearchStrategy[str]:
    ends = st.tuples(st.sampled_from(LAST_BYTES), st.sampled_from(LAST_BYTES))
    return ends.map(lambda pair: f"{prefix}{min(pair)}-{prefix}{max(pair)}")


NETWORKS = st.lists(spans("192.0.2.") | spans("2001:db8::"), min_size=1, max_size=3).map(AllowedIPs.parse)
SCOPE_NAMES = [scope.name for api in CATALOGUE.values() for scope in api.scopes]
GRANTS = st.builds(
    Grant,
    st.sampled_from([REPORTS, VAULT, "https://gone.example.com"]),
    st.sampled_from(Access),
    st.frozensets(st.sampled_from([*SCOPE_NAMES, "reports:gone"]), max_size=4),
)
TERMS = st.builds(
    Restrictions,
    allowed_ips=st.none() | NETWORKS,
    roles=st.frozensets(st.sampled_from(["admin", "auditor", "owner"])),
    grants=st.lists(GRANTS, unique_by=lambda grant: grant.audience, max_size=2).map(tuple),
    token_lifetime=st.sampled_from(LIFETIMES),
    expires_at=st.none() | st.sampled_from([moment + 1 for moment in MOMENTS]),
)
APIS = st.fixed_dictionaries(
    {},
    optional={
        audience: st.lists(
            st.builds(Scope, st.sampled_from(SCOPE_NAMES), st.sampled_from(Kind), st.booleans()),
            unique_by=lambda scope: scope.name,
            max_size=4,
        ).map(lambda scopes, audience=audience: Api("id", "org", audience, "name", tuple(scopes)))  # type: ignore[misc]
        for audience in (REPORTS, VAULT)
    },
)


TERM_NAMES = [field.name for field in fields(Restrictions)]


def step(old: Restrictions, new: Restrictions, names: Iterable[str]) -> Restrictions:
    return replace(old, **{name: getattr(new, name) for name in names})


@settings(QUICK, max_examples=400)
@given(TERMS, TERMS, st.sets(st.sampled_from(TERM_NAMES)), APIS, APIS)
def test_narrowing_is_that_something_could_be_done_before_and_not_after(
    old: Restrictions, other: Restrictions, changed: set[str], catalogue: Catalogue, then: Catalogue
) -> None:
    new = step(old, other, changed)
    assert narrows(old, new, catalogue) != (could(old, catalogue) <= could(new, catalogue))
    assert narrows(old, new, catalogue, then=then) != (could(old, catalogue) <= could(new, then))


@QUICK
@given(TERMS, TERMS, APIS)
def test_a_change_narrows_if_one_of_its_parts_would_alone(
    old: Restrictions, new: Restrictions, catalogue: Catalogue
) -> None:
    alone = [narrows(old, step(old, new, [name]), catalogue) for name in TERM_NAMES]
    assert narrows(old, new, catalogue) is any(alone)


def test_the_sample_addresses_are_addresses() -> None:
    assert len({ip_address(place) for place in PLACES}) == 2 * len(LAST_BYTES)
