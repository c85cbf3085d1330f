"""Is what operators sign in with kept apart by person, and gone with the person?"""

from __future__ import annotations

import pytest

from app.store.sessions import Session
from app.store.sign_in import Passkey, Seed
from tokenserver.domain.operators import Membership, Operator, OperatorRole


def passkey(operator_id, passkey_id="key_1", **members):
    return Passkey(
        **{
            "id": passkey_id,
            "operator_id": operator_id,
            "name": "Key",
            "public_key": bytes(range(256)),
            "sign_count": 2**32 - 1,
            "created_at": 100,
            **members,
        }
    )


def session(operator_id, organization_id, session_id="s_1", **members):
    return Session(
        **{
            "id": session_id,
            "operator_id": operator_id,
            "organization_id": organization_id,
            "method": "password",
            "created_at": 100,
            "seen_at": 100,
            "proven_at": 100,
            **members,
        }
    )


class SignInConformance:
    @pytest.fixture
    def people(self, store, ours):
        with store.writing() as tx:
            for name in ("op_ada", "op_bob"):
                tx.operators.add(Operator(name, f"{name}@example.com", name, platform_admin=False, created_at=1))
                tx.operators.add_member(ours, Membership(name, OperatorRole.MEMBER, created_at=1))
        return "op_ada", "op_bob"

    def test_a_password_is_of_one_person(self, store, people):
        ada, bob = people
        with store.writing() as tx:
            tx.sign_in.set_password(ada, "hash", 100)
        with store.reading() as tx:
            assert (tx.sign_in.password_hash(ada), tx.sign_in.password_set_at(ada)) == ("hash", 100)
            assert (tx.sign_in.password_hash(bob), tx.sign_in.password_set_at(bob)) == (None, None)
            assert not tx.sign_in.has_second_factor(ada)

    def test_one_time_codes_count_when_they_were_confirmed(self, store, people):
        ada, bob = people
        with store.writing() as tx:
            tx.sign_in.set_one_time_codes(ada, Seed(b"sealed", None, 0))
            assert not tx.sign_in.has_second_factor(ada)
            tx.sign_in.set_one_time_codes(ada, Seed(b"sealed", 100, 2**40))
        with store.reading() as tx:
            assert tx.sign_in.one_time_codes(ada) == Seed(b"sealed", 100, 2**40)
            assert (tx.sign_in.has_second_factor(ada), tx.sign_in.has_second_factor(bob)) == (True, False)
        with store.writing() as tx:
            tx.sign_in.set_password(ada, "hash", 100)
            tx.sign_in.set_one_time_codes(ada, None)
        with store.reading() as tx:
            assert tx.sign_in.one_time_codes(ada) is None
            assert tx.sign_in.password_hash(ada) == "hash"

    def test_passkeys_come_back_as_they_were_the_oldest_first(self, store, people):
        ada, bob = people
        old, new = passkey(ada, "z", created_at=1, last_used_at=5), passkey(ada, "a", created_at=2)
        with store.writing() as tx:
            for one in (new, old, passkey(bob, "other")):
                tx.sign_in.add_passkey(one)
        with store.reading() as tx:
            assert tx.sign_in.passkeys_of(ada) == [old, new]
            assert tx.sign_in.passkey("z") == old
            assert tx.sign_in.passkey("unknown") is None
            assert tx.sign_in.has_second_factor(ada)
        with store.writing() as tx:
            tx.sign_in.used_passkey("a", 7, 300)
            tx.sign_in.remove_passkey("z")
        with store.reading() as tx:
            (left,) = tx.sign_in.passkeys_of(ada)
            assert (left.id, left.sign_count, left.last_used_at) == ("a", 7, 300)

    def test_recovery_codes_replace_each_other_and_are_used_once(self, store, people):
        ada, bob = people
        with store.writing() as tx:
            tx.sign_in.set_recovery_codes(ada, ["one", "two"], 100)
            tx.sign_in.set_recovery_codes(bob, ["three"], 100)
            tx.sign_in.set_recovery_codes(ada, ["two", "four"], 200)
            assert [tx.sign_in.use_recovery_code(ada, code) for code in ("one", "two", "two", "three")] == [
                *(False, True, False, False)
            ]
        with store.reading() as tx:
            assert (tx.sign_in.recovery_codes_left(ada), tx.sign_in.recovery_codes_left(bob)) == (1, 1)

    def test_everything_of_a_person_goes_with_the_person(self, store, people, ours):
        ada, bob = people
        with store.writing() as tx:
            for name in people:
                tx.sign_in.set_password(name, "hash", 100)
                tx.sign_in.add_passkey(passkey(name, f"key of {name}"))
                tx.sign_in.set_recovery_codes(name, [f"code of {name}"], 100)
                tx.sessions.add(session(name, ours, f"session of {name}"))
            tx.operators.remove_member(ours, ada)
        with store.reading() as tx:
            assert tx.sign_in.password_hash(ada) is None
            assert tx.sign_in.passkeys_of(ada) == []
            assert tx.sign_in.recovery_codes_left(ada) == 0
            assert tx.sessions.of(ada) == []
            assert [one.id for one in tx.sessions.of(bob)] == ["session of op_bob"]
            assert tx.sign_in.password_hash(bob) == "hash"


class TestSqlite(SignInConformance):
    backend = "sqlite"


@pytest.mark.postgres
class TestPostgres(SignInConformance):
    backend = "postgres"
