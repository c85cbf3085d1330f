"""Is who guesses slowed as much by many workers as by one, and after a restart, and nobody else?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from app.services import shared_failures
from app.services.failures import FREE, LONGEST_WAIT, TooManyFailures
from app.services.proving_again import WrongCode
from app.services.sessions import SECOND_FACTOR, Visitor
from app.services.shared_failures import SharedFailures
from app.services.signing_in import WrongPassword
from tests.support.people import HERE, PASSWORD, a_person
from tokenserver.clock import DAY

ELSEWHERE = Visitor("198.51.100.9", "Another browser", "request")
ROWS = SharedFailures("test")
both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def ada(workshop):
    return a_person(workshop)


def wrong(workshop, email="ada@example.com", visitor=HERE):
    with pytest.raises(WrongPassword):
        workshop.services.signing_in.by_password(email, "not this one at all", visitor)


def must_wait(workshop, email="ada@example.com", visitor=HERE, password=PASSWORD):
    with pytest.raises(TooManyFailures) as refused:
        workshop.services.signing_in.by_password(email, password, visitor)
    return refused.value.retry_after


@both
@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_failures_are_counted_over_all_workers(workshop, ada, email):
    workers = [workshop, workshop.beside(), workshop.beside()]
    for number in range(FREE):
        wrong(workers[number % 3], email)
    for worker in workers:
        assert must_wait(worker, email) == 2
    fresh = workshop.beside()  # a worker that was started since
    assert must_wait(fresh, email) == 2
    for one in (*workers[1:], fresh):
        one.close()


@both
def test_whoever_is_elsewhere_signs_in_meanwhile_and_frees_nobody(workshop, ada):
    other = workshop.beside()
    for _ in range(FREE):
        wrong(workshop)
    assert other.services.signing_in.by_password(ada.email, PASSWORD, ELSEWHERE).awaits is None
    assert must_wait(workshop) == 2
    other.close()


@both
def test_a_right_password_ends_the_row_for_all_workers(workshop, ada):
    other = workshop.beside()
    for _ in range(FREE - 1):
        wrong(workshop)
    other.services.signing_in.by_password(ada.email, PASSWORD, HERE)
    for _ in range(FREE - 1):
        wrong(workshop)
    workshop.services.signing_in.by_password(ada.email, PASSWORD, HERE)
    other.close()


def test_of_many_tries_at_once_the_right_one_comes_too_late(workshop, ada, monkeypatch):
    """They all looked before any of them had failed."""
    matches = workshop.services.signing_in._passwords.matches

    def slow(password: str, kept: str | None) -> bool:
        other = workshop.beside()
        for _ in range(FREE):  # those that were faster
            other.services.signing_in._refusals.failed(ada.email, HERE, "wrong password")
        other.close()
        return matches(password, kept)

    monkeypatch.setattr(workshop.services.signing_in._passwords, "matches", slow)
    assert must_wait(workshop) == 2


@both
def test_codes_are_looked_at_one_after_the_other_however_many_workers_are_asked(workshop, ada):
    services = workshop.services
    services.one_time_codes.begin(ada.view())
    seed = services.one_time_codes.setting_up(ada.view()).secret.replace(" ", "")
    services.one_time_codes.confirm(ada.view(), pyotp.TOTP(seed).at(int(workshop.clock())))
    workshop.clock.advance(30)
    half_open = services.sessions.viewer(
        services.signing_in.by_password(ada.email, PASSWORD, HERE).token, HERE, awaiting=SECOND_FACTOR
    )
    workers = [workshop, *(workshop.beside() for _ in range(3))]

    def guess(number: int) -> str:
        try:
            workers[number % 4].services.proving_again.by_code(half_open, "000000" if number else "000001")
        except WrongCode:
            return "wrong"
        except TooManyFailures:
            return "waits"
        return "right"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(guess, range(4 * FREE)))
    assert outcomes.count("wrong") == FREE
    assert outcomes.count("waits") == 3 * FREE
    for one in workers[1:]:
        one.close()


def test_who_waits_costs_no_commit(workshop, ada):
    for _ in range(FREE):
        wrong(workshop)
    with workshop.services.store.reading() as tx:
        before = tx.session.connection().exec_driver_sql("PRAGMA data_version").scalar()
        must_wait(workshop)
        must_wait(workshop, password="wrong as well")
        assert tx.session.connection().exec_driver_sql("PRAGMA data_version").scalar() == before


def test_the_database_does_not_say_who_was_tried(workshop, ada):
    wrong(workshop, "a password typed here by mistake")
    with workshop.services.store.reading() as tx:
        rows = tx.session.connection().exec_driver_sql("SELECT * FROM sign_in_failure").all()
    assert rows
    assert "mistake" not in repr(rows)
    assert HERE.address not in repr(rows)


# --- the rule of a row ---


def waits(workshop, name=ROWS):
    with workshop.services.store.reading() as tx:
        try:
            name.refuse_hasty_in(tx, "ada", "here", workshop.clock())
        except TooManyFailures as refusal:
            return refusal.retry_after
    return 0


def fail(workshop, times, name=ROWS):
    with workshop.services.store.writing() as tx:
        for _ in range(times):
            name.failed_in(tx, "ada", "here", workshop.clock())


def test_each_further_failure_doubles_the_wait_up_to_its_bound(workshop):
    fail(workshop, FREE - 1)
    assert waits(workshop) == 0
    found = []
    for _ in range(13):
        fail(workshop, 1)
        found.append(waits(workshop))
    assert found[:4] == [2, 3, 5, 9]  # rounded up to a whole second and one
    assert found[-1] == LONGEST_WAIT + 1


def test_rows_of_one_kind_are_not_those_of_another(workshop):
    fail(workshop, FREE)
    assert waits(workshop, SharedFailures("another")) == 0


def test_a_row_is_forgotten_a_day_after_its_last_failure(workshop):
    fail(workshop, FREE + 5)
    workshop.clock.advance(DAY + 1)
    fail(workshop, 1)
    assert waits(workshop) == 0


def test_nobody_waits_for_a_moment_that_a_wrong_clock_has_told(workshop):
    workshop.clock.advance(365 * DAY)
    fail(workshop, FREE + 5)
    workshop.clock.advance(-365 * DAY)
    assert waits(workshop) == 0
    fail(workshop, FREE)
    assert waits(workshop) > 0


def test_what_was_long_ago_is_pruned_and_so_is_what_is_too_much(workshop, monkeypatch):
    monkeypatch.setattr(shared_failures, "MOST_ROWS", 3)

    def rows():
        with workshop.services.store.reading() as tx:
            return tx.session.connection().exec_driver_sql("SELECT count(*) FROM sign_in_failure").scalar()

    for number in range(6):
        with workshop.services.store.writing() as tx:
            ROWS.failed_in(tx, f"account {number}", "here", workshop.clock())
        workshop.clock.advance(60)
    assert rows() == 6
    workshop.services.sessions.prune(workshop.clock())
    assert rows() == 3
    workshop.clock.advance(DAY)
    workshop.services.sessions.prune(workshop.clock())
    assert rows() == 0
