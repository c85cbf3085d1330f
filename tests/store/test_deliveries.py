"""Is what is owed to webhooks remembered until it is delivered, and claimed by one at a time?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.store.deliveries import Attempt, Delivery
from tests.store.test_webhooks import add, webhook
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.webhook import DeliveryState


@pytest.fixture
def listening(store, ours):
    """A webhook that listens to credentials."""
    made = webhook(ours, subscriptions=("credential.*",))
    add(store, made)
    return made


def delivery(one, delivery_id="dlv_1", **members):
    return Delivery(
        **{
            "id": delivery_id,
            "organization_id": one.organization_id,
            "webhook_id": one.id,
            "event_id": "evt_1",
            "type": "credential.created",
            "body": '{"type":"credential.created"}',
            "next_at": 100,
            "until": 1000,
            "created_at": 100,
            **members,
        }
    )


def attempt(one, number, **members):
    return Attempt(
        **{
            "delivery_id": one.id,
            "number": number,
            "organization_id": one.organization_id,
            "at": 100 + number,
            "duration_ms": 5,
            "status": 500,
            "error": "no",
            **members,
        }
    )


def happened(store, organization, *events):
    with store.writing() as tx:
        tx.audit.append(*[Entry(event, 100.5, "shell", organization, f"tsc_{event.name}") for event in events])


class DeliveryConformance:
    backend: str

    def test_a_change_is_owed_in_the_transaction_of_its_audit_line(self, store, ours, listening):
        happened(store, ours, Event.CREDENTIAL_CREATED, Event.ROLE_CREATED, Event.CREDENTIAL_DISABLED)
        with store.reading() as tx:
            owed = tx.deliveries.owed(10)
        assert sorted(event.type for event in owed) == ["credential.created", "credential.disabled"]
        assert {(event.organization_id, event.at) for event in owed} == {(ours, 100)}
        assert json.loads(owed[0].data)["actor"] == "shell"

    def test_a_change_that_is_rolled_back_is_owed_to_nobody(self, store, ours, listening):
        with pytest.raises(ZeroDivisionError), store.writing() as tx:
            tx.audit.append(Entry(Event.CREDENTIAL_CREATED, 100, "shell", ours))
            assert len(tx.deliveries.owed(10)) == 1
            raise ZeroDivisionError
        with store.reading() as tx:
            assert tx.deliveries.owed(10) == []

    def test_where_nobody_listens_nothing_is_written(self, store, ours, theirs, listening):
        happened(store, theirs, Event.CREDENTIAL_CREATED)
        happened(store, ours, Event.ADMIN_REFUSED)
        with store.reading() as tx:
            assert tx.deliveries.owed(10) == []

    def test_the_oldest_is_told_first(self, store, ours):
        with store.writing() as tx:
            for at in (300, 100, 200):
                tx.outbox.owe(ours, "credential.expiring", {"at": at}, at)
        with store.reading() as tx:
            assert [event.at for event in tx.deliveries.owed(2)] == [100, 200]

    def test_an_event_leaves_the_outbox_when_its_deliveries_are_made(self, store, ours, listening):
        happened(store, ours, Event.CREDENTIAL_CREATED, Event.CREDENTIAL_CREATED)
        with store.writing() as tx:
            first, second = tx.deliveries.owed(10)
            tx.deliveries.turn_into([delivery(listening, event_id=first.id)], [first])
        with store.reading() as tx:
            assert tx.deliveries.owed(10) == [second]
            assert tx.deliveries.get(ours, listening.id, "dlv_1").event_id == first.id

    def test_a_delivery_comes_back_as_it_was(self, store, ours, listening):
        made = delivery(listening, state=DeliveryState.FAILED, attempts=9, tries=3, next_at=None, claimed_until=400)
        with store.writing() as tx:
            tx.deliveries.add(made)
        with store.reading() as tx:
            assert tx.deliveries.get(ours, listening.id, made.id) == made

    def test_it_belongs_to_its_organization_and_its_webhook(self, store, theirs, ours, listening):
        add(store, webhook(ours, "wh_other"))
        with store.writing() as tx:
            tx.deliveries.add(delivery(listening))
            assert tx.deliveries.get(theirs, listening.id, "dlv_1") is None
            assert tx.deliveries.get(ours, "wh_other", "dlv_1") is None
            assert tx.deliveries.page(theirs, listening.id, None, 9) == []
            tx.deliveries.save(delivery(listening, organization_id=theirs, attempts=5))
            assert tx.deliveries.get(ours, listening.id, "dlv_1").attempts == 0

    def test_pages_are_newest_first_and_hold_each_once(self, store, ours, listening):
        with store.writing() as tx:
            for number in range(7):
                tx.deliveries.add(delivery(listening, f"dlv_{number}", created_at=100 + number // 2))
        seen, place = [], None
        with store.reading() as tx:
            while found := tx.deliveries.page(ours, listening.id, place, 2):
                seen += [one.id for one in found]
                place = (found[-1].created_at, found[-1].id)
        assert seen == [f"dlv_{number}" for number in (6, 5, 4, 3, 2, 1, 0)]

    def test_of_two_who_claim_the_same_one_gets_it(self, store, listening):
        made = delivery(listening)
        with store.writing() as tx:
            tx.deliveries.add(made)
            assert tx.deliveries.due(listening.id, 99, 10) == []
            assert tx.deliveries.due(listening.id, 100, 10) == [made]
            assert tx.deliveries.claim(made, 160)
            assert not tx.deliveries.claim(made, 161)
            assert tx.deliveries.due(listening.id, 159, 10) == []
            assert tx.deliveries.due(listening.id, 160, 10) == [replace(made, next_at=160, claimed_until=160)]

    def test_what_is_over_is_never_due(self, store, listening):
        with store.writing() as tx:
            tx.deliveries.add(delivery(listening))
            tx.deliveries.save(delivery(listening, state=DeliveryState.DELIVERED, next_at=None))
            assert tx.deliveries.due(listening.id, 10**9, 10) == []

    def test_the_latest_attempts_are_shown_newest_first(self, store, listening):
        busy, quiet = delivery(listening, attempts=60), delivery(listening, "dlv_2", attempts=1)
        with store.writing() as tx:
            for one in (busy, quiet):
                tx.deliveries.add(one)
                for number in range(1, one.attempts + 1):
                    tx.deliveries.note(attempt(one, number))
            found = tx.deliveries.attempts([busy, quiet, delivery(listening, "dlv_3")])
        assert [one.number for one in found["dlv_1"]] == list(range(60, 10, -1))
        assert found["dlv_2"] == [attempt(quiet, 1)]
        assert found["dlv_3"] == []

    def test_what_is_old_goes_with_its_attempts_a_few_at_a_time(self, store, ours, listening):
        with store.writing() as tx:
            for number in range(5):
                made = delivery(listening, f"dlv_{number}", created_at=100 + number)
                tx.deliveries.add(made)
                tx.deliveries.note(attempt(made, 1))
            assert tx.deliveries.prune(104, 3) == 3
            assert tx.deliveries.prune(104, 3) == 1
            assert [one.id for one in tx.deliveries.page(ours, listening.id, None, 9)] == ["dlv_4"]
            assert tx.deliveries.prune_of(listening.id, 3) == 1
            assert tx.session.connection().exec_driver_sql("SELECT count(*) FROM webhook_attempt").scalar() == 0


class TestSQLite(DeliveryConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(DeliveryConformance):
    backend = "postgres"
