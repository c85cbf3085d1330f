"""What a token says: written from a permit, read back alike, and refused if a claim is missing, mistyped or too big."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import (
    CATALOGUE,
    CLIENT_ID,
    NOW,
    ORGANIZATION_ID,
    QUICK,
    REPORTS,
    addresses,
    credential,
    organization,
    terms,
)
from tests.support.tokens import CLAIMS, ISSUER, key_of, private_keys, without
from tokenserver.domain.credential import Credential
from tokenserver.domain.generation import LARGEST, Generation
from tokenserver.domain.grant import Asked, Permit, decide
from tokenserver.domain.liveness import reference
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import (
    ACCESS_TOKEN,
    MOST_RANGES_CARRIED,
    AccessClaims,
    claims_for,
    new_token_id,
    read_claims,
)
from tokenserver.tokens.jws import Opened, SignedPayload, Signer, open_signed

ES256 = private_keys()["ES256"]


def read(raw: dict[str, Any]) -> AccessClaims:
    return read_claims(Opened(SignedPayload(raw), "kid_1"))


def permit(**changes: object) -> Permit:
    some = credential(generation=Generation(7, 7, 7), **changes)
    owner = organization(generation=Generation(3, 3, 3))
    granted = some.restrictions.scopes_at(CATALOGUE)
    return decide(some, some.secrets[0], owner, Asked("192.0.2.7"), granted, NOW)


def written(**changes: object) -> dict[str, Any]:
    return claims_for(permit(**changes), ISSUER, "jti_1")


def test_a_token_carries_exactly_these_claims() -> None:
    assert written(restrictions=terms(roles=frozenset({"cloud_admin", "auditor"}))) == {
        "iss": ISSUER,
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "aud": REPORTS,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
        "jti": "jti_1",
        "scope": "reports:read",
        "roles": ["auditor", "cloud_admin"],
        "gen": 7,
        "org": ORGANIZATION_ID,
        "org_gen": 3,
    }


OFFICE = addresses("192.0.2.0/24, 2001:db8::1 - 2001:db8::9")
OPTIONAL: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "a project": ({"project": "billing"}, {"project": "billing"}),
    "an environment": ({"environment": "production"}, {"env": "production"}),
    "allowed addresses": (
        {"restrictions": terms(allowed_ips=OFFICE)},
        {"allowed_ips": ["192.0.2.0/24", "2001:db8::1-2001:db8::9"]},
    ),
}


@pytest.mark.parametrize(("changes", "claims"), OPTIONAL.values(), ids=OPTIONAL.keys())
def test_what_a_credential_has_beyond_that_is_said_and_what_it_has_not_is_left_out(
    changes: dict[str, object], claims: dict[str, object]
) -> None:
    names = {"project", "env", "allowed_ips", "allowed_ips_sha256", "cnf"}
    assert {name: value for name, value in written(**changes).items() if name in names} == claims


def many(count: int) -> str:
    return ", ".join(["192.0.2.7", *(f"10.0.{number}.1" for number in range(count - 1))])


def test_up_to_64_ranges_are_carried_and_more_are_named_by_digest() -> None:
    most, more = addresses(many(MOST_RANGES_CARRIED)), addresses(many(MOST_RANGES_CARRIED + 1))
    carried = written(restrictions=terms(allowed_ips=most))
    named = written(restrictions=terms(allowed_ips=more))
    assert carried["allowed_ips"] == list(most.normal_form())
    assert "allowed_ips_sha256" not in carried
    assert named["allowed_ips_sha256"] == more.digest()
    assert "allowed_ips" not in named
    assert read(named).allowed_ips is None
    assert read(named).allowed_ips_sha256 == more.digest()


FULL = {
    "a plain credential": credential(),
    "one with everything": credential(
        project="billing",
        environment="production",
        restrictions=terms(allowed_ips=OFFICE, roles=frozenset({"b", "a", "product_admin:insync"})),
    ),
    "one with names in another script": credential(
        project="\u0431\u0438\u043b\u043b\u0438\u043d\u0433", environment="\U0001f9fe\u2028"
    ),
    "one without scopes": credential(restrictions=terms(grants=())),
}


@pytest.mark.parametrize("some", FULL.values(), ids=FULL.keys())
def test_what_was_written_and_signed_reads_back_alike(some: Credential) -> None:
    granted = some.restrictions.scopes_at(CATALOGUE) or {REPORTS: frozenset()}
    given_ = decide(some, some.secrets[0], organization(), Asked("192.0.2.7"), granted, NOW)
    text = Signer(ES256, ACCESS_TOKEN).sign(claims_for(given_, ISSUER, "jti_1"))
    claims = read_claims(open_signed(text, ACCESS_TOKEN, key_of))
    assert claims == AccessClaims(
        issuer=ISSUER,
        client_id=some.client_id,
        audience=(given_.audience,),
        issued_at=given_.issued_at,
        not_before=given_.issued_at,
        expires_at=given_.expires_at,
        token_id="jti_1",
        scopes=frozenset(given_.scopes),
        roles=some.restrictions.roles,
        generation=given_.generation,
        organization=some.organization_id,
        organization_generation=given_.organization_generation,
        project=some.project,
        environment=some.environment,
        allowed_ips=some.restrictions.allowed_ips,
        allowed_ips_sha256=None,
        key_id=ES256.kid,
        credential_ref=reference(some.client_id),
        organization_ref=reference(some.organization_id),
        raw=claims_for(given_, ISSUER, "jti_1"),
    )


@pytest.mark.parametrize("name", CLAIMS)
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        read(without(name, CLAIMS))
    assert refusal.value.detail == f"claim {name}"


NO_TEXT: list[object] = [None, 1, True, ["text"], {"text": 1}]
NO_NUMBER: list[object] = [None, True, False, "1800000000", [NOW], {}, -1, -0.5, LARGEST + 1, 1e300, 10**400]
NO_GENERATION: list[object] = [*NO_NUMBER, 0, -0.0, 7.0, 7.5, "7", 2**53, 2**63]
NO_LIST: list[object] = [None, 1, True, "admin auditor", {"admin": True}, [1], ["admin", None], [["admin"]]]
MISTYPED: dict[str, list[object]] = {
    "iss": [*NO_TEXT, ""],
    "sub": [*NO_TEXT, ""],
    "client_id": [*NO_TEXT, ""],
    "jti": [*NO_TEXT, ""],
    "org": [*NO_TEXT, ""],
    "project": [*NO_TEXT, ""],
    "env": [*NO_TEXT, ""],
    "scope": NO_TEXT,
    "aud": [None, 1, True, "", [], [1], ["https://a.example.com", None], {"https://a.example.com": 1}],
    "iat": NO_NUMBER,
    "nbf": NO_NUMBER,
    "exp": NO_NUMBER,
    "gen": NO_GENERATION,
    "org_gen": NO_GENERATION,
    "roles": NO_LIST,
    "allowed_ips": [
        *NO_LIST,
        "192.0.2.1",
        ["localhost"],
        [""],
        ["192.0.2.1, 192.0.2.2"],
        ["192.0.2.1/32"],
        ["192.0.2.2", "192.0.2.1"],
        ["192.0.2.1", "192.0.2.1"],
        ["192.0.2.1", "192.0.2.2"],
        [" 192.0.2.1"],
        ["2001:DB8::1"],
        ["\ud800"],
    ],
    "allowed_ips_sha256": [*NO_TEXT, "", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", "../" + "0" * 61],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in MISTYPED.items() for value in values],
    ids=lambda value: ascii(value)[:40],
)
def test_a_claim_of_the_wrong_type_or_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidToken) as refusal:
        read({**CLAIMS, name: value})
    assert refusal.value.detail in {f"claim {name}", "sub is not client_id"}


ACCEPTED: dict[str, tuple[str, object]] = {
    "the smallest generation": ("gen", 1),
    "the largest generation": ("gen", LARGEST),
    "a moment with a fraction": ("exp", NOW + 0.5),
    "the first moment": ("nbf", 0),
    "no scope": ("scope", ""),
    "no role": ("roles", []),
    "a list of audiences": ("aud", [REPORTS]),
    "a list of allowed addresses that admits nobody": ("allowed_ips", []),
    "a claim that is not ours": ("cnf_like", {"any": "thing"}),
}


@pytest.mark.parametrize(("name", "value"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_claim_at_the_edge_of_its_range_is_read(name: str, value: object) -> None:
    assert read({**CLAIMS, name: value}).raw[name] == value


def test_the_subject_is_the_client() -> None:
    with pytest.raises(InvalidToken) as refusal:
        read({**CLAIMS, "sub": CLIENT_ID.swapcase()})
    assert refusal.value.detail == "sub is not client_id"


def test_addresses_are_carried_or_named_but_never_both() -> None:
    with pytest.raises(InvalidToken):
        read({**CLAIMS, "allowed_ips": ["192.0.2.1"], "allowed_ips_sha256": "0" * 64})


def test_an_empty_list_admits_nobody_and_no_list_admits_everybody() -> None:
    nobody, everybody = read({**CLAIMS, "allowed_ips": []}), read(CLAIMS)
    assert nobody.allowed_ips is not None
    assert not nobody.allowed_ips.admits("192.0.2.1")
    assert everybody.allowed_ips is None
    assert everybody.allowed_ips_sha256 is None


def test_allowed_addresses_are_read_as_addresses() -> None:
    claims = read({**CLAIMS, "allowed_ips": ["192.0.2.0/24"]})
    assert claims.allowed_ips is not None
    assert claims.allowed_ips.admits("192.0.2.7")
    assert not claims.allowed_ips.admits("192.0.3.7")


SCOPES = {
    "one": ("a", {"a"}),
    "several": ("a b c", {"a", "b", "c"}),
    "several spaces": ("  a  b ", {"a", "b"}),
    "the same twice": ("a a", {"a"}),
    "none": ("", set()),
    "other spaces do not separate": ("a\tb\u00a0c", {"a\tb\u00a0c"}),
    "case counts": ("A a", {"A", "a"}),
}


@pytest.mark.parametrize(("text", "scopes"), SCOPES.values(), ids=SCOPES.keys())
def test_scopes_are_words_between_spaces(text: str, scopes: set[str]) -> None:
    assert read({**CLAIMS, "scope": text}).scopes == scopes


def test_references_name_credential_and_organization_in_the_feed() -> None:
    claims = read(CLAIMS)
    assert claims.credential_ref == reference(CLIENT_ID)
    assert claims.organization_ref == reference(ORGANIZATION_ID)


def test_what_was_read_cannot_change_under_who_reads_it() -> None:
    raw = dict(CLAIMS)
    claims = read(raw)
    raw["gen"] = 99
    assert claims.raw["gen"] == claims.generation == CLAIMS["gen"]


def test_token_ids_are_128_random_bits_and_never_the_same() -> None:
    made = {new_token_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) == 22 for each in made)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*CLAIMS, "project", "env", "allowed_ips", "allowed_ips_sha256"])


@QUICK
@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_whatever_the_claims_are_they_are_read_or_refused_with_invalid_token(changes: dict[str, object]) -> None:
    raw = {**CLAIMS, **changes}
    text = Signer(ES256, ACCESS_TOKEN).sign(raw)
    try:
        claims = read_claims(open_signed(text, ACCESS_TOKEN, key_of))
    except InvalidToken:
        return
    assert claims.raw == raw
    assert 1 <= claims.generation <= LARGEST
    assert 1 <= claims.organization_generation <= LARGEST
    assert claims.client_id
    assert claims.audience
