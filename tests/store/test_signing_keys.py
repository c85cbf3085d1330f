"""Are signing keys remembered sealed, in the order in which they sign?"""

from __future__ import annotations

import pytest

from app.store.signing_keys import StoredKey


def key(kid, active_from=100, **more):
    return StoredKey(kid, "ES256", {"kty": "EC", "kid": kid}, bytes(range(256)), 50, active_from, **more)


def add(store, *keys):
    with store.writing() as tx:
        for one in keys:
            tx.keys.add(one)


def kept(store):
    with store.reading() as tx:
        return [one for one in tx.keys.all() if one.created_at == 50]


class SigningKeyConformance:
    backend: str

    def test_a_key_comes_back_as_it_was_byte_for_byte(self, store):
        add(store, key("a"))
        (found,) = kept(store)
        assert (found.kid, found.alg, found.jwk, found.sealed) == ("a", "ES256", key("a").jwk, bytes(range(256)))
        assert (found.created_at, found.active_from, found.revoked_at) == (50, 100, None)

    def test_keys_are_in_the_order_in_which_they_sign(self, store):
        add(store, key("c", 300), key("a", 100), key("b", 200), key("aa", 200))
        assert [one.kid for one in kept(store)] == ["a", "aa", "b", "c"]

    def test_one_key_is_revoked_and_no_other(self, store):
        add(store, key("a"), key("b"))
        with store.writing() as tx:
            tx.keys.revoke("a", 150)
        assert {one.kid: one.revoked_at for one in kept(store)} == {"a": 150, "b": None}

    def test_a_key_shows_nothing_of_itself(self):
        assert "sealed" not in repr(key("a"))


class TestSQLite(SigningKeyConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(SigningKeyConformance):
    backend = "postgres"
