"""Is there always one key that signs, known to all before it does, and believed as long as its tokens live?"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.idempotency import Attempt, InProgress
from app.services.keys import JWKS_MAX_AGE, KeyState, NoUsableKey
from app.settings import Settings
from tests.support.workshop import a_workshop, at_once, failed, succeeded
from tokenserver.clock import DAY
from tokenserver.domain.restrictions import LONGEST_LIFETIME
from tokenserver.errors import Conflict, NotFound
from tokenserver.tokens.keys import new_signing_key

KEPT = LONGEST_LIFETIME + JWKS_MAX_AGE


class Keys:
    """The keys of a workshop, re-read at every look."""

    def __init__(self, workshop):
        self.workshop, self.clock, self.caller = workshop, workshop.clock, workshop.caller
        self.service = workshop.services.keys

    def signing(self) -> str:
        return self.service.read_anew().access.key.kid

    def published(self) -> set[str]:
        self.service.read_anew()
        return {key["kid"] for key in self.service.jwks()["keys"]}

    def rotate(self, *key: Any, **more: Any) -> str:
        return self.service.rotate(self.caller, *key, **more)

    def revoke(self, kid: str) -> None:
        self.service.revoke(self.caller, kid)

    def after(self, seconds: float) -> Keys:
        self.clock.advance(seconds)
        return self


@pytest.fixture
def keys(workshop):
    return Keys(workshop)


# --- rotation (K12) ---


def test_a_new_key_is_published_before_it_signs_and_signs_when_every_cache_has_run_out(keys):
    first = keys.signing()
    second = keys.rotate()
    assert keys.signing() == first
    assert keys.published() == {first, second}
    assert keys.after(JWKS_MAX_AGE - 2).signing() == first
    assert keys.after(2).signing() == second


def test_the_old_key_is_published_as_long_as_a_token_of_its_lives_and_no_longer(keys):
    first, second = keys.signing(), keys.rotate()
    assert keys.after(JWKS_MAX_AGE + KEPT - 2).published() == {first, second}
    assert keys.after(2).published() == {second}


def test_a_token_of_the_old_key_is_good_to_its_last_second(keys):
    workshop = keys.workshop
    made = workshop.credential(token_lifetime=LONGEST_LIFETIME)
    keys.rotate()
    keys.after(JWKS_MAX_AGE - 2).service.read_anew()
    token = workshop.issue(made)
    keys.after(LONGEST_LIFETIME - 1).service.read_anew()
    assert workshop.claims(token).expires_at > keys.clock()


@pytest.mark.parametrize("times", [2, 5])
def test_rotating_again_before_the_new_key_signs_is_no_harm(keys, times):
    first = keys.signing()
    new = [keys.rotate() for _ in range(times)]
    assert keys.signing() == first
    assert keys.published() == {first, *new}
    assert keys.after(JWKS_MAX_AGE + times).signing() == new[-1]
    keys.after(KEPT + times)
    assert keys.published() == {new[-1]}


def test_other_processes_follow_within_a_second(workshop, keys):
    other = Keys(workshop.beside())
    new = keys.rotate()
    assert other.published() == keys.published()
    keys.after(JWKS_MAX_AGE)
    assert other.signing() == keys.signing() == new


# --- the operator's own key ---


def test_a_key_of_ones_own_is_treated_like_any_other(keys):
    own = new_signing_key("EdDSA")
    assert keys.rotate(own) == own.kid
    assert own.kid in keys.published()
    assert keys.after(JWKS_MAX_AGE).signing() == own.kid
    assert keys.workshop.claims(keys.workshop.issue(keys.workshop.credential())).key_id == own.kid


def test_a_key_that_is_activated_signs_at_once(keys):
    own = new_signing_key("ES256")
    keys.rotate(own, at_once=True)
    assert keys.after(1).signing() == own.kid


def test_a_key_is_taken_once_even_after_it_was_revoked(keys):
    own = new_signing_key("ES256")
    keys.rotate(own)
    with pytest.raises(Conflict):
        keys.rotate(own)
    keys.revoke(own.kid)
    with pytest.raises(Conflict):
        keys.rotate(own)


# --- revocation ---


def test_a_revoked_key_leaves_the_key_set_at_once_and_another_signs(keys):
    first = keys.signing()
    keys.revoke(first)
    second = keys.signing()
    assert second != first
    assert keys.published() == {second}


def test_the_feed_names_it_so_that_its_tokens_die(workshop, keys):
    first = keys.signing()
    before = workshop.statement()
    keys.revoke(first)
    after = workshop.statement(before.seq)
    assert after.seq == before.seq + 1
    assert after.keys == (first,)
    assert workshop.statement(after.seq).keys == (first,), "and goes on naming it"


def test_the_first_statement_that_any_process_tells_of_it_names_it(workshop, keys):
    """`python -m app keys revoke` is always another process. A resource server that waits for news gets this one
    statement, and may hear nothing more for as long as nothing else happens."""
    other = workshop.beside()
    before = other.statement()
    keys.revoke(keys.signing())
    after = other.statement(before.seq)
    assert after.seq == before.seq + 1
    assert len(after.keys) == 1


def test_revoking_what_is_not_there_or_gone_already_is_refused(keys):
    first = keys.signing()
    keys.revoke(first)
    for kid in (first, "unknown", ""):
        with pytest.raises(NotFound):
            keys.revoke(kid)


def test_a_new_key_that_is_revoked_before_it_signs_leaves_everything_as_it_was(keys):
    first, second = keys.signing(), keys.rotate()
    keys.revoke(second)
    for _ in range(3):
        assert keys.signing() == first
        assert keys.published() == {first}
        keys.after(DAY)


def test_a_key_that_retired_long_ago_does_not_come_back_in_an_emergency(keys):
    """Nobody has known it since: its tokens would be refused everywhere. And perhaps it retired for a reason."""
    first, second = keys.signing(), keys.rotate()
    keys.after(2 * DAY)
    assert keys.signing() == second
    keys.revoke(second)
    assert keys.signing() not in {first, second}
    assert keys.published() == {keys.signing()}


def test_a_rotation_that_is_under_way_survives_an_emergency(keys):
    first, second = keys.signing(), keys.rotate()
    keys.after(10)
    keys.revoke(first)
    third = keys.signing()
    assert third not in {first, second}
    assert keys.published() == {second, third}
    assert keys.after(JWKS_MAX_AGE).signing() == second
    assert keys.after(KEPT).published() == {second}
    assert keys.after(DAY).published() == {second}, "what signs is published, however long"


def test_two_who_revoke_the_same_key_at_once_make_one_new_key(workshop, keys):
    other = Keys(workshop.beside())
    kid = keys.signing()
    outcomes = at_once(lambda: keys.revoke(kid), lambda: other.revoke(kid))
    assert [type(fault) for fault in failed(outcomes)] == [NotFound]
    assert len(succeeded(outcomes)) == 1
    assert keys.published() == other.published()
    assert len(keys.published()) == 1


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 150, JWKS_MAX_AGE, LONGEST_LIFETIME, KEPT, DAY])),
    st.tuples(st.just("rotate"), st.booleans()),
    st.tuples(st.just("revoke"), st.integers(0, 9)),
)


@settings(max_examples=15, deadline=None, database=None)
@given(steps=st.lists(STEPS, min_size=3, max_size=12))
def test_whatever_is_done_one_published_key_signs_and_every_live_token_can_be_checked(tmp_path_factory, steps):
    home = tmp_path_factory.mktemp("keys")
    with a_workshop(f"sqlite:///{home / 'tokenserver.db'}", home) as workshop:
        keys = Keys(workshop.prepare())
        signed: list[tuple[float, str]] = []  # when, with which key
        revoked: set[str] = set()
        for step, choice in steps:
            if step == "wait":
                keys.after(choice)
            elif step == "rotate":
                keys.rotate(at_once=choice)
            else:
                live = sorted(keys.published())
                keys.revoke(live[choice % len(live)])
                revoked.add(live[choice % len(live)])
            now, signing, published = keys.clock(), keys.signing(), keys.published()
            signed.append((now, signing))
            assert signing in published
            assert not published & revoked
            for moment, kid in signed:
                assert kid in published or kid in revoked or now - moment > LONGEST_LIFETIME


# --- at rest (K14) and without a database ---


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_the_first_key_is_of_the_algorithm_that_was_chosen(workshop, alg):
    other = workshop.beside(signing_alg=alg)
    other.services.keys.rotate(other.caller, at_once=True)
    workshop.clock.advance(1)
    key = Keys(other).service.read_anew().access.key
    assert key.alg == alg
    assert all("d" not in jwk and jwk["use"] == "sig" and jwk["alg"] for jwk in other.services.keys.jwks()["keys"])


def test_private_keys_are_nowhere_in_clear(workshop, keys):
    private = [keys.service._opened[keys.signing()], new_signing_key("RS256"), new_signing_key("EdDSA")]
    for key in private[1:]:
        keys.rotate(key)
    workshop.close()
    kept = b"".join(path.read_bytes() for path in workshop.settings.home.iterdir() if path.is_file())
    for key in private:
        clear = key.to_der()
        assert not any(clear[place : place + 24] in kept for place in range(len(clear) - 24))
        assert b64encode(clear)[:40] not in kept


def test_another_kek_signs_nothing_and_says_what_to_do(workshop):
    stranger = workshop.beside(prepared=False, kek=bytes(range(1, 33)))
    for attempt in (stranger.services.keys.ring, stranger.services.installation.prepare):
        with pytest.raises(NoUsableKey) as caught:
            attempt()
        assert "TOKENSERVER_KEK" in caught.value.detail
        assert "TOKENSERVER_KEK" not in caught.value.public


def test_a_database_that_is_away_leaves_us_with_the_keys_last_known(workshop, monkeypatch):
    keys = workshop.services.keys
    before = keys.jwks()
    monkeypatch.setattr("app.services.keys._FRESH_SECONDS", 0.0)
    database = workshop.settings.home / "tokenserver.db"
    workshop.services.store.engine.dispose()
    database.rename(database.with_suffix(".away"))
    database.mkdir()
    assert keys.jwks() == before
    database.rmdir()
    database.with_suffix(".away").rename(database)
    assert keys.jwks() == before


def test_the_keys_of_many_threads_are_read_once_and_not_once_for_each(workshop):
    keys = workshop.services.keys
    rings = succeeded(at_once(*[keys.ring] * 16))
    assert len({id(ring) for ring in rings}) == 1


def test_settings_hide_the_keys():
    assert "pepper" not in repr(Settings(pepper=bytes(32)))


# --- how they stand ---


def states(keys):
    return {view.key.kid: (view.state, view.ends_at) for view in keys.service.views()}


def test_each_key_says_whether_it_signs_and_until_when(keys):
    first = keys.signing()
    began = int(keys.clock())
    second = keys.rotate()
    follows = began + JWKS_MAX_AGE
    assert states(keys) == {first: (KeyState.SIGNS, follows), second: (KeyState.WAITING, None)}
    keys.after(JWKS_MAX_AGE)
    assert states(keys) == {first: (KeyState.KEPT, follows), second: (KeyState.SIGNS, None)}
    keys.after(KEPT)
    assert states(keys) == {first: (KeyState.OVER, follows), second: (KeyState.SIGNS, None)}
    keys.revoke(second)
    third = keys.signing()
    assert states(keys)[second][0] is KeyState.REVOKED
    assert states(keys)[third] == (KeyState.SIGNS, None)
    assert [view.key.kid for view in keys.service.views()] == [third, second, first]


def test_what_is_sent_twice_makes_one_key(keys):
    caller = replace(keys.caller, attempt=Attempt("once", "digest", "first"))
    keys.service.rotate(caller)
    with pytest.raises(InProgress):
        keys.service.rotate(replace(caller, attempt=Attempt("once", "digest", "second")))
    assert len(keys.service.list()) == 2
