"""Is this token good, here and now: the golden vectors, to the second, by every source that can end it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support import vectors
from tests.support.credentials import NOW
from tests.support.tokens import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    VECTORS,
    believing,
    key_of,
    private_keys,
    reading,
    signed,
)
from tokenserver.domain.generation import Floor, Generation
from tokenserver.domain.liveness import Ending, Endings, reference
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.keys import read_key_set
from tokenserver.tokens.verification import CLOCK_SKEW, read_token, refuse_unless_live

RECORDED = json.loads((VECTORS / "tokens.json").read_text())
RING = read_key_set(RECORDED["jwks"]).get


def claims(**changes: object) -> AccessClaims:
    return read_token(signed({**CLAIMS, **changes}), key_of, issuer=ISSUER, audience=AUDIENCE)


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(InvalidToken) as caught:
        check()
    return caught.value.detail


def test_the_vectors_can_be_made_again_and_nothing_changes() -> None:
    assert vectors.tokens() == RECORDED


@pytest.mark.parametrize("vector", RECORDED["accepted"], ids=lambda vector: vector["name"])
def test_tokens_of_all_releases_read_to_the_same_values(vector: dict[str, Any]) -> None:
    read = read_token(vector["token"], RING, issuer=RECORDED["issuer"], audience=RECORDED["audience"])
    assert reading(read) == vector["reads"]


@pytest.mark.parametrize("vector", RECORDED["refused"], ids=lambda vector: vector["name"])
def test_what_was_ever_refused_stays_refused_for_its_reason(vector: dict[str, Any]) -> None:
    reason = refusal(
        lambda: read_token(vector["token"], RING, issuer=RECORDED["issuer"], audience=RECORDED["audience"])
    )
    assert reason == vector["reason"]


@pytest.mark.parametrize("case", RECORDED["verdicts"]["cases"], ids=lambda case: case["name"])
def test_a_token_is_judged_as_ever(case: dict[str, Any]) -> None:
    read = read_token(RECORDED["verdicts"]["token"], RING, issuer=ISSUER, audience=AUDIENCE)
    known = case["endings"]
    floors = [(ref, Floor(number, effective_at)) for ref, number, effective_at in known["floors"]]
    endings = Endings().and_also(floors, known["tokens"], known["keys"])
    if case["refused"] is None:
        refuse_unless_live(read, endings, case["now"])
    else:
        assert refusal(lambda: refuse_unless_live(read, endings, case["now"])) == case["refused"]


def test_the_published_keys_of_the_vectors_are_the_test_keys() -> None:
    assert {key["kid"] for key in RECORDED["jwks"]["keys"]} == {key.kid for key in private_keys().values()}
    assert not any("d" in key for key in RECORDED["jwks"]["keys"])


ISSUERS = {
    "a slash more": ISSUER + "/",
    "another scheme": ISSUER.replace("https", "http"),
    "capitals": ISSUER.upper(),
    "a beginning": ISSUER[:-1],
    "a space": ISSUER + " ",
}


@pytest.mark.parametrize("issuer", ISSUERS.values(), ids=ISSUERS.keys())
def test_only_the_exact_issuer_is_believed(issuer: str) -> None:
    assert refusal(lambda: claims(iss=issuer)) == "another issuer"


AUDIENCES: dict[str, tuple[object, bool]] = {
    "the audience": (AUDIENCE, True),
    "a list with it alone": ([AUDIENCE], True),
    "a list with it among others": (["https://other.example.com", AUDIENCE], True),
    "another": ("https://other.example.com", False),
    "a list of others": (["https://other.example.com", "https://third.example.com"], False),
    "a slash more": (AUDIENCE + "/", False),
    "a part of it": (AUDIENCE[:-1], False),
    "it inside a longer text": (f"{AUDIENCE} https://other.example.com", False),
    "capitals": (AUDIENCE.upper(), False),
    "the empty list entry": ([""], False),
}


@pytest.mark.parametrize(("aud", "good"), AUDIENCES.values(), ids=AUDIENCES.keys())
def test_a_token_is_good_only_where_it_was_meant_for(aud: object, good: bool) -> None:
    if good:
        assert AUDIENCE in claims(aud=aud).audience
    else:
        assert refusal(lambda: claims(aud=aud)) == "another audience"


def test_a_key_that_is_believed_elsewhere_is_not_believed_here() -> None:
    only_rsa = believing(private_keys()["RS256"].verifying)
    assert refusal(lambda: read_token(signed(CLAIMS), only_rsa, issuer=ISSUER, audience=AUDIENCE)) == "unknown key"


MOMENTS: dict[str, tuple[dict[str, object], float, str | None]] = {
    "when it was issued": ({}, NOW, None),
    "in its last second": ({}, NOW + 899, None),
    "in its last millisecond": ({}, NOW + 899.999, None),
    "on the second it expires": ({}, NOW + 900, "expired"),
    "long after": ({}, NOW + 10**6, "expired"),
    "as early as a clock may be behind": ({}, NOW - CLOCK_SKEW, None),
    "a millisecond earlier": ({}, NOW - CLOCK_SKEW - 0.001, "not yet valid"),
    "issued in time, but not to be used before": ({"nbf": NOW + 11}, NOW, "not yet valid"),
    "issued in the future, to be used before": ({"iat": NOW + 11}, NOW, "not yet valid"),
    "to be used before the clock could be behind": ({"nbf": NOW + 10, "iat": NOW + 10}, NOW, None),
    "expired before it was issued": ({"exp": NOW}, NOW, "expired"),
    "to expire within a second": ({"exp": NOW + 0.5}, NOW + 0.499, None),
    "expired within a second": ({"exp": NOW + 0.5}, NOW + 0.5, "expired"),
}


@pytest.mark.parametrize(("changes", "now", "reason"), MOMENTS.values(), ids=MOMENTS.keys())
def test_a_token_is_live_to_the_second(changes: dict[str, object], now: float, reason: str | None) -> None:
    if reason is None:
        refuse_unless_live(claims(**changes), Endings(), now)
    else:
        assert refusal(lambda: refuse_unless_live(claims(**changes), Endings(), now)) == reason


CREDENTIAL, ORGANIZATION = reference(CLAIMS["client_id"]), reference(CLAIMS["org"])
ENDED = {
    Ending.GENERATION: (
        Endings(floors={CREDENTIAL: (Floor(8, NOW),)}),
        Endings(floors={CREDENTIAL: (Floor(7, NOW), Floor(8, NOW + 1))}),
    ),
    Ending.ORGANIZATION: (
        Endings(floors={ORGANIZATION: (Floor(4, NOW),)}),
        Endings(floors={ORGANIZATION: (Floor(3, NOW), Floor(4, NOW + 1))}),
    ),
    Ending.TOKEN: (Endings(tokens={CLAIMS["jti"]: NOW + 900}), Endings(tokens={"another": NOW + 900})),
    Ending.KEY: (
        Endings(keys=frozenset({private_keys()["ES256"].kid})),
        Endings(keys=frozenset({private_keys()["RS256"].kid})),
    ),
}


@pytest.mark.parametrize("ending", Ending)
def test_every_way_to_end_a_token_ends_it_and_nothing_else_does(ending: Ending) -> None:
    ends, spares = ENDED[ending]
    reason = refusal(lambda: refuse_unless_live(claims(), ends, NOW))
    assert reason
    assert refusal(lambda: refuse_unless_live(claims(), ends, NOW + 899)) == reason
    refuse_unless_live(claims(), spares, NOW)


def test_the_reasons_are_told_apart_inside_and_are_one_outside() -> None:
    reasons = {refusal(partial(refuse_unless_live, claims(), ends, NOW)) for ends, _ in ENDED.values()}
    assert len(reasons) == len(Ending)
    with pytest.raises(InvalidToken, match=r"^The access token is not valid\.$"):
        refuse_unless_live(claims(), ENDED[Ending.TOKEN][0], NOW)


def test_rotating_ends_nothing_before_the_grace_period_does_and_all_of_the_old_secret_on_that_second() -> None:
    before = Generation(7, 7, 7)
    after = before.rotated(NOW, 60)
    told = [(CREDENTIAL, floor) for floor in after.floors_to_tell(before, NOW)]
    endings = Endings().and_also(told, {}, ())
    refuse_unless_live(claims(), endings, NOW + 59.999)
    refuse_unless_live(claims(gen=after.current), endings, NOW + 60)
    assert refusal(lambda: refuse_unless_live(claims(), endings, NOW + 60)) == "generation below the floor"


def test_a_generation_that_this_server_has_not_heard_of_is_newer_not_wrong() -> None:
    refuse_unless_live(claims(gen=10**6, org_gen=10**6), ENDED[Ending.GENERATION][0], NOW)
