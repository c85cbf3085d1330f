"""Are webhooks remembered sealed, apart from each other's organizations, and changed by compare-and-swap?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.store.deliveries import Delivery
from tokenserver.domain.webhook import Webhook
from tokenserver.errors import PreconditionFailed


def webhook(organization_id, webhook_id="wh_1", **members):
    return Webhook(
        **{
            "id": webhook_id,
            "organization_id": organization_id,
            "url": "https://hooks.example.com/in",
            "description": "d",
            "subscriptions": ("credential.*", "role.created"),
            "sealed": bytes(range(256)),
            "created_at": 100,
            "created_by": "shell",
            **members,
        }
    )


def add(store, *webhooks):
    with store.writing() as tx:
        for one in webhooks:
            tx.webhooks.add(one)


def owed(store, one, next_at=100, delivery_id="dlv_1"):
    with store.writing() as tx:
        tx.deliveries.add(
            Delivery(
                id=delivery_id,
                organization_id=one.organization_id,
                webhook_id=one.id,
                event_id="evt_1",
                type="role.created",
                body="{}",
                next_at=next_at,
                until=10_000,
                created_at=100,
            )
        )


class WebhookConformance:
    backend: str

    def test_a_webhook_comes_back_as_it_was(self, store, ours):
        made = webhook(
            ours,
            previous_sealed=b"before",
            previous_until=200,
            disabled_at=300,
            disabled_reason="r",
            failing_since=150,
            last_success_at=140,
            version=7,
        )
        add(store, made)
        with store.reading() as tx:
            assert tx.webhooks.get(ours, "wh_1") == made

    def test_it_belongs_to_its_organization(self, store, ours, theirs):
        made = webhook(theirs)
        add(store, made)
        with store.writing() as tx:
            assert tx.webhooks.get(ours, "wh_1") is None
            assert tx.webhooks.page(ours, None, 10) == []
            assert (tx.webhooks.count(ours), tx.webhooks.count(theirs)) == (0, 1)
            assert tx.webhooks.listening(ours) == {}
            tx.webhooks.delete(ours, "wh_1", 5)
            with pytest.raises(PreconditionFailed):
                tx.webhooks.save(made, was=replace(made, organization_id=ours))
        with store.reading() as tx:
            assert tx.webhooks.get(theirs, "wh_1") == made

    def test_pages_are_newest_first_and_hold_each_once(self, store, ours):
        add(store, *[webhook(ours, f"wh_{number}", created_at=100 + number // 2) for number in range(7)])
        seen, place = [], None
        with store.reading() as tx:
            while found := tx.webhooks.page(ours, place, 2):
                seen += [one.id for one in found]
                place = (found[-1].created_at, found[-1].id)
        assert seen == [f"wh_{number}" for number in (6, 5, 4, 3, 2, 1, 0)]

    def test_a_change_of_what_has_changed_meanwhile_is_refused(self, store, ours):
        made = webhook(ours)
        add(store, made)
        changed = replace(made, url="https://other.example.com", sealed=b"new", subscriptions=("*",), version=2)
        with store.writing() as tx:
            tx.webhooks.save(changed, was=made)
        with store.reading() as tx:
            assert tx.webhooks.get(ours, "wh_1") == changed
        with pytest.raises(PreconditionFailed), store.writing() as tx:
            tx.webhooks.save(replace(made, version=2), was=made)

    def test_how_deliveries_go_is_no_change(self, store, ours):
        made = webhook(ours)
        add(store, made)
        with store.writing() as tx:
            tx.webhooks.note(made, failing_since=5, last_success_at=4)
        with store.reading() as tx:
            assert tx.webhooks.get(ours, "wh_1") == replace(made, failing_since=5, last_success_at=4)

    def test_those_that_are_disabled_or_deleted_do_not_listen(self, store, ours):
        add(store, webhook(ours), webhook(ours, "wh_2", disabled_at=5), webhook(ours, "wh_3"))
        with store.writing() as tx:
            tx.webhooks.delete(ours, "wh_3", 5)
            assert tx.webhooks.listening(ours) == {"wh_1": ["credential.*", "role.created"]}

    def test_of_one_that_was_deleted_no_secret_and_no_url_is_left(self, store, ours):
        add(store, webhook(ours, previous_sealed=b"before"))
        with store.writing() as tx:
            tx.webhooks.delete(ours, "wh_1", 5)
            assert tx.webhooks.get(ours, "wh_1") is None
            row = tx.session.connection().exec_driver_sql("SELECT url, sealed, previous_sealed FROM webhook").one()
            assert (row[0], bytes(row[1]), row[2]) == ("", b"", None)
            assert tx.webhooks.deleted() == "wh_1"
            tx.webhooks.remove("wh_1")
            assert tx.webhooks.deleted() is None

    def test_those_with_something_due_are_found_by_lane_and_without_the_busy_ones(self, store, ours):
        names = ("due", "later", "failing", "disabled", "busy")
        made = {name: webhook(ours, name) for name in names}
        made["failing"] = replace(made["failing"], failing_since=5)
        made["disabled"] = replace(made["disabled"], disabled_at=5)
        add(store, *made.values())
        for name in names:
            owed(store, made[name], 101 if name == "later" else 100, f"dlv_{name}")
        with store.reading() as tx:
            prompt = tx.webhooks.with_something_due(100, failing=False, busy=["busy"], limit=10)
            slow = tx.webhooks.with_something_due(100, failing=True, busy=[], limit=10)
            some = tx.webhooks.with_something_due(101, failing=False, busy=[], limit=2)
        assert ([one.id for one in prompt], [one.id for one in slow], len(some)) == (["due"], ["failing"], 2)

    def test_a_webhook_shows_nothing_of_its_secret_or_url(self):
        shown = repr(webhook("org_1", previous_sealed=b"before"))
        assert "sealed" not in shown
        assert "hooks.example.com" not in shown


class TestSQLite(WebhookConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(WebhookConformance):
    backend = "postgres"
