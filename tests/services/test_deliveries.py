"""Does what is owed become deliveries, and does each attempt have its consequences, once?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.services.deliveries import CLAIM_SECONDS, KEPT_FOR, LARGEST_BODY, Deliveries, Done, Room
from app.services.posting import Outcome
from app.services.terms import Draft
from app.services.webhooks import WebhookDraft
from app.store.sealing import Sealer
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.restrictions import Restrictions
from tokenserver.domain.webhook import RETRIED_FOR, SPREAD, SUSTAINED, DeliveryState

OK, BROKEN, GONE = Outcome(204, None, 5), Outcome(500, "no", 5), Outcome(410, "no", 5)
ALL_ROOM = Room(failing=False, parcels=100, of_one_webhook=100, of_one_organization=1000)
both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


class PostOffice:
    """The services of deliveries, with a postman who comes back with what he is told to."""

    def __init__(self, workshop):
        self.workshop = workshop
        self.deliveries = workshop.services.deliveries
        self.webhooks = workshop.services.webhooks

    @property
    def now(self):
        return self.workshop.clock.now

    def listen(self, *events, url="https://hooks.example.com/in"):
        draft = WebhookDraft(url, "", events or ("credential.*",))
        return self.webhooks.create(self.workshop.caller, draft).webhook

    def credential(self, name="nightly export"):
        self.workshop.services.credentials.create(self.workshop.caller, Draft(name, "", Restrictions()))

    def sort(self):
        while self.deliveries.fan_out(self.now):
            pass

    def claim(self, **room):
        return self.deliveries.claim(self.now, replace(ALL_ROOM, **room))

    def send(self, outcome, **room):
        parcels = self.claim(**room)
        self.deliveries.record([Done(parcel, outcome, self.now) for parcel in parcels])
        return parcels

    def log(self, webhook):
        return self.webhooks.deliveries(self.workshop.caller, webhook.id, None, 200)

    def read(self, webhook):
        return self.webhooks.get(self.workshop.caller, webhook.id)


@pytest.fixture
def office(workshop):
    return PostOffice(workshop)


@both
def test_a_change_is_delivered_to_everybody_who_listens_and_to_nobody_else(office):
    one, other, silent = office.listen("credential.created"), office.listen("*"), office.listen("role.*")
    office.credential()
    office.sort()
    assert [view.delivery.type for view in office.log(one)] == ["credential.created"]
    assert "credential.created" in [view.delivery.type for view in office.log(other)]
    assert office.log(silent) == []
    (mine,) = office.log(one)
    (theirs,) = [view for view in office.log(other) if view.delivery.type == "credential.created"]
    assert mine.delivery.event_id == theirs.delivery.event_id
    assert mine.delivery.id != theirs.delivery.id


def test_a_body_says_what_the_audit_line_says_and_is_the_same_at_each_attempt(office):
    office.listen()
    office.credential()
    office.sort()
    (parcel,) = office.send(BROKEN)
    body = json.loads(parcel.delivery.body)
    (line,) = office.workshop.audit_lines("credential:created")
    assert (body["type"], body["timestamp"]) == ("credential.created", "2027-01-15T08:00:00Z")
    assert body["data"]["detail"] == line["detail"]
    assert (body["data"]["actor"], body["data"]["credential"]) == (line["actor"], line["credential"])
    assert "tss_" not in parcel.delivery.body
    office.workshop.clock.advance(60)
    (again,) = office.claim(failing=True)
    assert (again.delivery.body, again.delivery.event_id) == (parcel.delivery.body, parcel.delivery.event_id)


def test_what_would_be_too_long_to_send_says_so_instead(office):
    webhook = office.listen("credential.expiring")
    with office.workshop.services.store.writing() as tx:
        long = {"credential": "tsc_x", "detail": {"long": "x" * LARGEST_BODY}}
        tx.outbox.owe(webhook.organization_id, "credential.expiring", long, office.now)
    office.sort()
    (parcel,) = office.claim()
    data = json.loads(parcel.delivery.body)["data"]
    assert data == {"credential": "tsc_x", "detail": {"too_long": True}}


def test_many_events_are_sorted_a_few_at_a_time(office):
    webhook = office.listen("credential.expiring")
    with office.workshop.services.store.writing() as tx:
        for number in range(60):
            tx.outbox.owe(webhook.organization_id, "credential.expiring", {"number": number}, office.now)
    assert office.deliveries.fan_out(office.now)
    assert 0 < len(office.log(webhook)) < 60
    office.sort()
    assert len(office.log(webhook)) == 60


@both
def test_what_was_accepted_is_delivered(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    office.send(OK)
    ((delivery, log),) = [(view.delivery, view.log) for view in office.log(webhook)]
    assert (delivery.state, delivery.next_at, delivery.attempts) == (DeliveryState.DELIVERED, None, 1)
    assert [(attempt.number, attempt.status, attempt.error) for attempt in log] == [(1, 204, None)]
    assert office.read(webhook).last_success_at == int(office.now)
    office.workshop.clock.advance(DAY)
    assert office.claim() == []


@both
def test_a_claim_is_exclusive_until_it_runs_out(office, workshop):
    office.listen()
    office.credential()
    office.sort()
    beside = workshop.beside()
    other = PostOffice(beside)
    (lost,) = office.claim()
    assert other.claim() == []
    workshop.clock.advance(CLAIM_SECONDS)
    (parcel,) = other.claim()
    assert parcel.delivery.event_id == lost.delivery.event_id, "tried again under the same ID"
    office.deliveries.record([Done(lost, BROKEN, office.now)])
    other.deliveries.record([Done(parcel, OK, office.now)])
    beside.close()
    with workshop.services.store.reading() as tx:
        found = tx.deliveries.get(lost.delivery.organization_id, lost.delivery.webhook_id, lost.delivery.id)
    assert (found.state, found.attempts) == (DeliveryState.DELIVERED, 1), "who comes too late has no say"


def test_it_is_tried_for_three_days_and_then_given_up_and_the_webhook_disabled(office):
    webhook, other = office.listen(), office.listen("webhook.disabled")
    office.credential()
    office.sort()
    began, attempts = office.now, 0
    while office.log(webhook)[0].delivery.state is DeliveryState.PENDING:
        office.workshop.clock.now = max(office.now, office.log(webhook)[0].delivery.next_at)
        attempts += len(office.send(BROKEN) + office.send(BROKEN, failing=True))
    (view,) = office.log(webhook)
    assert (view.delivery.state, view.delivery.attempts) == (DeliveryState.FAILED, attempts)
    assert 14 <= attempts <= 25
    assert SUSTAINED <= office.now - began <= RETRIED_FOR + 1
    found = office.read(webhook)
    assert found.disabled_at == int(office.now)
    assert "three days" in found.disabled_reason
    (line,) = office.workshop.audit_lines("webhook:disabled")
    assert (line["actor"], line["detail"]["webhook"]) == ("clock", webhook.id)
    office.sort()
    assert [view.delivery.type for view in office.log(other)] == ["webhook.disabled"], "somebody is told"
    office.credential("another")
    office.sort()
    assert len(office.log(webhook)) == 1, "what is disabled is told nothing more"


@both
def test_a_receiver_that_asks_for_a_pause_has_it_for_that_delivery_and_no_longer_than_six_hours(office):
    webhook = office.listen()
    office.credential("first")
    office.sort()
    office.send(replace(BROKEN, status=503, unverified_retry_after="600"))
    office.workshop.clock.advance(599)
    assert office.claim(failing=True) == []
    office.workshop.clock.advance(600 * SPREAD + 2)
    office.send(replace(BROKEN, status=429, unverified_retry_after=str(365 * DAY)), failing=True)
    office.workshop.clock.advance(6 * HOUR - 1)
    assert office.claim(failing=True) == []
    office.workshop.clock.advance(6 * HOUR * SPREAD + 2)
    assert len(office.send(OK, failing=True)) == 1
    assert [view.delivery.state for view in office.log(webhook)] == [DeliveryState.DELIVERED]


def test_a_pause_that_cannot_be_read_is_none(office):
    office.listen()
    office.credential()
    office.sort()
    office.send(replace(BROKEN, unverified_retry_after="9" * 4000))
    office.workshop.clock.advance(7)
    assert len(office.claim(failing=True)) == 1


def test_one_success_within_three_days_keeps_a_webhook_going(office):
    webhook = office.listen()
    for day in range(6):
        office.credential(f"number {day}")
        office.sort()
        for outcome in (BROKEN, OK) if day % 2 else (BROKEN, BROKEN):
            office.send(outcome)
            office.send(outcome, failing=True)
            office.workshop.clock.advance(DAY / 2)
    assert office.read(webhook).disabled_at is None


def test_a_receiver_that_is_gone_is_not_asked_again(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    office.send(GONE)
    assert office.read(webhook).disabled_reason == "the receiver answered 410 Gone"
    office.workshop.clock.advance(HOUR)
    assert office.claim() == office.claim(failing=True) == []


def test_several_outcomes_of_one_webhook_are_recorded_together(office):
    """The second sees what the first has done to the webhook."""
    webhook = office.listen()
    for number in range(3):
        office.credential(f"number {number}")
    office.sort()
    office.send(GONE)
    assert [view.delivery.attempts for view in office.log(webhook)] == [1, 1, 1]
    assert office.read(webhook).version == 2
    assert len(office.workshop.audit_lines("webhook:disabled")) == 1


def test_a_success_after_a_failure_counts_though_they_come_back_together(office):
    webhook = office.listen()
    for number in range(2):
        office.credential(f"number {number}")
    office.sort()
    one, other = office.claim()
    office.deliveries.record([Done(one, BROKEN, office.now), Done(other, OK, office.now)])
    assert office.read(webhook).failing_since is None
    assert office.read(webhook).last_success_at == int(office.now)


def test_what_was_pending_goes_on_when_a_webhook_is_enabled_again(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    office.send(GONE)
    enabled = office.webhooks.update(office.workshop.caller, webhook.id, None, lambda same: same, enabled=True)
    assert (enabled.disabled_at, enabled.failing_since) == (None, None)
    office.workshop.clock.advance(HOUR)
    office.send(OK)
    assert [view.delivery.state for view in office.log(webhook)] == [DeliveryState.DELIVERED]


def test_a_webhook_that_was_deleted_is_sent_nothing_and_leaves_nothing(office):
    webhook = office.listen()
    for number in range(150):
        office.credential(f"number {number}")
    office.sort()
    (under_way, *_) = office.claim(parcels=1)
    office.webhooks.delete(office.workshop.caller, webhook.id, None)
    office.deliveries.record([Done(under_way, OK, office.now)])
    assert office.claim() == []
    rounds = 0
    while office.deliveries.prune(office.now):
        rounds += 1
    assert rounds >= 2, "a few at a time"
    with office.workshop.services.store.reading() as tx:
        left = [
            tx.session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            for table in ("webhook", "webhook_delivery", "webhook_attempt")
        ]
    assert left == [0, 0, 0]


def test_the_log_is_kept_for_thirty_days(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    office.send(OK)
    office.workshop.clock.advance(KEPT_FOR)
    office.deliveries.prune(office.now)
    assert len(office.log(webhook)) == 1
    office.workshop.clock.advance(1)
    office.deliveries.prune(office.now)
    assert office.log(webhook) == []


def test_there_is_no_more_sent_than_there_is_room_for_and_each_has_its_turn(office):
    webhooks = [office.listen("credential.*", url=f"https://{name}.example.com") for name in "abc"]
    for number in range(5):
        office.credential(f"number {number}")
    office.sort()
    parcels = office.claim(parcels=5, of_one_webhook=4)
    assert len(parcels) == 5
    assert {parcel.delivery.webhook_id for parcel in parcels} == {webhook.id for webhook in webhooks}
    assert len(office.claim(of_one_webhook=1, busy=[webhooks[0].id])) == 2
    organization = webhooks[0].organization_id
    assert len(office.claim(of_one_organization=3, under_way={organization: 1})) == 2


def test_a_secret_that_cannot_be_unsealed_signs_nothing_and_is_told_to_the_operator(office, caplog):
    webhook = office.listen()
    office.credential()
    office.sort()
    elsewhere = Deliveries(office.workshop.services.store, Sealer(bytes(32)))
    (parcel,) = elsewhere.claim(office.now, ALL_ROOM)
    assert parcel.signing == []
    assert webhook.id in caplog.text


def test_a_delivery_that_is_under_way_is_not_asked_for_twice(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    (parcel,) = office.claim()
    caller = office.workshop.caller
    assert office.webhooks.redeliver(caller, webhook.id, parcel.delivery.id).delivery.claimed_until is not None
    assert office.claim() == []
    office.workshop.clock.advance(CLAIM_SECONDS)
    assert office.webhooks.redeliver(caller, webhook.id, parcel.delivery.id).delivery.claimed_until is None
    assert len(office.claim()) == 1


def test_what_was_given_up_is_tried_for_another_three_days_when_asked_for(office):
    webhook = office.listen()
    office.credential()
    office.sort()
    office.send(BROKEN)
    office.workshop.clock.advance(RETRIED_FOR)
    office.send(BROKEN, failing=True)
    (view,) = office.log(webhook)
    assert view.delivery.state is DeliveryState.FAILED
    caller = office.workshop.caller
    office.webhooks.update(caller, webhook.id, None, lambda same: same, enabled=True)
    again = office.webhooks.redeliver(caller, webhook.id, view.delivery.id).delivery
    assert (again.state, again.until) == (DeliveryState.PENDING, int(office.now) + RETRIED_FOR)
    office.send(BROKEN)
    (view,) = office.log(webhook)
    assert view.delivery.next_at - office.now < 10, "patient anew, from the beginning"
    assert [attempt.number for attempt in view.log] == [3, 2, 1]
