"""A flood of passwords holds a few threads and no more: whoever is beyond is told to come back, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from argon2.profiles import CHEAPEST

from app.services.passwords import Passwords
from tokenserver.errors import Unavailable


def test_nobody_beyond_a_few_waits_for_a_place(monkeypatch):
    monkeypatch.setattr("app.services.passwords._PATIENCE", 30.0)
    passwords = Passwords(CHEAPEST)
    for _ in range(2):
        passwords._places.acquire()
    with ThreadPoolExecutor(6) as threads:
        try:
            waiting = [threads.submit(passwords.hash, "four words in a row") for _ in range(6)]
            while passwords._room._value:
                pass
            began = monotonic()
            with pytest.raises(Unavailable):
                passwords.hash("four words in a row")
            assert monotonic() - began < 5
        finally:
            for _ in range(2):
                passwords._places.release()
        assert all(one.result() for one in waiting)
    assert passwords.hash("four words in a row")
