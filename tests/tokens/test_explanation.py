"""Does an explanation say what the verdict says, for every token that there is a vector of, and why in words?"""

from __future__ import annotations

import json

import pytest

from tests.support.world import ROOT
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.generation import Floor
from tokenserver.domain.liveness import Endings, reference
from tokenserver.errors import InvalidToken
from tokenserver.resource.testing import FakeIssuer
from tokenserver.tokens.explanation import Expected, Outcome, explain
from tokenserver.tokens.keys import read_key_set
from tokenserver.tokens.verification import read_token

VECTORS = json.loads((ROOT / "tests" / "vectors" / "tokens.json").read_text(encoding="utf-8"))
KEYS = read_key_set(VECTORS["jwks"])
ISSUER, AUDIENCE = VECTORS["issuer"], VECTORS["audience"]
NOW = 1_800_000_100.0


def named(vectors):
    return {vector["name"]: vector for vector in vectors}


@pytest.mark.parametrize("name", named(VECTORS["accepted"]))
def test_what_is_accepted_passes_every_check_of_its_proof(name):
    vector = named(VECTORS["accepted"])[name]
    explanation = explain(vector["token"], KEYS.get, Expected(ISSUER, AUDIENCE, Endings()), NOW)
    assert explanation.claims is not None
    assert [check.outcome for check in explanation.checks[:7]] == [Outcome.PASS] * 7
    assert [check.number for check in explanation.checks] == list(range(1, 13))


@pytest.mark.parametrize("name", named(VECTORS["refused"]))
def test_what_is_refused_fails_a_check_and_says_which_in_a_sentence(name):
    vector = named(VECTORS["refused"])[name]
    with pytest.raises(InvalidToken):
        read_token(vector["token"], KEYS.get, issuer=ISSUER, audience=AUDIENCE)
    explanation = explain(vector["token"], KEYS.get, Expected(ISSUER, AUDIENCE, Endings()), NOW)
    assert not explanation.good
    failed = [check for check in explanation.checks if check.outcome is Outcome.FAIL]
    assert failed
    assert all(check.reason.endswith((".", "?")) and len(check.reason) > 10 for check in failed)
    assert [check.number for check in explanation.checks] == list(range(1, 13))
    if explanation.claims is None:
        after = explanation.checks[failed[0].number :]
        assert {check.outcome for check in after} == {Outcome.SKIPPED}


@pytest.fixture
def issuer():
    return FakeIssuer()


def outcome_of(explanation, name):
    (check,) = [check for check in explanation.checks if check.name == name]
    return check


def explained(by, token, now=None, /, **expected):
    known = {"issuer": by.name, "audience": by.audience, "endings": Endings(), **expected}
    keys = {key.kid: key for key in [key_of(by)]}
    return explain(token, keys.get, Expected(**known), by.clock() if now is None else now)


def key_of(issuer):
    verifier = issuer.verifier()
    verifier.refresh()
    (key,) = verifier._sources.known.keys.values()
    return key


FAILING = {
    "another issuer": ("issuer", {"issuer": "https://auth.example.com/"}, "slash"),
    "another audience": ("audience", {"audience": "https://other.example.com"}, "not for this API"),
    "a role that is missing": ("roles", {"roles": ["cloud_admin", "owner"]}, "It lacks owner."),
    "a scope that is missing": ("scopes", {"scopes": ["reports:write"]}, "It lacks reports:write."),
    "another address": ("address", {"address": "198.51.100.1"}, "not be used from this address"),
}


@pytest.mark.parametrize(("name", "expected", "told"), FAILING.values(), ids=FAILING.keys())
def test_a_check_that_fails_stands_alone_and_says_why(issuer, name, expected, told):
    token = issuer.token(roles={"cloud_admin"}, scopes={"reports:read"}, allowed_ips="192.0.2.0/24")
    explanation = explained(issuer, token, **expected)
    assert [check.name for check in explanation.checks if check.outcome is Outcome.FAIL] == [name]
    assert told in outcome_of(explanation, name).reason


def test_all_that_is_wrong_is_told_at_once(issuer):
    token = issuer.token(allowed_ips="192.0.2.0/24")
    explanation = explained(
        *(issuer, token, issuer.clock() + 100_000),
        issuer="https://x.example",
        audience="https://y.example",
        address="198.51.100.1",
        roles=["a"],
        scopes=["b"],
    )
    failed = [check.name for check in explanation.checks if check.outcome is Outcome.FAIL]
    assert failed == ["issuer", "audience", "time", "address", "roles", "scopes"]


def test_what_is_not_known_is_skipped_and_says_so(issuer):
    token = issuer.token(allowed_ips="192.0.2.0/24")
    explanation = explained(issuer, token, issuer=None, audience=None, endings=None)
    skipped = {check.name for check in explanation.checks if check.outcome is Outcome.SKIPPED}
    assert skipped == {"issuer", "audience", "endings", "address", "roles", "scopes"}
    assert explanation.good
    assert outcome_of(explained(issuer, issuer.token()), "address").outcome is Outcome.PASS


def test_time_is_told_on_both_sides(issuer):
    token = issuer.token()
    expires_at = explained(issuer, token).claims.expires_at
    assert outcome_of(explained(issuer, token, expires_at - 1), "time").outcome is Outcome.PASS
    assert "expired at" in outcome_of(explained(issuer, token, expires_at), "time").reason
    assert "not valid before" in outcome_of(explained(issuer, token, issuer.clock() - 11), "time").reason


def test_each_ending_is_told_by_its_cause(issuer):
    token = issuer.token()
    claims = explained(issuer, token).claims
    floor = (Floor(claims.generation + 1, 0),)
    causes = {
        "regenerated": Endings(floors={claims.credential_ref: floor}),
        "organization": Endings(floors={reference(claims.organization): (Floor(10**6, 0),)}),
        "This very token": Endings(tokens={claims.token_id: int(claims.expires_at)}),
        "key that signed it": Endings(keys={claims.key_id}),
    }
    for told, endings in causes.items():
        check = outcome_of(
            explain(token, lambda _: key_of(issuer), Expected(endings=endings), issuer.clock()), "endings"
        )
        assert check.outcome is Outcome.FAIL
        assert told in check.reason


def test_a_list_by_reference_is_judged_once_it_is_known(issuer):
    texts = [f"10.{number}.0.0/24" for number in range(100)]
    token = issuer.token(allowed_ips=texts)
    expected = {"address": "10.7.0.1"}
    assert "refers to a list" in outcome_of(explained(issuer, token, **expected), "address").reason
    listed = AllowedIPs.parse(texts)
    assert outcome_of(explained(issuer, token, **expected, allowed_ips=listed), "address").outcome is Outcome.PASS
    elsewhere = explained(issuer, token, address="192.0.2.1", allowed_ips=listed)
    assert outcome_of(elsewhere, "address").outcome is Outcome.FAIL


def test_a_key_that_was_revoked_is_told_as_such(issuer):
    def revoked(_):
        raise InvalidToken(detail="signing key revoked")

    explanation = explain(issuer.token(), revoked, Expected(), issuer.clock())
    assert outcome_of(explanation, "key").outcome is Outcome.FAIL


def test_the_token_is_in_no_word_of_it(issuer):
    token = issuer.token()
    for presented in (token, token[:-4], token + "x", token.replace(".", "", 1), "x" * 9000, ""):
        told = repr(explained(issuer, presented).checks)
        assert not [part for part in token.split(".") if part in told]
