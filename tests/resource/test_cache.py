"""What is remembered is bounded, and forgetting is cheap and fair."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.callers import ANYBODY
from tests.support.forgeries import FORGERIES
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import InvalidToken
from tokenserver.resource.cache import NetworkLists, Proven, ProvenTokens
from tokenserver.resource.testing import FakeIssuer
from tokenserver.tokens.verification import read_token


def proven(issuer, **token):
    key = issuer.signing_key.verifying
    text = issuer.token(**token)
    return text, Proven(read_token(text, {key.kid: key}.get, issuer=issuer.name, audience=issuer.audience), key)


def used(cache, text):
    if (found := cache.get(text)) is not None:
        found.used = True


def test_no_more_than_the_most_are_remembered(issuer):
    _, one = proven(issuer)
    cache = ProvenTokens(3)
    for n in range(10):
        cache.put(str(n), one)
    assert [n for n in range(10) if cache.get(str(n))] == [7, 8, 9]
    assert len(cache) == 3


def test_what_was_used_stays_longer(issuer):
    cache = ProvenTokens(3)
    for n in range(3):
        cache.put(str(n), proven(issuer)[1])
    used(cache, "0")
    cache.put("3", proven(issuer)[1])
    assert [n for n in range(4) if cache.get(str(n))] == [0, 2, 3]
    cache.put("4", proven(issuer)[1])
    cache.put("5", proven(issuer)[1])
    assert [n for n in range(6) if cache.get(str(n))] == [0, 4, 5]
    cache.put("6", proven(issuer)[1])
    assert cache.get("0") is None


def test_when_all_were_used_room_is_made_all_the_same(issuer):
    cache = ProvenTokens(3)
    for n in range(50):
        cache.put(str(n), proven(issuer)[1])
        for earlier in range(n + 1):
            used(cache, str(earlier))
        assert len(cache) <= 3


def test_a_cache_of_nothing_remembers_nothing(issuer):
    verifier = issuer.verifier(most_tokens=0)
    for _ in range(2):
        assert verifier.verify(issuer.token(), ANYBODY)
    assert verifier.health()["proven_tokens"] == 0


def test_a_flood_of_tokens_keeps_the_verifier_within_its_bound(issuer, clock):
    verifier = issuer.verifier(most_tokens=20)
    for _ in range(100):
        verifier.verify(issuer.token(), ANYBODY)
    assert verifier.health()["proven_tokens"] == 20


def test_only_good_tokens_are_remembered_and_expired_ones_are_forgotten(issuer, clock, verifier):
    for forge in FORGERIES.values():
        with pytest.raises(InvalidToken):
            verifier.verify(forge(issuer), ANYBODY)
    assert verifier.health()["proven_tokens"] == 0
    token = issuer.token(lifetime=60)
    verifier.verify(token, ANYBODY)
    assert verifier.health()["proven_tokens"] == 1
    clock.advance(60)
    with pytest.raises(InvalidToken):
        verifier.verify(token, ANYBODY)
    assert verifier.health()["proven_tokens"] == 0


def test_many_threads_at_once_lose_nothing_but_a_few_entries(issuer):
    _, one = proven(issuer)
    cache = ProvenTokens(50)

    def churn(worker):
        for n in range(2000):
            cache.put(f"{worker}-{n}", one)
            if n % 3 == 0:
                cache.forget(f"{worker}-{n - 1}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(churn, range(8)))
    assert len(cache) <= 50 + 8


def test_an_entry_takes_about_as_much_memory_as_is_said():
    issuer = FakeIssuer()
    many = 300
    texts = [
        issuer.token(
            client_id=f"tsc_{n:022}",
            roles={"cloud_admin", "auditor"},
            scopes={"reports:read", "reports:write"},
            allowed_ips=f"192.0.2.1 - 192.0.3.{n % 250}",
        )
        for n in range(many)
    ]
    verifier = issuer.verifier()
    verifier.refresh()
    verifier.verify(issuer.token(), ANYBODY)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for text in texts:
        verifier.verify("".join(text), ANYBODY, address="192.0.2.1")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / many < 6 * 1024


def test_lists_are_bounded_by_number_and_by_size():
    lists = NetworkLists(most=3, most_ranges=10)
    for n in range(5):
        lists.put(str(n), AllowedIPs.parse(f"192.0.2.{n}"))
    assert [n for n in range(5) if lists.get(str(n))] == [2, 3, 4]
    lists.put("long", AllowedIPs.parse([f"10.0.{n}.0/25" for n in range(9)]))
    assert [name for name in ("2", "3", "4", "long") if lists.get(name)] == ["4", "long"]
    lists.put("too long", AllowedIPs.parse([f"10.0.{n}.0/25" for n in range(90)]))
    assert len(lists) == 1
