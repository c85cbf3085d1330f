"""Two nodes, a clock that jumps, and work that is cut short anywhere: what an app holds works all the same."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from app.store.audit_log import AuditLog
from app.store.credentials import CredentialStore
from app.store.outbox import Outbox
from app.store.rotations import RotationStore
from tests.support.rotations import claim, client_id, scheduled
from tests.support.workshop import Workshop
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.schedule import OnUnclaimed, RotationSchedule
from tokenserver.domain.secret import Secret
from tokenserver.errors import NotFound

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
CUTS = (
    (AuditLog, "append"),
    (CredentialStore, "save_all"),
    (Outbox, "owe_all"),
    (RotationStore, "add_all"),
    (RotationStore, "save_all"),
)


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


class Life:
    """An app, its credential, and the two nodes that look after it."""

    def __init__(self, nodes: tuple[Workshop, Workshop], chance: Random, patch: pytest.MonkeyPatch) -> None:
        self.nodes, self.chance, self.patch = nodes, chance, patch
        schedule = RotationSchedule(chance.randint(2, 30), DAY, chance.choice(list(OnUnclaimed)))
        self.made = scheduled(nodes[0], schedule)
        self.holds: Secret = self.made.secret
        self.claimed: Secret | None = None
        self.moved = 0

    def node(self) -> Workshop:
        return self.chance.choice(self.nodes)

    def time_passes(self) -> None:
        self.nodes[0].clock.advance(self.chance.choice([2, HOUR, DAY // 2, DAY, 10 * DAY]))

    def the_clock_is_set_back(self) -> None:
        self.nodes[0].clock.advance(-HOUR)

    def a_node_works(self) -> None:
        node = self.node()
        node.services.rotations.work(node.clock.now)

    def a_node_is_killed_at_work(self) -> None:
        kind, name = self.chance.choice(CUTS)
        whole = getattr(kind, name)
        after = self.chance.random() < 0.5

        def cut_short(*given: object) -> None:
            if after:
                whole(*given)
            raise PowerCut

        with self.patch.context() as patch:
            patch.setattr(kind, name, cut_short)
            try:
                self.a_node_works()
            except PowerCut:
                return

    def the_app_claims(self) -> None:
        try:
            got = claim(self.node(), client_id(self.made), self.holds)
        except NotFound:
            return
        if self.chance.random() < 0.6:  # or the reply was lost
            self.claimed = got.secret

    def the_app_moves(self) -> None:
        if self.claimed is not None:
            self.holds, self.claimed, self.moved = self.claimed, None, self.moved + 1
            self.the_app_fetches_a_token()

    def the_app_fetches_a_token(self) -> None:
        assert self.node().issue(client_id(self.made), self.holds).access_token, "an outage by surprise"

    def is_consistent(self) -> None:
        with self.nodes[0].services.store.reading() as tx:
            credential = tx.credentials.of([client_id(self.made)])[client_id(self.made)]
            found = tx.rotations.get(client_id(self.made))
        assert (found is None) is (credential.pending is None)
        if found is not None and credential.pending is not None:
            assert found[0].secret_id == credential.pending.id
        assert (credential.rotate_at is None) is (found is not None)


def live(life: Life, steps: int) -> None:
    events: list[Callable[[], None]] = [
        *[life.time_passes] * 4,
        life.the_clock_is_set_back,
        *[life.a_node_works] * 4,
        *[life.a_node_is_killed_at_work] * 2,
        *[life.the_app_claims] * 2,
        life.the_app_moves,
        life.the_app_fetches_a_token,
    ]
    for _ in range(steps):
        life.chance.choice(events)()
        life.is_consistent()
    life.the_app_fetches_a_token()


@both
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_whatever_is_cut_short_and_whoever_works_the_app_goes_on(workshop, monkeypatch, seed):
    other = workshop.beside()
    life = Life((workshop, other), Random(seed), monkeypatch)
    live(life, 150)
    assert life.moved > 0, "a life without a rotation shows nothing"
    other.close()
