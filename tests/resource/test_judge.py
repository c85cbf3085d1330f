"""What ends a token ends it here: on the second, by every source, with old news and with clocks that lie."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.callers import ANYBODY, Request, bearer
from tests.support.forgeries import with_signature
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import AddressRefused, InvalidToken, Unavailable
from tokenserver.resource import Require
from tokenserver.resource.cache import ProvenTokens
from tokenserver.resource.testing import FakeClock, FakeIssuer


@pytest.fixture
def status_of(verifier, call):
    return lambda token, require=ANYBODY: call(verifier, require, bearer(token)).status


# --- generations ------------------------------------------------------------------------------------------------------


def test_regenerating_ends_every_token_at_the_next_look_and_new_ones_pass_at_once(issuer, clock, status_of):
    old, of_another = issuer.token(), issuer.token(client_id="tsc_another")
    assert status_of(old) == 200
    issuer.regenerate()
    new = issuer.token()
    assert status_of(new) == 200  # newer than what is known, and not wrong
    clock.advance(1)
    assert (status_of(old), status_of(new), status_of(of_another)) == (401, 200, 200)


def test_what_has_ended_stays_ended(issuer, clock, status_of):
    token = issuer.token(lifetime=3600)
    issuer.regenerate()
    for _ in range(30):
        clock.advance(100)
        assert status_of(token) == 401


def test_a_grace_period_ends_on_the_second_with_no_message_at_that_moment(issuer, clock, verifier, status_of):
    issuer.rotate(grace_seconds=20)
    old, new = issuer.token(retiring=True, claims={"exp": int(clock()) + 900}), issuer.token()
    verifier.refresh()
    issuer.goes_down()
    clock.advance(19.999)
    assert (status_of(old), status_of(new)) == (200, 200)
    clock.advance(0.001)
    assert (status_of(old), status_of(new)) == (401, 200)


def test_suspending_an_organization_ends_all_of_its_tokens(issuer, clock, status_of):
    tokens = [issuer.token(client_id=f"tsc_{n}") for n in range(3)]
    elsewhere = issuer.token(organization="org_else")
    issuer.suspend()
    clock.advance(1)
    assert [status_of(token) for token in tokens] == [401, 401, 401]
    assert status_of(elsewhere) == 200


def test_one_token_can_be_ended_alone(issuer, clock, status_of):
    ended, other = issuer.token(token_id="a"), issuer.token(token_id="b")
    assert status_of(ended) == 200
    issuer.revoke_token("a")
    clock.advance(1)
    assert (status_of(ended), status_of(other)) == (401, 200)


def test_another_spelling_of_a_token_that_has_ended_has_ended_too(issuer, clock, status_of):
    token = issuer.token(token_id="a")
    issuer.revoke_token("a")
    clock.advance(1)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    respelled = with_signature(token, lambda r, s: (r, order - s))
    assert respelled != token
    assert status_of(respelled) == 401


def test_the_strictest_of_all_sources_decides(issuer, clock, status_of):
    token = issuer.token(token_id="a", client_id="tsc_a")
    issuer.rotate("tsc_a", grace_seconds=600)
    issuer.suspend("org_else")
    issuer.revoke_token("b")
    clock.advance(1)
    assert status_of(token) == 200
    issuer.revoke_token("a")
    clock.advance(1)
    assert status_of(token) == 401


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_token_under_a_brand_new_key_passes_at_once(issuer, status_of):
    assert status_of(issuer.token()) == 200
    issuer.rotate_key()
    assert status_of(issuer.token()) == 200


class Meanwhile(ProvenTokens):
    """Something happens between the look at what is known and the look at the token."""

    def __init__(self, happens):
        super().__init__()
        self._happens = happens

    def get(self, unverified_token):
        self._happens()
        return super().get(unverified_token)


def test_a_key_that_arrives_while_its_token_is_being_read_is_not_missed(issuer, verifier, status_of):
    verifier.refresh()
    issuer.rotate_key()

    def another_request_has_it_fetched():
        if verifier._sources.key_wishes.may_fetch(clock := issuer.clock.monotonic()):
            verifier._sources._load_keys()
            assert not verifier._sources.key_wishes.may_fetch(clock)

    verifier.judge._proven = Meanwhile(another_request_has_it_fetched)
    assert status_of(issuer.token()) == 200


def test_revoking_a_key_ends_what_it_signed_remembered_or_not(issuer, clock, status_of):
    seen, unseen = issuer.token(), issuer.token()
    assert status_of(seen) == 200
    issuer.revoke_key()
    clock.advance(1)
    assert (status_of(seen), status_of(unseen), status_of(issuer.token())) == (401, 401, 200)


def test_a_key_that_is_published_no_more_takes_its_tokens_along_though_they_are_remembered(issuer, clock, status_of):
    token = issuer.token(lifetime=3600)
    assert status_of(token) == 200
    old = issuer.signing_key.kid
    issuer.rotate_key()
    issuer.withdraw_key(old)
    clock.advance(301)
    assert status_of(token) == 401


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_token_dies_on_the_second_it_expires_remembered_or_not(issuer, clock, status_of):
    seen, unseen = issuer.token(lifetime=60), issuer.token(lifetime=60)
    clock.advance(59.999)
    assert status_of(seen) == 200
    clock.advance(0.001)
    assert (status_of(seen), status_of(unseen)) == (401, 401)


@pytest.mark.parametrize("back", [1, 61, 3600, 10**8])
def test_setting_the_clock_back_revives_nothing(back, issuer, clock, status_of):
    expired = issuer.token(lifetime=60)
    issuer.rotate(grace_seconds=60)
    retired = issuer.token(retiring=True, claims={"exp": int(clock()) + 900})
    assert (status_of(expired), status_of(retired)) == (200, 200)
    clock.advance(61)
    assert (status_of(expired), status_of(retired)) == (401, 401)
    clock.step(-back)
    assert (status_of(expired), status_of(retired)) == (401, 401)


@pytest.mark.fault(
    "the clock here is behind",
    "no token lives longer: the issuer's own time counts",
)
def test_a_clock_that_is_behind_does_not_prolong_a_token():
    issuer = FakeIssuer()
    behind = type(issuer.clock)(issuer.clock() - 25)
    verifier = issuer.verifier(clock=behind, monotonic=behind.monotonic)
    token = issuer.token(lifetime=60)
    verifier.verify(token, ANYBODY)
    issuer.clock.advance(60)
    behind.advance(60)
    with pytest.raises(InvalidToken):
        verifier.verify(token, ANYBODY)


@pytest.mark.fault(
    "the clock here is ahead by hours",
    "requests are refused until it is set right, and not longer",
)
def test_a_clock_hours_ahead_closes_and_is_forgiven_when_it_is_set_right(issuer, clock, status_of):
    token = issuer.token()
    clock.step(7200)
    issuer_time = clock() - 7200
    issuer.repeats(issuer.statement(issued_at=issuer_time))
    assert status_of(token) in {401, 503}
    clock.step(-7200)
    issuer.comes_back()
    clock.advance(1)
    assert status_of(token) == 200


@pytest.fixture
def elsewhere(issuer):
    """A verifier of another machine, with the clock of that machine."""
    there = FakeClock(issuer.clock())
    verifier = issuer.verifier(clock=there, monotonic=there.monotonic)

    def passes(token):
        verifier.refresh()
        try:
            verifier.verify(token, ANYBODY)
        except InvalidToken:
            return InvalidToken
        except Unavailable:
            return Unavailable
        return True

    def advance(seconds):
        issuer.clock.advance(seconds)
        there.advance(seconds)

    return SimpleNamespace(clock=there, verifier=verifier, passes=passes, advance=advance)


def test_a_clock_that_jumps_ahead_an_hour_closes_and_says_why_until_it_is_set_right(issuer, elsewhere, caplog):
    token = issuer.token()
    assert elsewhere.passes(token) is True
    elsewhere.clock.step(3600)
    assert elsewhere.passes(token) is Unavailable
    assert "is the clock here ahead" in elsewhere.verifier.health()["last_errors"]["age"]
    elsewhere.clock.step(-3600)
    elsewhere.advance(1)
    assert elsewhere.passes(token) is True
    assert elsewhere.verifier.health()["last_errors"] == {}


def test_a_clock_that_jumps_back_an_hour_changes_nothing(issuer, elsewhere):
    token, short = issuer.token(), issuer.token(lifetime=60)
    assert elsewhere.passes(token) is True
    elsewhere.clock.step(-3600)
    assert elsewhere.passes(token) is True
    elsewhere.advance(60)
    assert (elsewhere.passes(token), elsewhere.passes(short)) == (True, InvalidToken)
    issuer.regenerate()
    elsewhere.advance(1)
    assert elsewhere.passes(token) is InvalidToken


@pytest.mark.fault(
    "the machine slept (a laptop, a virtual machine that was moved)",
    "503 until the feed was read again, which it is at once; then all that has ended meanwhile is known",
)
def test_a_machine_that_slept_judges_nobody_by_the_news_from_before(issuer, elsewhere):
    token = issuer.token(lifetime=3600)
    assert elsewhere.passes(token) is True
    issuer.clock.advance(1800)
    elsewhere.clock.step(1800)  # the monotonic clock stood still
    with pytest.raises(Unavailable):
        elsewhere.verifier.judge.prove(token)
    assert elsewhere.passes(token) is True, "the news is there"
    issuer.regenerate()
    ended, token = token, issuer.token()
    issuer.clock.advance(8 * 3600)
    elsewhere.clock.step(8 * 3600)
    assert (elsewhere.passes(ended), elsewhere.passes(token), elsewhere.passes(issuer.token())) == (
        InvalidToken,
        InvalidToken,
        True,
    )


# --- stale news -------------------------------------------------------------------------------------------------------


@pytest.mark.fault(
    "the token server goes down later",
    "tokens are judged by what is known until `max_staleness` (30 s); then 503, until it is back",
)
def test_without_news_a_warm_verifier_goes_on_until_the_bound_and_then_refuses(issuer, clock, verifier, call):
    token = issuer.token()
    assert call(verifier, ANYBODY, bearer(token)).status == 200
    issuer.goes_down()
    clock.advance(30)
    assert call(verifier, ANYBODY, bearer(token)).status == 200
    clock.advance(0.001)
    answer = call(verifier, ANYBODY, bearer(token))
    assert (answer.status, answer.headers["retry-after"], answer.error) == (503, "1", "temporarily_unavailable")
    assert "www-authenticate" not in answer.headers
    issuer.comes_back()
    clock.advance(5)
    assert call(verifier, ANYBODY, bearer(token)).status == 200


@pytest.mark.fault(
    "the feed is too old and `on_stale` is `accept`",
    "what was known to have ended stays ended, and tokens expire as ever",
)
def test_accepting_with_old_news_still_knows_what_has_ended(issuer, clock, call):
    verifier = issuer.verifier(on_stale="accept")
    ended, good, expiring = issuer.token(client_id="tsc_a"), issuer.token(), issuer.token(lifetime=60)
    issuer.regenerate("tsc_a")
    verifier.refresh()
    issuer.goes_down()
    clock.advance(31)
    assert [call(verifier, ANYBODY, bearer(token)).status for token in (ended, good, expiring)] == [401, 200, 200]
    clock.advance(30)
    assert [call(verifier, ANYBODY, bearer(token)).status for token in (ended, good, expiring)] == [401, 200, 401]


def test_the_policy_can_be_chosen_per_route(issuer, clock, verifier, call, caplog):
    token = issuer.token()
    verifier.refresh()
    issuer.goes_down()
    clock.advance(31)
    statuses = {
        policy: call(verifier, Require(any_caller=True, on_stale=policy), bearer(token)).status
        for policy in ("refuse", "accept", "introspect")
    }
    assert statuses == {"refuse": 503, "accept": 200, "introspect": 503}, "nobody can be asked, either"
    assert "on_stale is accept" in caplog.text


def test_a_bad_token_is_401_however_old_the_news_is(issuer, clock, verifier, call):
    verifier.refresh()
    clock.advance(31)
    issuer.goes_down()
    assert call(verifier, ANYBODY, bearer("a.b.c")).status == 401


@pytest.mark.parametrize("policy", ["refuse", "accept", "introspect"])
def test_before_the_first_news_nothing_passes(policy, issuer, call):
    issuer.goes_down()
    verifier = issuer.verifier(on_stale=policy)
    answer = call(verifier, ANYBODY, bearer(issuer.token()))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.fault(
    "the token server is down when the app starts",
    "requests get 503 with `Retry-After`, and pass by themselves once it is there",
)
def test_an_issuer_that_was_down_at_the_start_is_believed_when_it_comes(issuer, clock, call):
    issuer.goes_down()
    verifier = issuer.verifier()
    token = issuer.token()
    assert call(verifier, ANYBODY, bearer(token)).status == 503
    issuer.comes_back()
    clock.advance(1)
    assert call(verifier, ANYBODY, bearer(token)).status == 200


# --- addresses --------------------------------------------------------------------------------------------------------


ADDRESSES = {
    "inside the range": ("192.0.3.7", (), 200),
    "the first of the range": ("192.0.2.1", (), 200),
    "the last of the range": ("192.0.3.254", (), 200),
    "one before the range": ("192.0.2.0", (), 403),
    "one after the range": ("192.0.3.255", (), 403),
    "inside the IPv6 network": ("2001:db8::1", (), 200),
    "outside the IPv6 network": ("2001:db9::1", (), 403),
    "IPv4 in IPv6 clothing": ("::ffff:192.0.2.9", (), 200),
    "no peer": (None, (), 403),
    "a Unix socket": ("", (), 403),
    "a peer that is no address": ("unix:/run/x", (), 403),
    "an unknown peer that says it forwards": ("198.51.100.1", [("x-forwarded-for", "192.0.2.9")], 403),
    "our proxy, forwarding an address inside": ("10.1.2.3", [("x-forwarded-for", "192.0.2.9")], 200),
    "our proxy, forwarding an address outside": ("10.1.2.3", [("x-forwarded-for", "198.51.100.1")], 403),
    "our proxy, forwarding nothing": ("10.1.2.3", (), 403),
    "an address made up at the left": ("10.1.2.3", [("x-forwarded-for", "192.0.2.9, 198.51.100.1")], 403),
    "two of our proxies": ("10.1.2.3", [("x-forwarded-for", "192.0.2.9, 10.9.9.9")], 200),
    "the same header twice": ("10.1.2.3", [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "198.51.100.1")], 403),
    "the standard header": ("10.1.2.3", [("forwarded", 'for="[2001:db8::7]:1234";proto=https')], 200),
    "garbage in the standard header": ("10.1.2.3", [("forwarded", 'for="192.0.2.9')], 403),
    "a hidden name in the standard header": ("10.1.2.3", [("forwarded", "for=_hidden")], 403),
}


@pytest.mark.fault(
    "forwarded headers are forged, doubled or missing",
    "what a trusted proxy saw counts; where it cannot be told, a token held to addresses gets 403",
)
@pytest.mark.parametrize(("peer", "forwarded", "status"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_a_restricted_token_passes_from_its_addresses_only(peer, forwarded, status, issuer, call):
    verifier = issuer.verifier(trusted_proxies=["10.0.0.0/8"])
    token = issuer.token(allowed_ips="192.0.2.1 - 192.0.3.254, 2001:db8::/32")
    for _ in range(2):  # remembered or not
        answer = call(verifier, ANYBODY, Request((f"Bearer {token}",), peer, forwarded))
        assert (answer.status, answer.error) == (status, None if status == 200 else "address_not_allowed")


def test_an_address_that_passed_lets_no_other_pass(issuer, verifier, call):
    token = issuer.token(allowed_ips="192.0.2.1")
    asked = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2", None]
    statuses = [call(verifier, ANYBODY, Request((f"Bearer {token}",), peer)).status for peer in asked]
    assert statuses == [200, 403, 200, 403, 403]


def test_a_token_without_addresses_passes_from_anywhere_even_unknown(issuer, verifier, call):
    for peer in ("203.0.113.9", None, "unix:"):
        assert call(verifier, ANYBODY, Request((f"Bearer {issuer.token()}",), peer)).status == 200


def test_an_empty_list_in_a_token_admits_nobody(issuer, verifier, call):
    assert call(verifier, ANYBODY, bearer(issuer.token(claims={"allowed_ips": []}))).status == 403


LONG_LIST = [f"10.0.{n}.0/25" for n in range(100)] + ["192.0.2.1"]


def test_a_list_by_reference_is_fetched_once_and_heeded(issuer, verifier, call):
    tokens = [issuer.token(allowed_ips=LONG_LIST) for _ in range(3)]
    for token in tokens:
        assert call(verifier, ANYBODY, bearer(token)).status == 200
        assert call(verifier, ANYBODY, Request((f"Bearer {token}",), "192.0.2.2")).status == 403
    assert issuer.fetches["networks"] == 1


DIGEST = AllowedIPs.parse(LONG_LIST).digest()


@pytest.mark.fault(
    "a long list of allowed addresses cannot be fetched",
    "503, with one attempt per cool-down",
)
def test_a_list_that_cannot_be_had_is_503_and_not_asked_for_again_and_again(issuer, clock, verifier, call):
    token = issuer.token(allowed_ips=LONG_LIST)
    issuer.forgets_list(DIGEST)
    answers = [call(verifier, ANYBODY, bearer(token)) for _ in range(5)]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "1")}
    assert issuer.fetches["networks"] == 1
    issuer.token(allowed_ips=LONG_LIST)  # it is served again
    clock.advance(5)
    assert call(verifier, ANYBODY, bearer(token)).status == 200


def test_a_list_that_is_not_the_one_asked_for_is_not_believed(issuer, verifier, call):
    token = issuer.token(allowed_ips=LONG_LIST)
    verifier.refresh()
    issuer.answers(200, b'{"allowed_ips": ["0.0.0.0/0"]}')
    assert call(verifier, ANYBODY, bearer(token)).status == 503


# --- without a request ------------------------------------------------------------------------------------------------


def test_a_token_can_be_checked_without_any_request(issuer, verifier):
    token = issuer.token(roles={"cloud_admin"}, allowed_ips="192.0.2.1")
    assert verifier.verify(token, Require(roles={"cloud_admin"}), address="192.0.2.1").roles == {"cloud_admin"}
    with pytest.raises(AddressRefused):
        verifier.verify(token, ANYBODY)
    with pytest.raises(InvalidToken):
        verifier.verify("a.b.c", ANYBODY)
    issuer.goes_down()
    with pytest.raises(Unavailable):
        issuer.verifier().verify(token, ANYBODY)
