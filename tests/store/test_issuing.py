"""Does a group transaction read what is true, write all or nothing, and never fork a chain?"""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import text

from app.store.database import StoreUnavailable
from app.store.high_water import HighWater
from app.store.issuing import IssuingStore
from tests.support.workshop import NOW, at_once, failed, many_ranges
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import SecretState
from tokenserver.domain.secret import new_client_id
from tokenserver.tokens.audit_record import verify


def entry(name="token"):
    return Entry(Event.TOKEN_ISSUED, NOW, "credential:x", detail={"jti": name})


def issuing_on(store, tmp_path):
    return IssuingStore(store, HighWater(store, tmp_path / "high-water"))


@pytest.fixture
def issuing(store, tmp_path):
    made = issuing_on(store, tmp_path)
    yield made
    made._abandon()


@pytest.fixture
def stocked(workshop):
    workshop.catalogue()
    return workshop


def write(issuing, *names, uses=()):
    with issuing.group([], NOW) as work:
        work.entries += map(entry, names)
        work.uses.update(uses)


def written(store):
    with store.reading() as tx:
        lines = [json.loads(stored.line.text) for stored in tx.audit_record.items(lambda _: ())]
    return [line["detail"]["jti"] for line in lines if line["event"] == "token:issued"]


def chains(store):
    with store.reading() as tx:
        return [head.chain for head in tx.audit_record.heads() if head.chain.startswith("issued-")]


def flaw(store):
    with store.reading() as tx:
        return verify(tx.audit_record.items(lambda _: ()), tx.audit_record.heads())


def last_uses(store):
    with store.reading() as tx:
        return {row[0]: (row[1], row[2]) for row in tx.session.execute(text("SELECT * FROM last_use"))}


def known(issuing, *client_ids):
    with issuing.group(sorted(client_ids), NOW) as work:
        return work.known


def lose_connection(workshop, issuing):
    """As if the network had gone, or the database had been restarted."""
    driver = issuing._connection.driver_connection
    if workshop.settings.on_sqlite:
        driver.close()
        return
    with workshop.services.store.writing() as tx:
        tx.session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": driver.info.backend_pid})


class ReplyLost:
    """Everything is written and committed, and nobody hears of it."""

    def __init__(self, sql):
        self.sql = sql

    def write(self, *what):
        self.sql.write(*what)
        raise ConnectionError


class IssuingConformance:
    backend: str

    # --- what is read ---

    def test_a_credential_is_read_as_its_owner_reads_it(self, stocked, issuing, store, ours):
        made = stocked.credential(
            roles=frozenset({"auditor"}), allowed_ips=many_ranges(3), expires_at=int(NOW) + 5000, token_lifetime=77
        )
        client_id = made.view.credential.client_id
        stocked.services.credentials.rotate(stocked.caller, client_id, 600)
        with store.reading() as tx:
            owner = tx.credentials.get(ours, client_id)
        read = known(issuing, client_id)[client_id].credential
        for name in ("client_id", "organization_id", "name", "restrictions", "generation", "version", "disabled_at"):
            assert getattr(read, name) == getattr(owner, name)
        proofs = [{(s.id, s.digest, s.pepper_id, s.state, s.expires_at) for s in c.secrets} for c in (read, owner)]
        assert proofs[0] == proofs[1]
        assert {secret.state for secret in read.secrets} == {SecretState.CURRENT, SecretState.RETIRING}

    def test_what_ended_it_is_read_with_it_and_a_deleted_one_is_not_there(self, stocked, issuing):
        disabled, revoked, deleted = (stocked.credential().view.credential.client_id for _ in range(3))
        stocked.services.credentials.disable(stocked.caller, disabled)
        stocked.services.credentials.revoke(stocked.caller, revoked, "stolen")
        stocked.services.credentials.delete(stocked.caller, deleted)
        found = known(issuing, disabled, revoked, deleted)
        assert set(found) == {disabled, revoked}
        assert found[disabled].credential.disabled_at == int(NOW)
        assert found[revoked].credential.revoked_at == int(NOW)

    def test_only_those_asked_for_are_read_and_strangers_are_nobody(self, stocked, issuing):
        asked, other = (stocked.credential().view.credential.client_id for _ in range(2))
        assert set(known(issuing, asked, new_client_id())) == {asked}
        assert other not in known(issuing, asked)
        assert known(issuing) == {}

    def test_a_full_group_is_read_at_once(self, stocked, issuing):
        made = {stocked.credential().view.credential.client_id for _ in range(5)}
        assert set(known(issuing, *made, *(new_client_id() for _ in range(251)))) == made

    @pytest.mark.parametrize(
        "text", ["' OR '1'='1", "tsc_%", "x'; DROP TABLE credential; --", "?", "%s", "{", "\\", "a" * 10_000]
    )
    def test_a_client_id_is_a_value_and_never_sql(self, stocked, issuing, text):
        made = stocked.credential().view.credential.client_id
        assert known(issuing, text) == {}
        assert set(known(issuing, made)) == {made}

    def test_the_organization_is_read_with_its_generation(self, stocked, issuing, store, ours):
        with store.writing() as tx:
            tx.session.execute(text("UPDATE organization SET gen_current = 5, gen_floor = 4, gen_next_floor = 5"))
            tx.session.execute(text("UPDATE organization SET suspended_at = 9, gen_next_floor_at = 7"))
        made = stocked.credential().view.credential.client_id
        organization = known(issuing, made)[made].organization
        assert organization.id == ours
        assert organization.suspended_at == 9
        generation = organization.generation
        assert (generation.current, generation.floor, generation.next_floor, generation.next_floor_at) == (5, 4, 5, 7)

    def test_long_lists_are_read_by_reference_more_of_them_than_are_remembered(self, stocked, issuing, monkeypatch):
        monkeypatch.setattr("app.store.issuing.MOST_RANGES", 300)
        lists = {}
        for count in range(65, 75):
            terms = many_ranges(count)
            lists[stocked.credential(allowed_ips=terms).view.credential.client_id] = terms
        for _ in range(2):
            with issuing.group(sorted(lists), NOW) as work:
                found = {name: one.credential.restrictions.allowed_ips for name, one in work.known.items()}
            assert found == lists
            assert sum(map(len, issuing._rows._networks.values())) <= 300

    def test_the_catalogue_version_is_the_one_of_the_transaction(self, stocked, issuing, store):
        with issuing.group([], NOW) as work, store.reading() as tx:
            assert work.catalogue_version == tx.catalogue.version()

    # --- what is written ---

    def test_lines_are_on_disk_when_the_group_is_left_and_not_before(self, issuing, store):
        with issuing.group([], NOW) as work:
            work.entries.append(entry("a"))
            assert written(store) == []
        assert written(store) == ["a"]

    def test_the_lines_of_every_group_form_one_chain(self, issuing, store):
        write(issuing, "a", "b")
        write(issuing)
        write(issuing, *(str(number) for number in range(256)))
        assert len(written(store)) == 258
        assert len(chains(store)) == 1
        assert flaw(store) is None

    def test_a_group_that_fails_leaves_nothing_and_the_next_begins_a_new_chain(self, issuing, store):
        write(issuing, "a", uses={"sec_1": (1, "192.0.2.1")})
        with pytest.raises(KeyError), issuing.group([], NOW) as work:
            work.entries.append(entry("lost"))
            work.uses["sec_1"] = (2, "192.0.2.2")
            raise KeyError
        write(issuing, "b")
        assert sorted(written(store)) == ["a", "b"]
        assert last_uses(store) == {"sec_1": (1, "192.0.2.1")}
        assert len(chains(store)) == 2
        assert flaw(store) is None

    def test_a_connection_that_is_lost_withholds_the_group_and_service_resumes(self, workshop, issuing, store):
        write(issuing, "a")
        with pytest.raises((StoreUnavailable, Exception)) as caught, issuing.group([], NOW) as work:
            work.entries.append(entry("lost"))
            lose_connection(workshop, issuing)
        if self.backend == "postgres":
            assert caught.type is StoreUnavailable
        write(issuing, "b")
        assert sorted(written(store)) == ["a", "b"]
        assert flaw(store) is None

    def test_a_commit_whose_reply_was_lost_does_not_fork_the_chain(self, issuing, store):
        """It may have happened: going on from the old head would give two lines one number."""
        write(issuing, "a")
        with pytest.raises(ConnectionError), issuing.group([], NOW) as work:
            work.entries.append(entry("kept"))
            issuing._sql = ReplyLost(issuing._sql)
        issuing._sql = issuing._sql.sql
        write(issuing, "b")
        assert sorted(written(store)) == ["a", "b", "kept"]
        assert len(chains(store)) == 2
        assert flaw(store) is None

    def test_two_processes_write_two_chains_and_neither_waits_for_the_other(self, workshop, issuing, store, tmp_path):
        others = [issuing_on(workshop.beside().services.store, tmp_path) for _ in range(2)]

        def writer(place, name):
            def run():
                for number in range(20):
                    write(place, f"{name}{number}", uses={f"sec_{number % 3}": (number, name), "sec_x": (number, name)})

            return run

        assert (
            failed(at_once(*(writer(place, name) for place, name in zip((issuing, *others), "abc", strict=True)))) == []
        )
        for other in others:
            other._abandon()
        assert len(written(store)) == 60
        assert len(chains(store)) == 3
        assert flaw(store) is None

    def test_changes_and_tokens_are_written_side_by_side(self, stocked, issuing, store):
        client_id = stocked.credential().view.credential.client_id
        done = threading.Event()

        def change():
            for _ in range(15):
                stocked.services.credentials.regenerate(stocked.caller, client_id)
            done.set()

        def issue():
            while not done.is_set():
                write(issuing, "token")

        assert failed(at_once(change, issue)) == []
        assert flaw(store) is None

    def test_the_last_use_of_a_secret_is_its_last(self, issuing, store):
        write(issuing, "token", uses={"sec_1": (1, "192.0.2.1"), "sec_2": (1, "192.0.2.1")})
        write(issuing, "token", uses={"sec_1": (2, "2001:db8::1")})
        assert last_uses(store) == {"sec_1": (2, "2001:db8::1"), "sec_2": (1, "192.0.2.1")}


class TestSQLite(IssuingConformance):
    backend = "sqlite"

    def test_a_change_waits_for_a_group_that_has_read_the_generation(self, stocked, issuing):
        """So that no token is minted on terms that a confirmed change has ended."""
        client_id = stocked.credential().view.credential.client_id
        order: list[str] = []

        def change():
            stocked.services.credentials.regenerate(stocked.caller, client_id)
            order.append("regenerated")

        with issuing.group([client_id], NOW) as work:
            changing = threading.Thread(target=change)
            changing.start()
            changing.join(timeout=0.2)
            work.entries.append(entry())
            order.append("issued")
        changing.join()
        assert order == ["issued", "regenerated"]


@pytest.mark.postgres
class TestPostgres(IssuingConformance):
    backend = "postgres"

    def test_a_standby_that_answers_but_cannot_write_is_left(self, issuing, store):
        """After a failover, the connection to what was the primary still answers."""
        write(issuing, "a")
        issuing._connection.driver_connection.execute("SET default_transaction_read_only = on")
        issuing._connection.driver_connection.commit()
        with pytest.raises(StoreUnavailable):
            write(issuing, "lost")
        write(issuing, "b")
        assert sorted(written(store)) == ["a", "b"]
        assert flaw(store) is None
