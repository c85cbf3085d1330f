"""Do limits count what they are about, and leave a folded trace?"""

from __future__ import annotations

import pytest

from app.services.failures import FREE, TooManyFailures
from app.services.limits import MOST_REFUSALS, Limits, Refusals
from tests.support.server import StillClock
from tests.support.workshop import PEER, at_once, failed
from tests.support.world import eventually
from tokenserver.domain.secret import new_secret
from tokenserver.errors import InvalidClient, RateLimited


@pytest.fixture
def limited(workshop):
    """The same installation under other limits."""

    def make(rate_limits):
        return workshop.beside(rate_limits=rate_limits)

    return make


def limits_of(workshop, rate_limits):
    return Limits(
        workshop.services.store, workshop.settings.model_copy(update={"rate_limits": rate_limits}), StillClock()
    )


def test_off_is_off(workshop):
    limits = limits_of(workshop, "off")
    for _ in range(1000):
        assert limits.admit(PEER) is None
        limits.failed("", PEER)
    limits.refuse_hasty("", PEER)


def test_an_address_has_its_quota_and_is_told_what_is_left(workshop):
    limits = limits_of(workshop, "address=2/minute")
    first, second = limits.admit(PEER), limits.admit(PEER)
    assert (first.left, second.left) == (1, 0)
    with pytest.raises(RateLimited) as refused:
        limits.admit(PEER)
    assert refused.value.quota == ("address", 2, 60)
    assert 1 <= refused.value.retry_after <= 61
    assert limits.admit("192.0.2.2").left == 1


def test_a_network_of_64_bits_is_one_address_and_its_neighbour_another(workshop):
    limits = limits_of(workshop, "address=1/minute")
    limits.admit("2001:db8::1")
    with pytest.raises(RateLimited):
        limits.admit("2001:db8::ffff:2")
    limits.admit("2001:db8:0:1::1")


def test_what_is_no_address_counts_as_it_is(workshop):
    limits = limits_of(workshop, "address=1/minute")
    limits.admit("unix:")
    with pytest.raises(RateLimited):
        limits.admit("unix:")


def test_the_feed_is_counted_apart(workshop):
    limits = limits_of(workshop, "address=1/minute, feed=2/minute")
    limits.admit(PEER)
    limits.admit_to_feed(PEER)
    limits.admit_to_feed(PEER)
    with pytest.raises(RateLimited):
        limits.admit_to_feed(PEER)


def test_a_credential_gets_so_many_tokens_and_another_its_own(limited, workshop):
    here = limited("credential=2/hour")
    one = workshop.credential()
    other = workshop.credential()
    for _ in range(2):
        here.issue(one)
    with pytest.raises(RateLimited) as refused:
        here.issue(one)
    assert refused.value.quota == ("credential", 2, 3600)
    here.issue(other)
    here.close()


def test_an_organization_gets_so_many_tokens(limited, workshop):
    here = limited("organization=1/hour")
    here.issue(workshop.credential())
    other = workshop.credential()
    with pytest.raises(RateLimited) as refused:
        here.issue(other)
    assert refused.value.quota == ("organization", 1, 3600)
    here.close()


def test_only_who_has_proven_the_secret_uses_up_a_quota_of_tokens(limited, workshop):
    here, made = limited("credential=1/hour"), workshop.credential()
    for _ in range(5):
        with pytest.raises(InvalidClient):
            here.issue(made, new_secret())
    here.issue(made)
    here.close()


def test_a_quota_of_tokens_that_is_reached_is_audited_as_a_folded_refusal(limited, workshop):
    here, made = limited("credential=1/hour"), workshop.credential()
    here.issue(made)
    for _ in range(20):
        with pytest.raises(RateLimited):
            here.issue(made)
    lines = workshop.audit_lines("token:refused")
    assert len(lines) == 1
    assert lines[0]["detail"] == {"error": "rate_limited", "reason": "limit: credential"}
    here.close()


class TestLockout:
    """Over the real use case: who is wrong, waits; nobody else does."""

    ATTACKER, CUSTOMER = "203.0.113.66", "198.51.100.1"

    @pytest.fixture
    def here(self, limited):
        here = limited("address=500/minute")
        yield here
        here.close()

    def attack(self, here, made, times=FREE):
        for _ in range(times):
            with pytest.raises(InvalidClient):
                here.issue(made, new_secret(), address=self.ATTACKER)

    def test_a_stranger_is_slowed_and_the_customer_is_not(self, here, workshop):
        made = workshop.credential()
        self.attack(here, made)
        with pytest.raises(TooManyFailures):
            here.issue(made, new_secret(), address=self.ATTACKER)
        assert here.issue(made, address=self.CUSTOMER).access_token

    def test_a_right_secret_from_the_slowed_address_works_when_its_wait_is_over(self, here, workshop):
        made = workshop.credential()
        self.attack(here, made)
        with pytest.raises(TooManyFailures) as refused:
            here.issue(made, address=self.ATTACKER)
        here.clock.advance(refused.value.retry_after)
        assert here.issue(made, address=self.ATTACKER).access_token
        self.attack(here, made, FREE - 1)
        assert here.issue(made, address=self.ATTACKER).access_token

    def test_who_sends_all_guesses_at_once_has_no_more_of_them(self, here, workshop):
        made = workshop.credential()
        outcomes = at_once(*[lambda: here.issue(made, new_secret(), address=self.ATTACKER)] * 60)
        wrong = [fault for fault in failed(outcomes) if isinstance(fault, InvalidClient)]
        assert len(wrong) == FREE
        assert len([fault for fault in failed(outcomes) if isinstance(fault, TooManyFailures)]) == 60 - FREE
        assert {line["actor"] for line in workshop.audit_lines("token:refused")} == {"stranger"}

    def test_an_unknown_client_is_slowed_like_a_known_one(self, here, workshop):
        outcomes = []
        for client_id in (workshop.credential().view.credential.client_id, "tsc_" + "Z" * 22):
            seen = []
            for _ in range(FREE + 2):
                with pytest.raises((InvalidClient, TooManyFailures)) as refused:
                    here.issue(client_id, new_secret(), address=self.ATTACKER)
                seen.append((type(refused.value), refused.value.public, getattr(refused.value, "retry_after", None)))
            outcomes.append(seen)
        assert outcomes[0] == outcomes[1]
        assert outcomes[0][-1][0] is TooManyFailures

    def test_who_claims_any_text_is_slowed_as_one(self, here):
        for number in range(FREE):
            with pytest.raises(InvalidClient):
                here.issue(f"nobody {number}", "tss_wrong", address=self.ATTACKER)
        with pytest.raises(TooManyFailures):
            here.issue("nobody else", "tss_wrong", address=self.ATTACKER)

    def test_who_is_refused_for_another_reason_than_the_secret_is_not_slowed(self, here, workshop):
        made = workshop.credential()
        workshop.services.credentials.disable(workshop.caller, made.view.credential.client_id)
        for _ in range(3 * FREE):
            with pytest.raises(InvalidClient, match="disabled"):
                here.issue(made, address=self.ATTACKER)


class TestTrace:
    @pytest.fixture
    def refusals(self, workshop, monkeypatch):
        """Written when the test says so."""
        refusals = Refusals(workshop.services.store, workshop.clock)
        monkeypatch.setattr(refusals, "_writing", True)
        return refusals

    def lines(self, workshop):
        return workshop.audit_lines("request:limited")

    def test_the_first_refusal_of_a_minute_is_a_line_and_the_rest_a_count(self, refusals, workshop):
        for _ in range(1000):
            refusals.add("address", PEER)
        refusals.write()
        for _ in range(500):
            refusals.add("address", PEER)
        refusals.write()
        (first,) = self.lines(workshop)
        assert first["address"] == PEER
        assert first["outcome"] == "refused"
        assert first["detail"] == {"error": "rate_limited", "reason": "address"}
        workshop.clock.advance(60)
        refusals.write()
        assert [line["detail"].get("more") for line in self.lines(workshop)] == [None, 1499]

    def test_nobody_fills_memory_or_disk(self, refusals, workshop):
        for number in range(3 * MOST_REFUSALS):
            refusals.add("address", f"10.0.{number >> 8}.{number & 255}")
        assert len(refusals._counts) <= MOST_REFUSALS + 1
        refusals.write()
        assert len(self.lines(workshop)) <= MOST_REFUSALS + 1

    def test_a_database_that_is_away_costs_no_count(self, refusals, workshop, monkeypatch):
        from app.store.database import StoreUnavailable

        refusals.add("address", PEER)
        with monkeypatch.context() as away:

            def fails():
                raise StoreUnavailable(detail="away")

            away.setattr(refusals._store, "writing", fails)
            with pytest.raises(StoreUnavailable):
                refusals.write()
        refusals.write()
        assert len(self.lines(workshop)) == 1

    def test_a_thread_writes_by_itself(self, workshop):
        Refusals(workshop.services.store, workshop.clock).add("address", PEER)
        eventually(lambda: self.lines(workshop), "the line was written")
