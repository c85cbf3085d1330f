"""Between a verifier and an issuer in memory: a witness, a gate, and the real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from tokenserver.resource.fetching import Response
from tokenserver.resource.testing import FakeClock, FakeIssuer


class Asked(NamedTuple):
    url: str
    headers: Mapping[str, str]
    timeout: float


class Witness:
    """Writes down what is asked, and hands it on."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._issuer = issuer
        self.asked: list[Asked] = []

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.asked.append(Asked(url, headers, timeout))
        return self._issuer.fetch(url, headers, timeout)


class Gate:
    """Answers only while it is open."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._issuer = issuer
        self.opened = threading.Event()
        self.entered = threading.Event()

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        self.entered.set()
        if not self.opened.wait(20):
            raise TimeoutError
        return self._issuer.fetch(url, headers, timeout)


class RealTime(FakeClock):
    """For tests with threads."""

    def __call__(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
