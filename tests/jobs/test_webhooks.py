"""Are webhooks told in time, signed so that the stock library believes it, however slow some of them are?"""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.jobs import Runner
from app.jobs.webhooks import (
    CANNOT_SIGN,
    LANE_THREADS,
    MOST_OF_ONE_ORGANIZATION,
    MOST_OF_ONE_WEBHOOK,
    UNEXPECTED,
    WebhookJobs,
)
from app.services.clockwork import Clockwork
from app.services.deliveries import Deliveries
from app.services.posting import Outcome, Poster
from app.services.terms import Draft
from app.services.webhooks import WebhookDraft, Webhooks
from app.store.database import StoreUnavailable
from app.store.sealing import Sealer, key_encryption_key
from tests.support.receivers import a_receiver, answering, answering_in_turn, hanging
from tests.support.world import PATIENCE, eventually
from tokenserver.clock import DAY, utc_now
from tokenserver.domain.restrictions import Restrictions
from tokenserver.domain.webhook import DeliveryState
from tokenserver.domain.webhook_target import Reach


class Post:
    """The work of webhooks with everything real but the clock of the services."""

    def __init__(self, workshop, poster=None):
        self.workshop = workshop
        store = workshop.services.store
        self.sealer = Sealer(key_encryption_key(workshop.settings))
        settings = workshop.settings.model_copy(
            update={"webhook_allowed_networks": ("127.0.0.0/8",), "webhook_plain_http": True}
        )
        self.webhooks = Webhooks(store, self.sealer, settings, workshop.clock)
        self.poster = poster or Poster(Reach.parse(["127.0.0.0/8"]), plain_http=True)
        self.jobs = WebhookJobs(Deliveries(store, self.sealer), self.poster, utc_now)

    def listen(self, receiver, *events):
        draft = WebhookDraft(receiver.url, "", events or ("credential.*",))
        return self.webhooks.create(self.workshop.caller, draft)

    def credential(self, name="nightly export"):
        self.workshop.services.credentials.create(self.workshop.caller, Draft(name, "", Restrictions()))

    def log(self, made):
        return self.webhooks.deliveries(self.workshop.caller, made.webhook.id, None, 200)

    def states(self, made):
        return [view.delivery.state for view in self.log(made)]

    def until(self, condition, what):
        """Work round by round, as the runner does, until something is so."""

        def met():
            self.jobs.deliver(self.workshop.clock.now)
            return condition()

        eventually(met, what)

    def until_delivered(self, made, count=1):
        self.until(lambda: self.states(made).count(DeliveryState.DELIVERED) == count, "it is delivered")


@pytest.fixture
def post(workshop):
    return Post(workshop)


def test_the_stock_library_believes_what_is_delivered_and_nothing_else(post):
    with a_receiver() as receiver:
        made = post.listen(receiver)
        post.credential()
        post.until_delivered(made)
        (received,) = receiver.received
    believed = Webhook(made.secret.reveal()).verify(received.body, received.headers)
    assert believed["type"] == "credential.created"
    assert believed["data"]["detail"]["changed"]["name"] == ["", "nightly export"]
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == post.log(made)[0].delivery.event_id
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret.reveal()).verify(received.body.replace(b"nightly", b"daily"), received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(b"another").decode()).verify(received.body, received.headers)


def test_for_a_day_after_its_secret_was_rotated_either_secret_is_believed(post):
    with a_receiver() as receiver:
        made = post.listen(receiver)
        rotated = post.webhooks.rotate_secret(post.workshop.caller, made.webhook.id, None)
        post.credential()
        post.until_delivered(made)
        for secret in (made.secret, rotated.secret):
            received = receiver.received[-1]
            assert Webhook(secret.reveal()).verify(received.body, received.headers)
        post.workshop.clock.advance(DAY)
        post.credential("another")
        post.until_delivered(made, 2)
        received = receiver.received[-1]
        assert Webhook(rotated.secret.reveal()).verify(received.body, received.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret.reveal()).verify(received.body, received.headers)


def test_a_receiver_that_fails_is_asked_again_under_the_same_id(post):
    with a_receiver(answering_in_turn(500, 503, 200)) as receiver:
        made = post.listen(receiver)
        post.credential()
        for attempts in (1, 2):
            post.until(lambda n=attempts: post.log(made)[0:] and post.log(made)[0].delivery.attempts == n, "an attempt")
            post.workshop.clock.advance(60)
        post.until_delivered(made)
        assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    (view,) = post.log(made)
    assert [attempt.status for attempt in view.log] == [200, 503, 500]
    assert [attempt.error is None for attempt in view.log] == [True, False, False]


def test_receivers_that_hang_delay_nobody_else(post, monkeypatch):
    """More of them than there are threads, with more to deliver than they could take."""
    monkeypatch.setattr("app.services.posting.TOTAL_SECONDS", 0.5)
    caller = post.workshop.caller
    with a_receiver(hanging) as stuck, a_receiver() as receiver:
        slow = [post.listen(stuck) for _ in range(LANE_THREADS + 3)]
        for number in range(MOST_OF_ONE_WEBHOOK):
            post.credential(f"number {number}")
        post.until(
            lambda: all(post.webhooks.get(caller, made.webhook.id).failing_since for made in slow),
            "each of them is known to hang",
        )
        made = post.listen(receiver)
        monkeypatch.setattr("app.services.posting.TOTAL_SECONDS", 3 * PATIENCE)
        post.workshop.clock.advance(3600)
        before = stuck.connections
        post.until(lambda: stuck.connections >= before + MOST_OF_ONE_ORGANIZATION, "the slow lane is full again")
        post.credential("one more")
        post.until_delivered(made)  # before any attempt at one that hangs can have come to its end
        assert not any(DeliveryState.DELIVERED in post.states(each) for each in slow)


def test_of_one_organization_only_so_many_are_under_way(post):
    with a_receiver(hanging) as stuck:
        for _ in range(5):
            post.listen(stuck)
        for number in range(MOST_OF_ONE_WEBHOOK):
            post.credential(f"number {number}")
        for _ in range(5):
            post.jobs.deliver(post.workshop.clock.now)
        eventually(lambda: stuck.connections == MOST_OF_ONE_ORGANIZATION, "as many as may be are under way")
        post.jobs.deliver(post.workshop.clock.now)
        assert stuck.connections == MOST_OF_ONE_ORGANIZATION


def test_a_round_never_waits_for_a_receiver(post):
    with a_receiver(hanging) as stuck:
        post.listen(stuck)
        post.credential()
        began = time.monotonic()
        for _ in range(20):
            post.jobs.deliver(post.workshop.clock.now)
        assert time.monotonic() - began < 2


def test_at_the_end_what_is_on_its_way_is_waited_for_a_moment_and_recorded(post):
    with a_receiver() as receiver, a_receiver(hanging) as stuck:
        made, late = post.listen(receiver), post.listen(stuck)
        post.credential()
        post.jobs.deliver(post.workshop.clock.now)
        began = time.monotonic()
        post.jobs.end()
        assert 1 < time.monotonic() - began < 5
        assert post.states(made) == [DeliveryState.DELIVERED]
        assert post.log(late)[0].delivery.claimed_until is not None, "somebody tries it again when the claim runs out"


def test_what_nobody_expected_is_a_failed_attempt_like_any_other(workshop, caplog):
    class Broken(Poster):
        def post(self, *_):
            raise ZeroDivisionError

    post = Post(workshop, Broken(Reach(), plain_http=False))
    with a_receiver() as receiver:
        made = post.listen(receiver)
    post.credential()
    post.until(lambda: post.log(made)[0:] and post.log(made)[0].log, "it is recorded")
    assert post.log(made)[0].log[0].error == UNEXPECTED.error
    assert "ZeroDivisionError" in caplog.text


def test_without_its_secret_nothing_is_sent_and_the_log_says_why(post):
    with a_receiver() as receiver:
        made = post.listen(receiver)
        post.credential()
        store = post.workshop.services.store
        post.jobs = WebhookJobs(Deliveries(store, Sealer(bytes(32))), post.poster, utc_now)
        post.until(lambda: post.log(made)[0:] and post.log(made)[0].log, "it is recorded")
        assert receiver.connections == 0
    assert post.log(made)[0].log[0].error == CANNOT_SIGN.error


def test_a_runner_delivers_by_itself_and_what_is_back_wakes_it(post):
    """The pause between rounds would be an hour: only what comes back can begin the next one."""
    answered = []

    class Counting(Poster):
        def post(self, *_):
            answered.append(1)
            return Outcome(204, None, 1)

    post.jobs = WebhookJobs(
        Deliveries(post.workshop.services.store, post.sealer), Counting(Reach(), plain_http=False), utc_now
    )
    with a_receiver() as receiver:
        made = post.listen(receiver)
    for number in range(MOST_OF_ONE_WEBHOOK * 5):
        post.credential(f"number {number}")
    jobs = post.jobs.jobs()
    clockwork = Clockwork(post.workshop.services.store, post.workshop.clock)
    runner = Runner([type(job)(job.name, 3600, job.run, job.end) for job in jobs], clockwork, post.workshop.clock)
    post.jobs.on_return = lambda: runner.wake("webhooks")
    runner.start()
    try:
        eventually(lambda: set(post.states(made)) == {DeliveryState.DELIVERED}, "all are delivered")
        assert len(answered) == MOST_OF_ONE_WEBHOOK * 5
    finally:
        runner.stop()
        runner.join(10)


def test_an_answer_without_an_end_does_not_hold_its_thread(post):
    with a_receiver(answering(200, "Content-Length: 1000000")) as receiver:
        made = post.listen(receiver)
        post.credential()
        post.until_delivered(made)


def test_an_outcome_that_the_database_does_not_take_now_is_recorded_later(post, monkeypatch):
    with a_receiver() as receiver:
        made = post.listen(receiver)
        post.credential()
        post.jobs.deliver(post.workshop.clock.now)
        eventually(lambda: not post.jobs._back.empty(), "the answer is there")
        with monkeypatch.context() as broken:
            broken.setattr(post.jobs._deliveries, "record", lambda _: (_ for _ in ()).throw(StoreUnavailable))
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    post.jobs.deliver(post.workshop.clock.now)
        post.until_delivered(made)
        assert len(receiver.received) == 1, "it was not sent again"


def test_an_outcome_that_can_never_be_recorded_is_in_nobodys_way(post, monkeypatch):
    with a_receiver() as receiver:
        made = post.listen(receiver)
        post.credential()
        post.jobs.deliver(post.workshop.clock.now)
        eventually(lambda: not post.jobs._back.empty(), "the answer is there")
        with monkeypatch.context() as broken:
            broken.setattr(post.jobs._deliveries, "record", lambda _: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                post.jobs.deliver(post.workshop.clock.now)
        post.credential("another")
        post.until_delivered(made)
        post.workshop.clock.advance(60)
        post.until_delivered(made, 2)
