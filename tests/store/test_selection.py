"""Is a list of credentials in the order that was asked for, each once, whatever happens between two pages?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.store import credentials as module
from app.store.models import LastUseRow
from app.store.uses import Use
from tests.support import credentials as made_up
from tokenserver.domain.credential import name_key
from tokenserver.domain.secret import new_client_id
from tokenserver.domain.selection import NEVER_EXPIRES, NEVER_USED, Order, Selection

KEYS = {
    "created_at": lambda c, _: c.created_at,
    "name": lambda c, _: name_key(c.name),
    "expires_at": lambda c, _: NEVER_EXPIRES if c.restrictions.expires_at is None else c.restrictions.expires_at,
    "last_used_at": lambda c, used: used.get(c.client_id, NEVER_USED),
}
BY_USE = pytest.mark.parametrize("order", [Order.LONGEST_UNUSED, Order.LATEST_USED])


def remember(store, *credentials):
    with store.writing() as tx:
        for credential in credentials:
            tx.credentials.add(credential)


def use(store, **times):
    """Secrets, by ID, at these moments."""
    with store.writing() as tx:
        for secret_id, at in times.items():
            tx.session.merge(LastUseRow(secret_id=secret_id, at=at, address="192.0.2.1"))


def numbered(count, ours):
    """With client IDs that sort as they were made, each with two secrets of its own, `a1` and `b1` of the second."""
    return [
        made_up.credential(
            organization_id=ours,
            client_id=f"tsc_{n:022}",
            name=f"{'aB'[n % 2]} {n}",
            created_at=made_up.NOW + n // 4,
            secrets=(made_up.secret(f"a{n}"), made_up.secret(f"b{n}")),
            restrictions=made_up.terms(expires_at=[None, made_up.NOW + 9, made_up.NOW + 9 - n][n % 3]),
        )
        for n in range(count)
    ]


def read(store, ours, order, limit=3, between=lambda: None, **selects):
    """Client IDs and places, page after page."""
    seen: list[Any] = []
    after = None
    while True:
        with store.reading() as tx:
            page = tx.credentials.page(ours, Selection(order=order, **selects), after, limit, made_up.NOW)
        if not page:
            return seen
        seen += page
        after = page[-1][1]
        between()


@pytest.fixture(params=["of few", "of many"])
def size(request, monkeypatch):
    """Few are asked for their last use; of many the clock remembers it."""
    monkeypatch.setattr(module, "FEW", 500 if request.param == "of few" else 0)
    return request.param


def keep_up(workshop):
    workshop.services.uses.piece()


class SelectionConformance:
    backend: str

    @pytest.mark.parametrize("order", Order)
    def test_every_order_shows_each_credential_once_and_backwards_turned_round(
        self, workshop, store, ours, size, order
    ):
        made = [c.revoked(made_up.NOW, "") if n % 4 == 0 else c for n, c in enumerate(numbered(13, ours))]
        made.append(replace(made[4], client_id=new_client_id(), revoked_at=None, secrets=()))  # the name was given away
        remember(store, *made)
        use(store, secret_a1=50, secret_b1=60, secret_a2=70, secret_b2=10, secret_b3=60, secret_a7=5)
        keep_up(workshop)
        used = dict(zip([made[n].client_id for n in (1, 2, 3, 7)], [60, 70, 60, 5], strict=True))
        seen = read(store, ours, order)
        assert sorted(c.client_id for c, _ in seen) == sorted(c.client_id for c in made)
        keys = [KEYS[order.value.removeprefix("-")](c, used) for c, _ in seen]
        places = [place for _, place in seen]
        assert keys == sorted(keys, reverse=order.value.startswith("-"))
        assert places == sorted(places, reverse=order.value.startswith("-"))
        assert [c for c, _ in read(store, ours, order.opposite, 5)] == [c for c, _ in reversed(seen)]

    def test_what_never_expires_is_behind_the_last_that_does_on_a_page_of_any_length(self, store, ours):
        remember(store, *numbered(7, ours))
        whole = read(store, ours, Order.EXPIRY, 100)
        assert [c.restrictions.expires_at is None for c, _ in whole] == [False] * 4 + [True] * 3
        for limit in range(1, 8):
            assert read(store, ours, Order.EXPIRY, limit) == whole
        assert len(read(store, ours, Order.EXPIRY, 2, expires_before=made_up.NOW + 9)) == 2

    @BY_USE
    def test_who_is_not_used_while_a_list_is_read_is_seen_exactly_once(self, workshop, store, ours, size, order):
        remember(store, *numbered(12, ours))
        use(store, **{f"secret_a{n}": 100 + n for n in range(2, 12)})
        keep_up(workshop)
        busy, moments = [3, 6, 9], iter(range(200, 204))

        def work():
            now = next(moments, 204)
            use(store, **{f"secret_b{n}": now for n in busy})
            keep_up(workshop)

        seen = [int(c.client_id[4:]) for c, _ in read(store, ours, order, 2, work) if c.name != "admin"]
        assert [seen.count(n) for n in range(12) if n not in busy] == [1] * 9
        if order is Order.LONGEST_UNUSED:
            assert all(seen.count(n) >= 1 for n in busy)
        else:
            assert all(seen.count(n) <= 1 for n in busy)

    def test_the_list_of_few_knows_of_a_use_at_once(self, store, ours):
        remember(store, *numbered(3, ours))
        use(store, secret_a1=7)
        assert [c.client_id[-1] for c, _ in read(store, ours, Order.LATEST_USED)] == ["1", "2", "0"]

    def test_the_clock_goes_round_and_never_moves_a_use_back(self, workshop, store, ours, monkeypatch):
        monkeypatch.setattr("app.services.uses.AT_ONCE", 2)
        monkeypatch.setattr("app.services.uses._MOVED_AT_ONCE", 1)
        made = numbered(5, ours)
        remember(store, *made)
        use(store, **{f"secret_b{n}": 90 + n for n in range(5)})
        for _ in range(5):  # the installation has one of its own; then from the beginning
            keep_up(workshop)
        with store.writing() as tx:
            assert {u.client_id: u.listed_at for u in tx.uses.after("", 10) if u.at} == {
                c.client_id: 90 + n for n, c in enumerate(made)
            }
            tx.uses.list_at([Use(made[0].client_id, 80, 0), Use(made[1].client_id, 99, 0)])
        with store.reading() as tx:
            assert [u.listed_at for u in tx.uses.after("", 10) if u.at][:2] == [90, 99]

    def test_a_change_of_a_credential_leaves_its_place_among_the_used(self, workshop, store, ours):
        (credential,) = numbered(1, ours)
        remember(store, credential)
        use(store, secret_a0=70)
        keep_up(workshop)
        with store.writing() as tx:
            tx.credentials.save(credential.renamed("renamed", ""), was=credential)
        with store.reading() as tx:
            assert [u.listed_at for u in tx.uses.after("", 10) if u.at] == [70]


class TestSQLite(SelectionConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(SelectionConformance):
    backend = "postgres"
