"""The work of the clock, without threads unless a test starts them: time moves when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.jobs import Job, Runner
from app.services.clockwork import Clockwork
from tests.support.workshop import Workshop, a_prepared_workshop


@dataclass
class Process:
    """One process of an installation, with a runner of its own."""

    workshop: Workshop
    jobs: list[Job]
    clockwork: Clockwork = field(init=False)
    runner: Runner = field(init=False)

    def __post_init__(self) -> None:
        clock: Any = self.workshop.clock
        self.clockwork = Clockwork(self.workshop.services.store, clock, ticks=clock)
        self.runner = Runner(self.jobs, self.clockwork, clock, ticks=clock)


@pytest.fixture
def workshop(tmp_path) -> Iterator[Workshop]:
    with a_prepared_workshop("sqlite", tmp_path) as workshop:
        yield workshop


@pytest.fixture
def process(workshop):
    """Makes a process with these jobs; each further one is beside the first."""
    made: list[Workshop] = []

    def make(*jobs: Job) -> Process:
        own = workshop.beside() if made else workshop
        made.append(own)
        return Process(own, list(jobs))

    yield make
    for other in made[1:]:
        other.close()
