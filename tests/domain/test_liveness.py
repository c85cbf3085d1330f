"""All that can end a token before its time, combined by the strictest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.credentials import NOW, QUICK
from tokenserver.domain.generation import Floor
from tokenserver.domain.liveness import Ending, Endings, ended_by, reference


@dataclass(frozen=True, slots=True)
class Bearer:
    generation: int = 5
    organization_generation: int = 3
    credential_ref: str = "credential"
    organization_ref: str = "organization"
    token_id: str = "jti_1"
    key_id: str = "kid_1"


def floors(**told: tuple[int, int]) -> Endings:
    return Endings(floors={ref: (Floor(*floor),) for ref, floor in told.items()})


ENDINGS = {
    "nothing known ends nothing": (Endings(), None),
    "a floor above the generation ends it": (floors(credential=(6, NOW)), Ending.GENERATION),
    "a floor at the generation does not": (floors(credential=(5, NOW)), None),
    "a generation above the floor is newer, not wrong": (floors(credential=(1, NOW)), None),
    "a floor to come does not end it yet": (floors(credential=(6, NOW + 1)), None),
    "the strictest floor in force decides": (
        Endings(floors={"credential": (Floor(6, NOW), Floor(4, NOW), Floor(9, NOW + 1))}),
        Ending.GENERATION,
    ),
    "a floor of its organization ends it": (floors(organization=(4, NOW)), Ending.ORGANIZATION),
    "a floor of its organization to come does not": (floors(organization=(4, NOW + 1)), None),
    "a floor at the generation of its organization does not": (floors(organization=(3, NOW)), None),
    "a floor of somebody else does not": (floors(another=(99, NOW)), None),
    "its own revocation ends it": (Endings(tokens={"jti_1": NOW + 60}), Ending.TOKEN),
    "the revocation of another token does not": (Endings(tokens={"jti_2": NOW + 60}), None),
    "a revoked signing key ends it": (Endings(keys=frozenset({"kid_1"})), Ending.KEY),
    "another revoked signing key does not": (Endings(keys=frozenset({"kid_2"})), None),
}


@pytest.mark.parametrize(("endings", "ending"), ENDINGS.values(), ids=ENDINGS.keys())
def test_each_source_ends_exactly_its_own_tokens(endings: Endings, ending: Ending | None) -> None:
    assert ended_by(Bearer(), endings, NOW) is ending


@QUICK
@given(st.sets(st.sampled_from(list(Ending))))
def test_a_token_is_live_only_if_no_source_ended_it(sources: set[Ending]) -> None:
    moved = {Ending.GENERATION: ("credential", Floor(6, NOW)), Ending.ORGANIZATION: ("organization", Floor(4, NOW))}
    endings = Endings().and_also(
        [moved[source] for source in sources if source in moved],
        {"jti_1": NOW + 60} if Ending.TOKEN in sources else {},
        ["kid_1"] if Ending.KEY in sources else [],
    )
    assert (ended_by(Bearer(), endings, NOW) is None) is (not sources)
    if sources:
        assert ended_by(Bearer(), endings, NOW) in sources


def test_nothing_that_was_learned_is_forgotten_by_learning_more() -> None:
    known = Endings().and_also([("credential", Floor(6, NOW))], {"jti_1": NOW + 60}, ["kid_1"])
    more = known.and_also([("credential", Floor(5, NOW)), ("another", Floor(2, NOW))], {"jti_2": NOW + 60}, ["kid_2"])
    assert more.floor_of("credential", NOW) == 6
    assert more.floor_of("another", NOW) == 2
    assert set(more.tokens) == {"jti_1", "jti_2"}
    assert set(more.keys) == {"kid_1", "kid_2"}
    assert set(known.tokens) == {"jti_1"}, "what others hold does not change under them"


def test_a_floor_told_twice_is_remembered_once() -> None:
    told = [("credential", Floor(6, NOW))]
    assert Endings().and_also(told, {}, ()).and_also(told, {}, ()).floors == {"credential": (Floor(6, NOW),)}


WINDOW = 3600


@pytest.mark.parametrize(
    ("moved_at", "kept"),
    [(NOW - WINDOW - 1, False), (NOW - WINDOW, True), (NOW, True), (NOW + 10 * WINDOW, True)],
    ids=["before the window", "on its first second", "now", "a floor to come"],
)
def test_a_floor_is_forgotten_only_when_no_token_below_it_can_be_left(moved_at: int, kept: bool) -> None:
    left = floors(credential=(6, moved_at)).without_the_expired(NOW, WINDOW)
    assert ("credential" in left.floors) is kept


def test_a_revoked_token_is_forgotten_when_it_has_expired_and_a_revoked_key_never() -> None:
    known = Endings(tokens={"over": NOW - 1, "last": NOW, "live": NOW + 60}, keys=frozenset({"kid_1"}))
    left = known.without_the_expired(NOW, WINDOW)
    assert set(left.tokens) == {"last", "live"}
    assert set(left.keys) == {"kid_1"}


@QUICK
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(NOW - 100, NOW + 100)), max_size=5),
    st.integers(NOW - 100, NOW + 100),
    st.integers(1, 9),
    st.integers(1, 60),
)
def test_forgetting_never_brings_a_token_back(
    told: list[tuple[int, int]], now: int, generation: int, lifetime: int
) -> None:
    endings = Endings().and_also([("credential", Floor(*each)) for each in told], {}, ())
    forgotten = endings.without_the_expired(now, window=60)
    # A token that is out was minted at a moment when its generation was live, and lives no longer than the window.
    minted_at = now - lifetime
    if generation >= endings.floor_of("credential", minted_at):
        bearer = Bearer(generation=generation)
        assert ended_by(bearer, forgotten, now) is ended_by(bearer, endings, now)


REFERENCES = {
    "a client ID": ("tsc_0123456789ABCDEFGHIJKL", "bfm53WH-j1ra9ydktfNzmI"),
    "the empty text": ("", "47DEQpj8HBSa-_TImW-5JC"),
    "an ID with letters of another script": ("\u043e\u0440\u0433_1", "VeEC6MCR38BCsbvR0Ns7YW"),
}


@pytest.mark.parametrize(("subject", "ref"), REFERENCES.values(), ids=REFERENCES.keys())
def test_a_reference_is_22_characters_of_the_digest(subject: str, ref: str) -> None:
    assert reference(subject) == ref


@QUICK
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), unique=True, max_size=9))
def test_references_tell_subjects_apart_and_nothing_else_about_them(subjects: list[str]) -> None:
    refs = [reference(subject) for subject in subjects]
    assert len(set(refs)) == len(subjects)
    assert all(len(ref) == 22 for ref in refs)
