"""Does a due rotation go through its states in rows: each step once, whole or not at all, and never an outage?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.services.rotations import Rotations
from app.services.terms import Draft
from tests.support.rotations import (
    GRACE,
    SCHEDULE,
    WITHDRAWING,
    claim,
    client_id,
    due,
    owed,
    scheduled,
    waiting,
    work,
)
from tests.support.workshop import PEER, at_once, failed
from tokenserver.clock import DAY, HOUR, rfc3339
from tokenserver.domain.credential import SecretState
from tokenserver.domain.restrictions import Restrictions
from tokenserver.domain.rotation import Rotation, begun
from tokenserver.domain.schedule import RotationSchedule
from tokenserver.errors import InvalidClient

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def works(workshop, made, secret=None, **asked):
    try:
        workshop.issue(client_id(made), secret or made.secret, **asked)
    except InvalidClient:
        return False
    return True


def credential_of(workshop, made):
    return workshop.services.credentials.get(workshop.caller, client_id(made)).credential


def row_of(workshop, made) -> Rotation | None:
    with workshop.services.store.reading() as tx:
        found = tx.rotations.get(client_id(made))
    return None if found is None else found[0]


def events(workshop, made):
    """What the audit log says of it, without how it was made and its tokens."""
    lines = [line["event"] for line in workshop.audit_lines() if line["credential"] == client_id(made)]
    return [event for event in lines if event not in {"credential:created", "token:issued", "schedule:changed"}]


def reschedule(workshop, made, schedule):
    workshop.services.credentials.update(
        workshop.caller, client_id(made), None, lambda credential: replace(credential, schedule=schedule)
    )


# --- the whole way ---


@both
def test_a_rotation_from_its_preparation_to_the_end_of_the_old_secret(workshop):
    made = scheduled(workshop)
    assert work(workshop) == 0
    due(workshop, made)
    work(workshop)
    assert owed(workshop) == [
        {
            "type": "credential.rotation_due",
            "client_id": client_id(made),
            "name": made.view.credential.name,
            "claim_url": f"{workshop.settings.issuer}/oauth/rotation/claim",
            "claim_by": rfc3339(int(workshop.clock.now) + GRACE),
        }
    ]
    token = workshop.issue(made)
    assert token.rotation_waits
    new = claim(workshop, made)
    assert works(workshop, made)
    assert workshop.issue(made).rotation_waits
    assert workshop.issue(client_id(made), new.secret).rotation_waits is False
    assert not workshop.issue(made).rotation_waits
    workshop.clock.advance(2)
    work(workshop)
    ends = credential_of(workshop, made).generation.next_floor_at
    assert ends - workshop.clock.now == pytest.approx(GRACE, abs=1)
    assert row_of(workshop, made) is None
    for moment, old_works in ((ends - 1, True), (ends, False)):
        workshop.clock.now = moment
        assert works(workshop, made) is old_works
        assert works(workshop, made, new.secret)
    assert events(workshop, made) == ["rotation:prepared", "rotation:claimed", "rotation:completed", "token:refused"]


@both
def test_the_next_rotation_follows_by_itself(workshop):
    made, secrets = scheduled(workshop), []
    held = made.secret
    for _ in range(3):
        workshop.clock.now = float(credential_of(workshop, made).rotate_at)
        work(workshop)
        held = claim(workshop, made, held).secret
        secrets.append(held.reveal())
        workshop.issue(client_id(made), held)
        workshop.clock.advance(2)
        work(workshop)
    assert len(set(secrets)) == 3
    assert credential_of(workshop, made).rotate_at > workshop.clock.now + 89 * DAY


def test_who_may_see_the_credential_sees_how_far_its_rotation_is_and_nobody_else(workshop):
    made = waiting(workshop)
    found = workshop.services.rotations.under_way(workshop.caller, client_id(made))
    assert found is not None
    assert found.grace_seconds == GRACE
    elsewhere = replace(workshop.caller, organization_id="org_elsewhere")
    assert workshop.services.rotations.under_way(elsewhere, client_id(made)) is None
    assert workshop.services.rotations.under_way(workshop.caller, "tsc_unknown") is None


def test_the_new_secret_is_in_no_row_but_sealed_and_in_no_event_or_audit_line(workshop):
    made = waiting(workshop)
    new = claim(workshop, made).secret.reveal()
    texts = [json.dumps(owed(workshop)), json.dumps(workshop.audit_lines())]
    with workshop.services.store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        texts += raw.iterdump()
    assert all(new not in text and new.encode().hex().upper() not in text for text in texts)


def test_the_waiting_secret_proves_nothing_before_it_is_claimed(workshop):
    made = waiting(workshop)
    with workshop.services.store.reading() as tx:
        rotation, sealed = tx.rotations.get(client_id(made))
    rotations = workshop.services.rotations
    new = rotations._sealer.unseal(sealed, f"rotation {client_id(made)} {rotation.secret_id}").decode()
    assert not works(workshop, made, new)


# --- nobody claims ---


@both
def test_unclaimed_it_is_reminded_of_at_half_extended_at_the_end_and_then_withdrawn(workshop):
    made = waiting(workshop)
    begun = workshop.clock.now
    token = workshop.issue(made)
    told: list[tuple[int, str]] = []
    for day in range(25):
        workshop.clock.now = begun + day * DAY
        work(workshop)
        new = [event["type"].removeprefix("credential.") for event in owed(workshop)][len(told) :]
        told += [(day, type_) for type_ in new]
        assert works(workshop, made)
    assert told == [
        (0, "rotation_due"),
        (5, "rotation_unclaimed"),
        (10, "rotation_unclaimed"),
        (20, "rotation_failed"),
    ]
    assert [event.get("extended") for event in owed(workshop, "credential.rotation_u")] == [False, True]
    assert owed(workshop, "credential.rotation_f")[0]["reason"] == "unclaimed"
    assert events(workshop, made) == [
        "rotation:prepared",
        "rotation:reminded",
        "rotation:extended",
        "rotation:withdrawn",
    ]
    assert row_of(workshop, made) is None
    assert workshop.claims(token).generation == credential_of(workshop, made).generation.floor_at(workshop.clock.now)
    assert workshop.statement().floors == ()


@both
def test_where_the_schedule_says_so_it_is_withdrawn_at_once(workshop):
    made = waiting(workshop, WITHDRAWING)
    workshop.clock.advance(GRACE)
    work(workshop)
    assert events(workshop, made) == ["rotation:prepared", "rotation:withdrawn"]
    assert credential_of(workshop, made).rotate_at == int(workshop.clock.now) + SCHEDULE.period(client_id(made))


def test_a_server_that_was_down_over_every_deadline_has_ended_nothing(workshop):
    made, claimed = waiting(workshop), waiting(workshop)
    new = claim(workshop, claimed)
    workshop.clock.advance(1000 * DAY)
    for secret_holder, secret in ((made, made.secret), (claimed, claimed.secret), (claimed, new.secret)):
        assert works(workshop, secret_holder, secret)
    work(workshop)
    for secret_holder, secret in ((made, made.secret), (claimed, claimed.secret), (claimed, new.secret)):
        assert works(workshop, secret_holder, secret)


def test_a_claim_that_comes_late_but_before_anybody_has_looked_is_good(workshop):
    made = waiting(workshop, WITHDRAWING)
    workshop.clock.advance(3 * GRACE)
    new = claim(workshop, made)
    work(workshop)
    assert works(workshop, made, new.secret)


@both
def test_claimed_and_not_used_both_secrets_go_on_and_somebody_is_told(workshop):
    made = waiting(workshop)
    new = claim(workshop, made)
    for _ in range(30):
        workshop.clock.advance(DAY)
        work(workshop)
    told = owed(workshop)
    assert [event["type"].removeprefix("credential.") for event in told] == [
        "rotation_due",
        "rotation_unclaimed",
        "rotation_failed",
    ]
    assert (told[1]["claimed"], told[2]["reason"]) == (True, "unused")
    assert works(workshop, made)
    assert claim(workshop, made).secret.reveal() == new.secret.reveal()
    assert works(workshop, made, new.secret)
    workshop.clock.advance(601)
    work(workshop)
    assert events(workshop, made)[-1] == "rotation:completed"


# --- what people do meanwhile ---


def test_dropping_the_schedule_withdraws_what_waits_and_disturbs_nothing(workshop):
    made = waiting(workshop)
    token = workshop.issue(made)
    reschedule(workshop, made, None)
    assert row_of(workshop, made) is None
    assert not workshop.issue(made).rotation_waits
    assert workshop.claims(token).generation == credential_of(workshop, made).generation.floor
    workshop.clock.advance(1000 * DAY)
    assert work(workshop) == 0


def test_a_schedule_may_come_after_the_credential(workshop):
    made = workshop.credential()
    reschedule(workshop, made, RotationSchedule(1, 60))
    assert work(workshop) == 0
    workshop.clock.advance(DAY)
    work(workshop)
    assert workshop.issue(made).rotation_waits
    lines = [line for line in workshop.audit_lines("schedule:") if line["credential"] == client_id(made)]
    assert lines[0]["detail"]["changed"]["rotation_schedule"] == [
        None,
        {"interval_days": 1, "grace_seconds": 60, "on_unclaimed": "extend"},
    ]


ENDING = {
    "regenerating": lambda own, caller, id_: own.regenerate(caller, id_),
    "rotating by hand": lambda own, caller, id_: own.rotate(caller, id_, 60),
    "cancelling": lambda own, caller, id_: own.cancel_rotation(caller, id_),
    "disabling": lambda own, caller, id_: own.disable(caller, id_),
    "revoking": lambda own, caller, id_: own.revoke(caller, id_, ""),
    "deleting": lambda own, caller, id_: own.delete(caller, id_),
}


@pytest.mark.parametrize("end", ENDING.values(), ids=ENDING.keys())
def test_what_ends_a_rotation_destroys_the_sealed_secret_in_the_same_transaction(workshop, end):
    made = waiting(workshop)
    end(workshop.services.credentials, workshop.caller, client_id(made))
    assert row_of(workshop, made) is None
    work(workshop)


CLAIMED_ENDING = {name: end for name, end in ENDING.items() if name not in {"disabling", "rotating by hand"}}


@pytest.mark.parametrize("end", CLAIMED_ENDING.values(), ids=CLAIMED_ENDING.keys())
def test_what_ends_a_claimed_rotation_destroys_it_as_well(workshop, end):
    made = waiting(workshop)
    claim(workshop, made)
    end(workshop.services.credentials, workshop.caller, client_id(made))
    assert row_of(workshop, made) is None
    workshop.clock.advance(3 * GRACE)
    work(workshop)


@both
def test_an_expired_credential_ends_its_schedule_and_what_waits(workshop):
    expires_at = int(workshop.clock.now) + 90 * DAY
    early = waiting(workshop, RotationSchedule(30, 20 * DAY), expires_at=expires_at)
    late = scheduled(workshop, SCHEDULE, expires_at=expires_at - DAY)
    workshop.clock.now = float(expires_at)
    due(workshop, late)
    work(workshop)
    for made in (early, late):
        assert row_of(workshop, made) is None
        assert credential_of(workshop, made).schedule is None
        assert events(workshop, made)[-1] == "schedule:ended"


def test_a_suspended_organization_is_left_alone(workshop):
    from sqlalchemy import update

    from app.store.models import OrganizationRow

    made = scheduled(workshop)
    with workshop.services.store.writing() as tx:
        tx.session.execute(update(OrganizationRow).values(suspended_at=1))
    due(workshop, made)
    assert work(workshop) == 0
    with workshop.services.store.writing() as tx:
        tx.session.execute(update(OrganizationRow).values(suspended_at=None))
    assert work(workshop) == 1


# --- once, and whole ---


@both
def test_two_nodes_that_work_at_once_do_each_step_once(workshop):
    made = [scheduled(workshop) for _ in range(30)]
    other = workshop.beside()
    due(workshop, *made)
    for _ in range(12):
        assert (
            failed(
                at_once(
                    *[
                        lambda node=node: node.services.rotations.work(workshop.clock.now)
                        for node in (workshop, other, workshop, other)
                    ]
                )
            )
            == []
        )
    assert sorted(event["client_id"] for event in owed(workshop)) == sorted(map(client_id, made))
    for one in made:
        assert events(workshop, one) == ["rotation:prepared"]
        assert len(credential_of(workshop, one).secrets) == 2
    other.close()


class PowerCut(BaseException):
    pass


CUTS = ("add_all", "save_all", "owe_all")


@pytest.mark.parametrize("cut", CUTS)
def test_a_step_that_is_cut_short_has_not_happened_and_is_done_the_next_time(workshop, monkeypatch, cut):
    from app.store.outbox import Outbox
    from app.store.rotations import RotationStore

    made = scheduled(workshop)
    due(workshop, made)
    kind = Outbox if cut == "owe_all" else RotationStore

    def cut_short(*_):
        raise PowerCut

    def works_once_it_is_there():
        with monkeypatch.context() as patch:
            patch.setattr(kind, cut, cut_short)
            before = credential_of(workshop, made), row_of(workshop, made), events(workshop, made), owed(workshop)
            with pytest.raises(PowerCut):
                workshop.services.rotations.work(workshop.clock.now)
            assert before == (
                credential_of(workshop, made),
                row_of(workshop, made),
                events(workshop, made),
                owed(workshop),
            )
        work(workshop)

    if cut == "save_all":
        work(workshop)
        workshop.clock.advance(GRACE)
    works_once_it_is_there()
    assert credential_of(workshop, made).secret_in(SecretState.WAITING, workshop.clock.now) is not None


def test_one_that_cannot_be_worked_on_keeps_nobody_from_their_turn(workshop, monkeypatch, caplog):
    made, odd = [scheduled(workshop) for _ in range(3)], scheduled(workshop)
    due(workshop, odd, *made)
    with workshop.services.store.writing() as tx:  # in the way: the row of another rotation
        rotation = begun(odd.view.credential, "sec_other", SCHEDULE, workshop.clock.now)
        tx.rotations.add_all([(replace(rotation, look_at=2**40), b"")])
    work(workshop)
    assert {event["client_id"] for event in owed(workshop)} == set(map(client_id, made))
    assert credential_of(workshop, odd).rotate_at == int(workshop.clock.now) + HOUR
    assert "put off" in caplog.text
    assert works(workshop, odd)


def test_an_expired_credential_whose_name_is_another_s_by_now_ends_its_schedule_all_the_same(workshop):
    made = scheduled(workshop, expires_at=int(workshop.clock.now) + DAY)
    due(workshop, made)
    own = workshop.services.credentials
    own.create(workshop.caller, Draft(made.view.credential.name, "", Restrictions()))
    work(workshop)
    assert credential_of(workshop, made).schedule is None


def test_a_turn_to_write_is_about_a_bounded_number_of_credentials(workshop):
    made = [scheduled(workshop) for _ in range(20)]
    due(workshop, *made)
    rotations: Rotations = workshop.services.rotations
    counts = []
    while count := rotations.work(workshop.clock.now):
        counts.append(count)
    assert sum(counts) == 20
    assert max(counts) <= 32


def test_the_address_and_the_time_of_the_old_secret_are_remembered_as_ever(workshop):
    made = waiting(workshop)
    workshop.issue(made, address=PEER)
    history = workshop.services.credentials.get(workshop.caller, client_id(made)).history
    by_state = {secret.state: use for secret, use in history}
    assert by_state[SecretState.CURRENT].address == PEER
    assert by_state[SecretState.WAITING] is None
