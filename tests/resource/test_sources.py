"""What the issuer says is weighed before it is believed, and no answer of its makes things worse."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tests.support.callers import ANYBODY, bearer
from tests.support.forgeries import with_header
from tests.support.transports import Witness
from tokenserver.resource.testing import FakeIssuer
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.statements import GENERATIONS


@pytest.fixture
def status_of(verifier, call):
    return lambda token: call(verifier, ANYBODY, bearer(token)).status


def test_the_first_request_brings_everything_and_later_ones_only_what_changed(issuer, clock):
    witness = Witness(issuer)
    verifier = issuer.verifier(fetch=witness)
    issuer.regenerate()
    verifier.refresh()
    issuer.regenerate()
    clock.advance(1)
    verifier.refresh()
    verifier.refresh()
    base = "https://auth.example.com"
    assert [asked.url for asked in witness.asked] == [
        f"{base}/.well-known/oauth-authorization-server",
        f"{base}/.well-known/jwks.json",
        f"{base}/oauth/generations",
        f"{base}/oauth/generations?after=1",
        f"{base}/oauth/generations?after=2",
    ]


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.fault(
    "the feed is replayed from an hour ago",
    "it counts as an hour old: 503, whatever the clock here is set to",
)
def test_a_feed_replayed_from_an_hour_ago_is_an_hour_old(issuer, clock, status_of):
    hour_ago = issuer.statement()
    clock.advance(3600)
    issuer.repeats(hour_ago)
    assert status_of(issuer.token()) == 503
    clock.step(-3600)
    assert status_of(issuer.token()) == 503
    issuer.comes_back()
    clock.step(3600)
    clock.advance(5)
    assert status_of(issuer.token()) == 200


@pytest.mark.fault(
    "a proxy caches too long",
    "the same statement grows old as it should: 503 beyond `max_staleness`",
)
def test_the_same_statement_again_and_again_does_not_stay_fresh(issuer, clock, verifier, status_of):
    verifier.refresh()
    issuer.repeats(issuer.statement())
    for _ in range(30):
        clock.advance(1)
        assert status_of(issuer.token()) == 200
    clock.advance(1)
    assert status_of(issuer.token()) == 503


def statement_of_another_issuer(issuer):
    return Signer(issuer.signing_key, GENERATIONS).sign(
        {"iss": "https://else.example.com", "iat": issuer.clock(), "seq": 9, "since": 0, "window": 3660}
        | {"floors": [], "tokens": [], "keys": []}
    )


NOT_BELIEVED = {
    "going back in seq": lambda issuer: issuer.statement(2, seq=1, since=0),
    "going back in time": lambda issuer: issuer.statement(2, issued_at=issuer.clock() - 100),
    "from the future": lambda issuer: issuer.statement(2, issued_at=issuer.clock() + 31),
    "leaving a gap": lambda issuer: issuer.statement(2, since=3, seq=9),
    "of another issuer": statement_of_another_issuer,
    "signed by another issuer": lambda issuer: FakeIssuer().statement(),
    "an access token": lambda issuer: issuer.token(),
    "of another type": with_header(typ="JWT"),
    "no signed text": lambda issuer: "<html>",
    "empty": lambda issuer: " ",
}


@pytest.mark.fault(
    "a statement of the feed breaks a rule",
    "it is not believed, the last good state stays, and the whole window is asked for",
)
@pytest.mark.parametrize("make", NOT_BELIEVED.values(), ids=NOT_BELIEVED.keys())
def test_what_breaks_a_rule_is_not_believed_and_the_last_good_state_stays(make, issuer, clock, verifier, status_of):
    ended, good = issuer.token(client_id="tsc_a"), issuer.token()
    issuer.regenerate("tsc_a")
    issuer.regenerate("tsc_b")
    verifier.refresh()
    clock.advance(10)
    issuer.repeats(make(issuer))
    verifier.refresh()
    assert (verifier.health()["seq"], verifier.feed_age()) == (2, 10)
    assert verifier.health()["statements_not_believed"] == 1
    assert (status_of(ended), status_of(good)) == (401, 200)
    issuer.comes_back()
    verifier.refresh()
    assert verifier.feed_age() == 0


def test_after_a_gap_the_whole_window_is_asked_for(issuer, clock):
    witness = Witness(issuer)
    verifier = issuer.verifier(fetch=witness)
    verifier.refresh()
    for _ in range(2):
        issuer.regenerate()
    issuer.repeats(issuer.statement(1))
    verifier.refresh()
    assert verifier.health()["seq"] == 0
    issuer.comes_back()
    for _ in range(2):
        clock.advance(1)
        verifier.refresh()
    assert [asked.url.partition("?")[2] for asked in witness.asked[-3:]] == ["after=0", "", "after=2"]
    assert verifier.health()["seq"] == 2


def test_a_statement_is_not_believed_once_its_key_is_revoked(issuer, clock, verifier):
    verifier.refresh()
    stolen = Signer(issuer.signing_key, GENERATIONS)
    issuer.revoke_key()
    clock.advance(1)
    verifier.refresh()
    clock.advance(1)
    forged = {"iss": issuer.name, "iat": clock(), "seq": 99, "since": 0, "window": 3660}
    issuer.repeats(stolen.sign({**forged, "floors": [], "tokens": [], "keys": []}))
    verifier.refresh()
    assert (verifier.health()["seq"], verifier.feed_age()) == (1, 1)


def test_a_window_full_of_changes_is_known_after_one_request(issuer):
    tokens = [issuer.token(client_id=f"tsc_{n}") for n in range(200)]
    for n in range(200):
        issuer.regenerate(f"tsc_{n}")
    restarted = issuer.verifier()
    restarted.refresh()
    assert issuer.fetches["feed"] == 1
    for token in tokens:
        with pytest.raises(Exception, match="not valid"):
            restarted.verify(token, ANYBODY)


def test_endings_are_kept_for_the_window_by_the_issuers_clock_and_then_forgotten(issuer, clock, verifier):
    for n in range(50):
        issuer.regenerate(f"tsc_{n}")
    verifier.refresh()
    floors = lambda: len(verifier._sources.known.endings.floors)  # noqa: E731  reads like a name
    clock.step(100_000)  # ours is wrong for a moment
    issuer.repeats(issuer.statement(issuer.seq, issued_at=clock() - 100_000 + 70))
    verifier.refresh()
    assert floors() == 50
    clock.step(-100_000)
    issuer.comes_back()
    clock.advance(3600)
    verifier.refresh()
    assert floors() == 50
    clock.advance(121)
    verifier.refresh()
    assert floors() == 0


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(
    "the keys are rotated twice while the app is offline",
    "the new ones are learned when it is back",
)
def test_keys_rotated_twice_while_offline_are_learned_when_the_issuer_is_back(issuer, clock, verifier, status_of):
    verifier.refresh()
    issuer.goes_down()
    issuer.rotate_key()
    issuer.rotate_key()
    clock.advance(120)
    assert status_of(issuer.token()) in {401, 503}
    issuer.comes_back()
    clock.advance(5)
    assert status_of(issuer.token()) == 200


@pytest.mark.fault(
    "a flood of tokens comes with random `kid`",
    "401, and at most one fetch per cool-down (5 s)",
)
def test_a_flood_of_unknown_keys_costs_one_fetch_per_cooldown(issuer, clock, verifier, status_of):
    verifier.refresh()
    before = issuer.fetches["keys"]
    for second in range(10):
        for n in range(20):
            assert status_of(with_header(kid=f"made-up-{second}-{n}")(issuer)) == 401
        clock.advance(1)
    assert issuer.fetches["keys"] - before == 2


def test_a_key_that_was_looked_for_in_vain_is_not_looked_for_again_for_a_while(issuer, clock, verifier, status_of):
    verifier.refresh()
    before = issuer.fetches["keys"]
    for _ in range(29):
        assert status_of(with_header(kid="made-up")(issuer)) == 401
        clock.advance(1)
    assert issuer.fetches["keys"] - before == 1


def test_an_endless_key_name_is_not_looked_for_at_all(issuer, verifier, status_of):
    verifier.refresh()
    assert status_of(with_header(kid="k" * 300)(issuer)) == 401
    assert issuer.fetches["keys"] == 1


@pytest.mark.fault(
    "the token server answers garbage, or an error",
    "the last good keys and endings stay, until the feed is too old",
)
@pytest.mark.parametrize("fault", ["goes_down", "answers_garbage", "no keys", "server error"])
def test_a_failed_fetch_never_takes_a_good_key_away(fault, issuer, clock, verifier, status_of):
    verifier.refresh()
    {
        "goes_down": issuer.goes_down,
        "answers_garbage": issuer.answers_garbage,
        "no keys": lambda: issuer.answers(200, b'{"keys": []}'),
        "server error": lambda: issuer.answers(500),
    }[fault]()
    assert status_of(with_header(kid="made-up")(issuer)) == 401  # asks for the keys
    clock.advance(20)
    verifier.refresh()
    assert status_of(issuer.token()) == 200


@pytest.mark.parametrize(
    ("stated", "seconds"), [("", 300), ("public, max-age=1800", 1800), ("max-age=1", 60), ("max-age=999999", 3600)]
)
def test_the_key_set_is_read_again_as_often_as_it_says_within_bounds(stated, seconds, issuer, clock):
    def fetch(url, *rest):
        return issuer.fetch(url, *rest)._replace(headers={"cache-control": stated})

    verifier = issuer.verifier(fetch=fetch)
    verifier.refresh()
    clock.advance(seconds - 1)
    verifier.refresh()
    assert issuer.fetches["keys"] == 1
    clock.advance(1)
    verifier.refresh()
    assert issuer.fetches["keys"] == 2


def test_asking_for_an_unknown_key_looks_past_caches(issuer, verifier):
    witness = Witness(issuer)
    verifier = issuer.verifier(fetch=witness)
    verifier.refresh()
    assert not [asked for asked in witness.asked if "Cache-Control" in asked.headers]
    issuer.rotate_key()
    verifier.verify(issuer.token(), ANYBODY)
    assert witness.asked[-1].headers["Cache-Control"] == "no-cache"


def test_a_statement_under_a_brand_new_key_is_believed_at_once(issuer, clock):
    witness = Witness(issuer)
    verifier = issuer.verifier(fetch=witness)
    verifier.refresh()
    issuer.rotate_key()
    clock.advance(1)
    verifier.refresh()
    assert verifier.feed_age() == 0
    assert [asked.headers.get("Cache-Control") for asked in witness.asked[-3:]] == [None, "no-cache", None]


# --- pace -------------------------------------------------------------------------------------------------------------


def polls_in(seconds, issuer, verifier, clock, *, step=0.05):
    """How often the feed is asked for, if the verifier is given a chance every `step` seconds."""
    before = issuer.fetches["feed"]
    for _ in range(round(seconds / step)):
        verifier._sources.attend()
        clock.advance(step)
    return issuer.fetches["feed"] - before


def test_the_feed_is_read_once_per_interval_and_not_more(issuer, clock, verifier):
    assert 20 <= polls_in(20, issuer, verifier, clock) <= 23


def test_failing_polls_slow_down_but_never_below_the_staleness_bound(issuer, clock, verifier):
    verifier.refresh()
    issuer.goes_down()
    assert polls_in(10, issuer, verifier, clock) <= 9
    assert 12 <= polls_in(60, issuer, verifier, clock) <= 25  # a pause of 2.5 to 5 s


@pytest.mark.parametrize(
    ("retry_after", "polls"), [("7", range(7, 10)), ("86400", range(5, 8)), ("soon", range(12, 30))]
)
def test_retry_after_is_heeded_within_limits(retry_after, polls, issuer, clock, verifier):
    verifier.refresh()
    issuer.answers(503, headers={"Retry-After": retry_after})
    assert polls_in(60, issuer, verifier, clock) in polls


def test_a_wait_that_is_answered_early_without_news_is_no_busy_loop(issuer, clock):
    verifier = issuer.verifier(wait=20)
    assert 20 <= polls_in(20, issuer, verifier, clock) <= 23


def test_a_wait_that_brings_news_asks_again_at_once_but_not_without_limit(issuer, clock):
    verifier = issuer.verifier(wait=20)
    verifier.refresh()
    before = issuer.fetches["feed"]
    for _ in range(100):
        issuer.regenerate()
        verifier._sources.attend()
        clock.advance(0.02)
    assert 30 <= issuer.fetches["feed"] - before <= 41


def test_wait_is_asked_for_within_the_bounds_of_the_issuer_and_of_staleness(issuer):
    witness = Witness(issuer)
    verifier = issuer.verifier(wait=60, max_staleness=40, fetch=witness)
    verifier.refresh()
    verifier.refresh()
    asked = witness.asked[-1]
    assert (asked.url.partition("?")[2], asked.timeout) == ("after=0&wait=20", 25)


# --- words ------------------------------------------------------------------------------------------------------------


def test_a_failure_is_logged_when_it_begins_changes_and_ends_and_not_each_time(issuer, clock, verifier, caplog):
    caplog.set_level(logging.INFO, "tokenserver.resource")
    for fault in (issuer.comes_back, issuer.goes_down, issuer.answers_garbage, issuer.comes_back):
        fault()
        for _ in range(5):
            clock.advance(1)
            verifier.refresh()
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "feed: the issuer cannot be reached",
        "feed: the statement is not a signed text",
        "feed: well again",
    ]


def test_becoming_stale_and_well_again_is_logged(issuer, clock, verifier, caplog):
    verifier.refresh()
    issuer.goes_down()
    for _ in range(4):
        clock.advance(20)
        verifier.refresh()
    assert Counter(record.getMessage().partition(": ")[2] for record in caplog.records) == Counter(
        ["feed: the issuer cannot be reached", "age: what is known is too old"]
    )
    assert verifier.health()["last_errors"].keys() == {"feed", "age"}
    issuer.comes_back()
    verifier.refresh()
    assert verifier.health()["last_errors"] == {}


@pytest.mark.fault(
    "a transport of your own raises whatever it likes",
    "that is a token server that is down, and its words are in no log",
)
def test_a_transport_that_raises_anything_at_all_is_an_issuer_that_is_down(issuer, clock, caplog):
    secret = "eyJhbGciOi"  # stands for a token

    def fetch(*_):
        raise KeyError(secret)

    verifier = issuer.verifier(fetch=fetch)
    verifier.refresh()
    assert verifier.state == "starting"
    assert "KeyError" in caplog.text
    assert secret not in caplog.text
