"""Does every number follow what happens, whichever process tells it, and does it tell nothing of tenants?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.services import measures
from app.services.activity import KEPT
from app.services.clockwork import Clockwork
from app.services.measures import MEANINGS, Measures
from app.services.usage import Report
from tests.services.test_activity import refuse
from tests.services.test_deliveries import BROKEN, GONE, OK, PostOffice
from tests.support.exposition import read_exposition
from tests.support.workshop import REPORTS
from tokenserver import __version__
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.exposition import exposition
from tokenserver.domain.usage import Applied, Instance

PAGE = (Path(__file__).parents[2] / "docs" / "production.md").read_text(encoding="utf-8")
both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def text_of(workshop):
    return exposition(Measures(workshop.services.store, workshop.clock).all())


def told(workshop):
    return {name.removeprefix("tokenserver_"): found for name, found in read_exposition(text_of(workshop)).items()}


def count(workshop):
    while workshop.services.activities.piece(workshop.clock()):
        pass


def verify(workshop):
    while (verdict := workshop.services.audit_verification.verdict()) is None or verdict.at != int(workshop.clock()):
        workshop.services.audit_verification.piece(workshop.clock())


def listening(workshop):
    office = PostOffice(workshop)
    office.listen()
    return office


@both
def test_what_never_happened_has_no_number(workshop):
    found = told(workshop)
    assert found["info"] == {f"version={__version__}": 1}
    assert found["tokens_issued_total"] == {"": 0}
    assert found["resource_servers"] == {"state=behind": 0, "state=current": 0, "state=silent": 0}
    assert (found["webhook_deliveries_pending"], found["webhook_oldest_due_seconds"]) == ({"": 0}, {"": 0})
    assert not {"audit_whole", "audit_verified_timestamp_seconds", "job_failing"} & found.keys()


@both
def test_tokens_are_counted_and_refusals_by_their_reason(workshop):
    made = workshop.credential()
    for _ in range(3):
        workshop.issue(made)
    refuse(workshop, "wrong secret", more=4)
    refuse(workshop, 'a "quoted" \\ reason')
    count(workshop)
    found = told(workshop)
    assert found["tokens_issued_total"] == {"": 3}
    assert found["tokens_refused_total"] == {"reason=wrong secret": 4, 'reason=a "quoted" \\ reason': 1}


@both
def test_counters_never_go_down_and_the_overview_does_not_show_them(workshop):
    made = workshop.credential()
    workshop.issue(made)
    refuse(workshop, "expired")
    count(workshop)
    workshop.clock.advance(KEPT + DAY)
    workshop.issue(made)
    refuse(workshop, "expired")
    count(workshop)
    found = told(workshop)
    assert (found["tokens_issued_total"], found["tokens_refused_total"]) == ({"": 2}, {"reason=expired": 2})
    with workshop.services.store.reading() as tx:
        hours = tx.activity.hours([workshop.caller.organization_id, ""], -HOUR)
    assert sorted((counted.reason, number) for counted, number in hours) == [("", 1), ("expired", 1)]
    activity = workshop.services.activities.over(workshop.caller, 30, DAY)
    assert (sum(activity.issued.values()), activity.reasons()) == (1, [("expired", 1)])


@both
def test_the_feed_and_the_keys_are_told(workshop):
    before = told(workshop)
    made = workshop.credential()
    workshop.services.credentials.disable(workshop.caller, made.view.credential.client_id)
    workshop.clock.advance(100)
    found = told(workshop)
    assert found["feed_last_seq"][""] == before["feed_last_seq"][""] + 1
    assert found["signing_keys_published"] == {"": 1}
    assert found["signing_key_age_seconds"][""] == before["signing_key_age_seconds"][""] + 100
    workshop.services.keys.rotate(workshop.caller, at_once=True)
    workshop.clock.advance(7)
    found = told(workshop)
    assert (found["signing_keys_published"], found["signing_key_age_seconds"]) == ({"": 2}, {"": 7})


@both
def test_a_job_that_fails_is_told_with_the_moment_at_which_it_last_went_well(workshop):
    clockwork = Clockwork(workshop.services.store, workshop.clock)
    began = int(workshop.clock())
    clockwork.note("webhooks", "ok")
    clockwork.note("rotation", "ok")
    workshop.clock.advance(60)
    clockwork.note("webhooks", "ok")
    clockwork.note("rotation", "the database is away")
    clockwork.note("notices", "unexpected KeyError")
    found = told(workshop)
    assert found["job_failing"] == {"name=webhooks": 0, "name=rotation": 1, "name=notices": 1}
    assert found["job_last_success_timestamp_seconds"] == {"name=webhooks": began + 60, "name=rotation": began}
    clockwork.note("rotation", "ok")
    assert told(workshop)["job_failing"]["name=rotation"] == 0


@both
def test_what_webhooks_are_owed_is_told_until_it_is_delivered(workshop):
    office = listening(workshop)
    office.credential()
    workshop.clock.advance(5)
    assert told(workshop)["webhook_oldest_due_seconds"] == {"": 5}, "nobody has sorted it yet"
    office.sort()
    workshop.clock.advance(10)
    found = told(workshop)
    assert (found["webhook_deliveries_pending"], found["webhook_oldest_due_seconds"]) == ({"": 1}, {"": 10})
    office.send(BROKEN)
    found = told(workshop)
    assert (found["webhook_deliveries_pending"], found["webhook_oldest_due_seconds"]) == ({"": 1}, {"": 0})
    workshop.clock.advance(HOUR)
    assert told(workshop)["webhook_oldest_due_seconds"][""] > 0
    office.send(OK, failing=True)
    found = told(workshop)
    assert (found["webhook_deliveries_pending"], found["webhook_oldest_due_seconds"]) == ({"": 0}, {"": 0})


@both
def test_what_a_disabled_webhook_is_owed_is_nobodys_delay(workshop):
    office = listening(workshop)
    for name in ("one", "two"):
        office.credential(name)
    office.sort()
    office.send(GONE, of_one_webhook=1)
    workshop.clock.advance(HOUR)
    found = told(workshop)
    assert (found["webhook_deliveries_pending"], found["webhook_oldest_due_seconds"]) == ({"": 0}, {"": 0})


@both
def test_more_than_is_counted_stands_for_more(workshop, monkeypatch):
    monkeypatch.setattr(measures, "MOST_COUNTED", 2)
    office = listening(workshop)
    for name in ("one", "two", "three"):
        office.credential(name)
    office.sort()
    assert told(workshop)["webhook_deliveries_pending"] == {"": 2}


@both
def test_the_audit_log_is_told_whole_or_not(workshop):
    now = int(workshop.clock())
    workshop.issue(workshop.credential())
    workshop.services.audit_upkeep.checkpoint()
    verify(workshop)
    found = told(workshop)
    assert found["audit_whole"] == {"": 1}
    assert found["audit_verified_timestamp_seconds"] == found["audit_checkpoint_timestamp_seconds"] == {"": now}
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("UPDATE audit_event SET hash = 'x' WHERE seq = 1")
    workshop.clock.advance(DAY)
    verify(workshop)
    found = told(workshop)
    assert (found["audit_whole"], found["audit_verified_timestamp_seconds"]) == ({"": 0}, {"": now + DAY})
    assert found["audit_checkpoint_timestamp_seconds"] == {"": now}


@both
def test_resource_servers_are_told_by_how_well_they_follow(workshop):
    def report(process, seq, batch, *, has_left=False):
        now = workshop.clock()
        applied = () if seq is None else (Applied(seq, now),)
        instance = Instance("api-1", process * 16, now, 5.0, batch, 0, has_left, applied)
        workshop.services.usage.take(workshop.caller, Report(REPORTS, instance, []))

    def states():
        return {name.removeprefix("state="): int(number) for name, number in told(workshop)["resource_servers"].items()}

    def end():
        made = workshop.credential().view.credential.client_id
        return workshop.services.credentials.disable(workshop.caller, made).feed_seq

    first = end()
    for process, seq in (("a", first), ("b", first), ("c", first), ("d", None)):
        report(process, seq, 1)
    report("e", first, 1, has_left=True)
    assert states() == {"behind": 1, "current": 3, "silent": 0}, "one has not applied anything yet"
    last = end()
    assert states()["behind"] == 1, "nobody else had time to tell"
    workshop.clock.advance(16.5)
    report("a", last, 2)
    report("b", first, 2)
    assert states() == {"behind": 1, "current": 1, "silent": 2}
    workshop.clock.advance(2 * HOUR)
    report("a", last, 3)
    assert states() == {"behind": 0, "current": 1, "silent": 0}


@both
def test_every_process_tells_the_same(workshop):
    workshop.issue(workshop.credential())
    count(workshop)
    other = workshop.beside()
    try:
        assert text_of(other) == text_of(workshop)
        other.issue(other.credential())
        count(other)
        assert text_of(other) == text_of(workshop)
    finally:
        other.close()


def everything(workshop):
    """Something has happened for each number."""
    office = listening(workshop)
    made = workshop.credential()
    workshop.issue(made)
    refuse(workshop, "expired")
    office.sort()
    count(workshop)
    workshop.services.audit_upkeep.checkpoint()
    verify(workshop)
    Clockwork(workshop.services.store, workshop.clock).note("webhooks", "ok")
    return made


@both
def test_every_metric_that_is_documented_is_told_and_no_other_and_nothing_of_tenants(workshop):
    made = everything(workshop)
    assert list(told(workshop)) == list(MEANINGS)
    text = text_of(workshop)
    caller, credential = workshop.caller, made.view.credential
    for of_a_tenant in (caller.organization_id, credential.client_id, credential.name, REPORTS, "hooks.example.com"):
        assert of_a_tenant not in text


def test_the_page_for_production_has_every_metric_with_its_labels_in_the_same_words(workshop):
    everything(workshop)
    table = PAGE.partition("<!-- metrics -->\n")[2].partition("\n<!-- /metrics -->")[0]
    rows = ["| Metric | Says |", "| --- | --- |"]
    for name, series in told(workshop).items():
        labels = ",".join(one.partition("=")[0] for one in next(iter(series)).split(",") if one)
        rows.append(f"| `tokenserver_{name}{labels and f'{{{labels}}}'}` | {MEANINGS[name]} |")
    assert table == "\n".join(rows), "it should be:\n" + "\n".join(rows)


def test_the_alerts_on_the_page_ask_for_metrics_that_there_are():
    asked = re.findall(r"tokenserver_([a-z_]+)", "".join(re.findall(r"expr: (.*)", PAGE)))
    assert len(asked) > 3
    assert set(asked) <= MEANINGS.keys()
