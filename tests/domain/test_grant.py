"""The decision behind every token: who, from where, for what, and until when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import (
    CATALOGUE,
    NOW,
    QUICK,
    READ_KEYS,
    READ_REPORTS,
    REPORTS,
    VAULT,
    addresses,
    credential,
    organization,
    secret,
    terms,
)
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState
from tokenserver.domain.generation import Generation
from tokenserver.domain.grant import Asked, Permit, choose_audience, choose_scopes, decide
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import InvalidClient, InvalidScope, InvalidTarget, Refused, UnauthorizedClient

HERE = "192.0.2.7"
TWO_APIS = terms(grants=(READ_REPORTS, READ_KEYS))


def ask(
    some: Credential,
    used: CredentialSecret | None = None,
    *,
    owner: Organization | None = None,
    address: str = HERE,
    scopes: frozenset[str] | None = None,
    resource: str | None = None,
    now: float = NOW,
) -> Permit:
    return decide(
        some,
        used or some.secrets[0],
        owner or organization(),
        Asked(address, scopes, resource),
        some.restrictions.scopes_at(CATALOGUE),
        now,
    )


def test_a_permit_says_everything_that_was_decided() -> None:
    some = credential(generation=Generation(7, 7, 7))
    owner = organization(generation=Generation(3, 3, 3))
    assert ask(some, owner=owner, now=NOW + 0.999) == Permit(
        credential=some,
        organization=owner,
        audience=REPORTS,
        scopes=("reports:read",),
        roles=some.restrictions.roles,
        generation=7,
        organization_generation=3,
        issued_at=NOW,
        expires_at=NOW + 900,
    )


ENDED = {
    "a disabled credential": (credential().disabled(NOW), "The credential is disabled."),
    "a revoked credential": (credential().revoked(NOW, "leaked"), "The credential has been revoked."),
    "an expired credential": (credential(restrictions=terms(expires_at=NOW)), "The credential has expired."),
    "a revoked and disabled credential": (
        credential().disabled(NOW).revoked(NOW, "leaked"),
        "The credential has been revoked.",
    ),
    "a disabled credential whose expiry has come": (
        credential(restrictions=terms(expires_at=NOW), disabled_at=NOW),
        "The credential is disabled.",
    ),
}


@pytest.mark.parametrize(("some", "reason"), ENDED.values(), ids=ENDED.keys())
def test_who_proved_the_secret_is_told_why_it_is_refused(some: Credential, reason: str) -> None:
    with pytest.raises(InvalidClient) as refusal:
        ask(some)
    assert refusal.value.public == reason


def test_a_suspended_organization_ends_all_its_credentials() -> None:
    with pytest.raises(InvalidClient, match="organization of the credential is suspended"):
        ask(credential(), owner=organization(suspended_at=NOW))


IN_GRACE = credential().rotated(secret("second"), NOW, 60)
USELESS = {
    "one that was regenerated away": (credential().regenerated(secret("second"), NOW).secrets[1], NOW),
    "one whose grace period has ended on this second": (IN_GRACE.secrets[1], NOW + 60),
    "one whose grace period ended long ago": (IN_GRACE.secrets[1], NOW + 10**6),
    "one whose rotation was finished": (IN_GRACE.rotation_finished(NOW).secrets[1], NOW),
    "one whose rotation was cancelled": (IN_GRACE.rotation_cancelled(NOW).secrets[0], NOW),
    "one of a deleted credential": (credential().deleted(NOW).secrets[0], NOW),
}


@pytest.mark.parametrize(("ended", "now"), USELESS.values(), ids=USELESS.keys())
def test_a_secret_that_has_ended_proves_nothing_and_is_refused_in_the_words_for_strangers(
    ended: CredentialSecret, now: float
) -> None:
    assert ended.state_at(now) is SecretState.ENDED
    with pytest.raises(InvalidClient) as refusal:
        ask(credential(), ended, now=now)
    assert refusal.value.public == InvalidClient.public


ADDRESSES = {
    "an address that is allowed": (HERE, True),
    "the same in IPv6 clothing": ("::ffff:192.0.2.7", True),
    "another address": ("198.51.100.1", False),
    "an address that could not be determined": ("", False),
    "text that is no address": ("localhost", False),
}


@pytest.mark.parametrize(("address", "good"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_a_restricted_credential_is_used_from_allowed_addresses_only(address: str, good: bool) -> None:
    some = credential(restrictions=terms(allowed_ips=addresses("192.0.2.0/24")))
    if good:
        assert ask(some, address=address).audience == REPORTS
        return
    with pytest.raises(UnauthorizedClient) as refusal:
        ask(some, address=address)
    assert (refusal.value.status, refusal.value.code) == (400, "unauthorized_client")


@pytest.mark.parametrize("address", [address for address, _ in ADDRESSES.values()], ids=ADDRESSES.keys())
def test_an_unrestricted_credential_is_used_from_anywhere(address: str) -> None:
    assert ask(credential(), address=address).audience == REPORTS


RESOURCES = {
    "one grant, none named": (terms(), None, REPORTS),
    "one grant, named": (terms(), REPORTS, REPORTS),
    "one grant, another API named": (terms(), VAULT, None),
    "one grant, an unknown API named": (terms(), "https://unknown.example.com", None),
    "one grant, named with another spelling": (terms(), REPORTS + "/", None),
    "one grant, nothing named but empty text": (terms(), "", None),
    "two grants, none named": (TWO_APIS, None, None),
    "two grants, the first named": (TWO_APIS, REPORTS, REPORTS),
    "two grants, the second named": (TWO_APIS, VAULT, VAULT),
    "no grant": (terms(grants=()), None, None),
    "no grant, one named": (terms(grants=()), REPORTS, None),
    "a grant at an API that is gone": (terms(grants=(Grant("https://gone.example.com"),)), None, None),
    "two grants, one at an API that is gone": (
        terms(grants=(READ_REPORTS, Grant("https://gone.example.com"))),
        None,
        REPORTS,
    ),
}


@pytest.mark.parametrize(("restrictions", "resource", "audience"), RESOURCES.values(), ids=RESOURCES.keys())
def test_one_token_is_for_one_api(restrictions: object, resource: str | None, audience: str | None) -> None:
    some = credential(restrictions=restrictions)
    if audience is not None:
        assert ask(some, resource=resource).audience == audience
        return
    with pytest.raises(InvalidTarget) as refusal:
        ask(some, resource=resource)
    assert (refusal.value.status, refusal.value.code) == (400, "invalid_target")
    assert not resource or resource not in refusal.value.public


def test_who_must_name_a_resource_is_told_so() -> None:
    with pytest.raises(InvalidTarget, match="name one with the parameter resource"):
        choose_audience({REPORTS: frozenset(), VAULT: frozenset()}, None)


READ, WRITE = "reports:read", "reports:write"
SCOPES = {
    "none asked: all that are granted": (None, (READ, WRITE)),
    "one asked": (frozenset({WRITE}), (WRITE,)),
    "all asked": (frozenset({WRITE, READ}), (READ, WRITE)),
    "an empty request asks for none": (frozenset(), ()),
    "one that is not granted": (frozenset({"people:read"}), None),
    "one that is granted at another API": (frozenset({"keys:read"}), None),
    "one granted and one not": (frozenset({READ, "people:read"}), None),
    "capitals count": (frozenset({"Reports:Read"}), None),
    "the empty name": (frozenset({""}), None),
}


@pytest.mark.parametrize(("asked", "given_"), SCOPES.values(), ids=SCOPES.keys())
def test_scopes_are_given_as_asked_or_not_at_all(asked: frozenset[str] | None, given_: tuple[str, ...] | None) -> None:
    some = credential(restrictions=terms(grants=(Grant(REPORTS, Access.ALL_READ_WRITE), READ_KEYS)))
    if given_ is not None:
        assert ask(some, scopes=asked, resource=REPORTS).scopes == given_
        return
    with pytest.raises(InvalidScope) as refusal:
        ask(some, scopes=asked, resource=REPORTS)
    assert (refusal.value.status, refusal.value.code) == (400, "invalid_scope")


NAMES = st.frozensets(st.sampled_from(["a", "b", "c", "d"]))


@QUICK
@given(NAMES, st.none() | NAMES)
def test_no_scope_is_ever_given_that_was_not_granted(granted: frozenset[str], asked: frozenset[str] | None) -> None:
    try:
        chosen = choose_scopes(granted, asked)
    except InvalidScope:
        assert asked is not None
        assert asked - granted
    else:
        assert set(chosen) <= granted
        assert asked is None or set(chosen) == asked
        assert list(chosen) == sorted(set(chosen))


ENDS = {
    "the lifetime": (terms(token_lifetime=900, expires_at=NOW + 1000), 950, NOW + 900),
    "the expiry of the credential": (terms(token_lifetime=900, expires_at=NOW + 800), 850, NOW + 800),
    "the end of the retiring secret": (terms(token_lifetime=900, expires_at=NOW + 800), 700, NOW + 700),
    "the last second of all": (terms(token_lifetime=900, expires_at=NOW + 1), 1, NOW + 1),
    "the lifetime, where nothing else ends": (terms(token_lifetime=3600), 10**6, NOW + 3600),
}


@pytest.mark.parametrize(("restrictions", "grace", "end"), ENDS.values(), ids=ENDS.keys())
def test_a_token_ends_with_the_first_of_what_it_rests_on(restrictions: object, grace: int, end: int) -> None:
    some = credential(restrictions=restrictions).rotated(secret("second"), NOW, grace)
    retiring = some.secret_in(SecretState.RETIRING, NOW)
    assert retiring is not None
    assert ask(some, retiring).expires_at == end


@QUICK
@given(
    st.integers(60, 3600),
    st.none() | st.integers(NOW + 1, NOW + 5000),
    st.integers(1, 5000),
    st.integers(0, 4_999_999),
)
def test_every_token_lives_a_little_and_never_outlives_what_it_rests_on(
    lifetime: int, expires_at: int | None, grace: int, milliseconds: int
) -> None:
    some = credential(restrictions=terms(token_lifetime=lifetime, expires_at=expires_at))
    some = some.rotated(secret("second"), NOW, grace)
    now = NOW + milliseconds / 1000
    for used in some.secrets:
        try:
            permit = ask(some, used, now=now)
        except Refused:
            continue
        assert permit.issued_at <= now < permit.expires_at <= permit.issued_at + lifetime
        assert permit.expires_at <= (expires_at or permit.expires_at)
        assert permit.expires_at <= (used.expires_at or permit.expires_at)
        assert permit.generation >= some.generation.floor_at(now)


def test_in_a_grace_period_each_secret_mints_its_own_generation() -> None:
    new, old = IN_GRACE.secrets
    assert ask(IN_GRACE, old).generation == IN_GRACE.generation.floor
    assert ask(IN_GRACE, new).generation == IN_GRACE.generation.current
    assert ask(IN_GRACE, new, now=NOW + 60).generation == IN_GRACE.generation.current


ORDER = {
    "a secret that has ended before a disabled credential": (
        {"some": credential().disabled(NOW), "used": replace(secret(), state=SecretState.ENDED)},
        InvalidClient.public,
    ),
    "a disabled credential before a suspended organization": (
        {"some": credential().disabled(NOW), "owner": organization(suspended_at=NOW)},
        "The credential is disabled.",
    ),
    "a suspended organization before the address": (
        {"some": credential(restrictions=terms(allowed_ips=addresses("::1"))), "owner": organization(suspended_at=NOW)},
        "The organization of the credential is suspended.",
    ),
    "the address before the resource": (
        {"some": credential(restrictions=replace(TWO_APIS, allowed_ips=addresses("::1")))},
        "The credential may not be used from this address.",
    ),
    "the resource before the scopes": (
        {"some": credential(restrictions=TWO_APIS), "scopes": frozenset({"unknown"})},
        "The credential has grants at several APIs: name one with the parameter resource.",
    ),
}


@pytest.mark.parametrize(("asked", "reason"), ORDER.values(), ids=ORDER.keys())
def test_the_first_reason_to_refuse_is_the_one_that_is_told(asked: dict[str, object], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        ask(**asked)  # type: ignore[arg-type]
    assert refusal.value.public == reason


def test_a_role_of_one_api_is_told_to_that_api_only() -> None:
    some = credential(restrictions=terms(roles=frozenset({"cloud_admin", "admin_of_reports", "admin_of_elsewhere"})))
    bound = {"admin_of_reports": REPORTS, "admin_of_elsewhere": "https://elsewhere.example.com"}
    scopes = some.restrictions.scopes_at(CATALOGUE)
    asked = Asked("192.0.2.1", None, REPORTS)
    permit = decide(some, some.secrets[0], organization(), asked, scopes, NOW, bound_roles=bound)
    assert permit.roles == {"cloud_admin", "admin_of_reports"}
