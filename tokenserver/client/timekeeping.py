"""What time is it, and how does one wait? Both clocks and the pause in one value, so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tokenserver.client.access_token import Moment
from tokenserver.clock import Clock, monotonic, utc_now


@dataclass(frozen=True, slots=True)
class Timekeeper:
    clock: Clock = utc_now
    monotonic: Clock = monotonic
    sleep: Callable[[float], object] = time.sleep

    def now(self) -> Moment:
        return Moment(self.clock(), self.monotonic())
