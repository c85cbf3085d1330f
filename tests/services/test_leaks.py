"""Does a secret that was found end, with everything it opened, and nothing else?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.services.leaks import LEAKED, LeakReport, Leaks
from tests.support.workshop import PEER, failed
from tokenserver.domain.credential import HasNoSecret, SecretState
from tokenserver.domain.liveness import reference
from tokenserver.domain.secret import Pepper, Secret, fingerprint, new_secret
from tokenserver.errors import InvalidClient

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def leaks_of(workshop):
    own = workshop.services
    return Leaks(own.store, own.feed, own.peppers, workshop.clock)


def report(workshop, secret, **more):
    found = secret if isinstance(secret, Secret) else Secret(secret)
    return leaks_of(workshop).report(LeakReport(found, **more), PEER, "request")


def outbox(workshop):
    with workshop.services.store.reading() as tx:
        rows = tx.session.execute(text("SELECT organization_id, type, data FROM outbox ORDER BY id")).all()
    return [(organization, type_, json.loads(data)) for organization, type_, data in rows]


def credential_of(workshop, made):
    return workshop.services.credentials.get(workshop.caller, made.view.credential.client_id).credential


@both
def test_secret_and_tokens_die_and_nobody_has_a_new_one(workshop):
    made = workshop.credential()
    claims = workshop.claims(workshop.issue(made))
    before = workshop.statement().seq
    assert report(workshop, made.secret)
    with pytest.raises(InvalidClient):
        workshop.issue(made)
    floors = dict(workshop.statement(before).floors)
    assert floors[reference(claims.client_id)].number > claims.generation
    history = workshop.services.credentials.get(workshop.caller, claims.client_id).history
    assert [secret.state for secret, _ in history] == [SecretState.ENDED]


def test_an_operator_brings_it_back_with_regenerate_and_only_so(workshop):
    made = workshop.credential()
    report(workshop, made.secret)
    client_id = made.view.credential.client_id
    with pytest.raises(HasNoSecret):
        workshop.services.credentials.rotate(workshop.caller, client_id, 600)
    again = workshop.services.credentials.regenerate(workshop.caller, client_id)
    assert workshop.issue(again).access_token


def test_both_secrets_of_a_rotation_die_whichever_leaked(workshop):
    for leaked in (0, 1):
        made = workshop.credential()
        rotated = workshop.services.credentials.rotate(workshop.caller, made.view.credential.client_id, 600)
        assert report(workshop, (made, rotated)[leaked].secret)
        for secret in (made.secret, rotated.secret):
            with pytest.raises(InvalidClient):
                workshop.issue(rotated, secret)
        assert not credential_of(workshop, made).generation.in_grace(workshop.clock())


def test_no_other_credential_is_touched(workshop):
    made, other = workshop.credential(), workshop.credential()
    before = credential_of(workshop, other)
    report(workshop, made.secret)
    assert credential_of(workshop, other) == before
    assert workshop.issue(other).access_token


def test_the_line_and_what_is_owed_say_where_and_hold_no_secret(workshop):
    made = workshop.credential()
    place = {"url": "https://paste.example.com/raw/1?x=y", "source": "paste"}
    report(workshop, made.secret, **place)
    (line,) = workshop.audit_lines("secret:leaked")
    assert line["actor"] == "stranger"
    assert line["address"] == PEER
    assert line["credential"] == made.view.credential.client_id
    assert line["detail"]["changed"]["secrets"]
    ((organization, type_, told),) = outbox(workshop)
    assert (organization, type_) == (workshop.caller.organization_id, LEAKED)
    assert told["hint"] == made.view.credential.secrets[0].hint
    for said in (line["detail"], told):
        assert {name: said[name] for name in place} == place
        assert made.secret.reveal()[4:] not in json.dumps(said)


HIDING = {
    "the secret in the query": ("https://x.example/?s={secret}", "paste"),
    "without its prefix": ("https://x.example/{bare}", "paste"),
    "percent-encoded": ("https://x.example/{encoded}", "paste"),
    "in the source": ("https://x.example/", "{bare}"),
    "another secret": ("https://x.example/tss_other", "paste"),
}


@pytest.mark.parametrize(("url", "source"), HIDING.values(), ids=HIDING.keys())
def test_a_place_that_holds_the_secret_is_not_recorded(workshop, url, source):
    made = workshop.credential()
    secret = made.secret.reveal()
    forms = {"secret": secret, "bare": secret[4:], "encoded": "".join(f"%{byte:02x}" for byte in secret.encode())}
    report(workshop, made.secret, url=url.format(**forms), source=source.format(**forms))
    (line,) = workshop.audit_lines("secret:leaked")
    assert secret[4:] not in json.dumps(line)
    assert "tss_other" not in json.dumps(line)
    assert forms["encoded"] not in json.dumps([line, outbox(workshop)])


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://x.example/\n", "https://x.example/" + "a" * 3000, "ftp://x", "https://x/é"]
)
def test_what_is_no_address_of_a_page_is_not_recorded(workshop, url):
    made = workshop.credential()
    assert report(workshop, made.secret, url=url)
    assert outbox(workshop)[0][2]["url"] == ""


def test_strangers_secrets_change_nothing(workshop):
    before = workshop.statement().seq
    for secret in (new_secret(), "tss_", "", "x" * 5000, "tss_\ud800", "\0"):
        assert not report(workshop, secret)
    assert workshop.statement().seq == before
    assert outbox(workshop) == []


def test_the_second_report_of_a_secret_changes_nothing(workshop):
    made = workshop.credential()
    assert report(workshop, made.secret)
    once = credential_of(workshop, made)
    assert report(workshop, made.secret), "it was ours"
    assert credential_of(workshop, made) == once
    assert len(outbox(workshop)) == 1


def test_a_secret_that_had_ended_before_does_not_end_its_successor(workshop):
    made = workshop.credential()
    again = workshop.services.credentials.regenerate(workshop.caller, made.view.credential.client_id)
    assert report(workshop, made.secret)
    assert workshop.issue(again).access_token
    assert outbox(workshop) == []


def test_a_retired_secret_whose_grace_is_over_changes_nothing(workshop):
    made = workshop.credential()
    rotated = workshop.services.credentials.rotate(workshop.caller, made.view.credential.client_id, 60)
    workshop.clock.advance(61)
    assert report(workshop, made.secret)
    assert workshop.issue(rotated).access_token


@pytest.mark.parametrize("ending", ["revoke", "delete", "expire"])
def test_one_that_has_ended_for_good_stays_as_it_is(workshop, ending):
    made = workshop.credential(expires_at=int(workshop.clock()) + 100)
    client_id = made.view.credential.client_id
    if ending == "revoke":
        workshop.services.credentials.revoke(workshop.caller, client_id, "over")
    elif ending == "delete":
        workshop.services.credentials.delete(workshop.caller, client_id)
    else:
        workshop.clock.advance(100)
    report(workshop, made.secret)
    assert workshop.audit_lines("secret:leaked") == []


def test_the_secret_of_a_disabled_credential_dies_before_it_is_enabled(workshop):
    made = workshop.credential()
    client_id = made.view.credential.client_id
    workshop.services.credentials.disable(workshop.caller, client_id)
    assert report(workshop, made.secret)
    workshop.services.credentials.enable(workshop.caller, client_id)
    with pytest.raises(InvalidClient):
        workshop.issue(made)


def test_a_secret_from_before_fingerprints_is_found_by_its_client_id(workshop):
    made = workshop.credential()
    with workshop.services.store.writing() as tx:
        tx.session.execute(text("UPDATE credential_secret SET fingerprint = NULL"))
    assert not report(workshop, made.secret)
    assert not report(workshop, new_secret(), client_id=made.view.credential.client_id)
    assert report(workshop, made.secret, client_id=made.view.credential.client_id)
    with pytest.raises(InvalidClient):
        workshop.issue(made)


@both
def test_a_secret_is_found_while_and_after_the_pepper_is_replaced(workshop):
    """Used under the new pepper, its fingerprint is of the new one as well."""
    unused, used = workshop.credential(), workshop.credential()
    new = bytes(range(64, 96))
    other = workshop.beside(pepper=new, pepper_previous=workshop.settings.pepper)
    other.issue(used)
    with other.services.store.reading() as tx:
        found = tx.secrets.holders([fingerprint(used.secret.reveal(), Pepper.of(new))])
    assert [holder.client_id for holder in found] == [used.view.credential.client_id]
    assert report(other, unused.secret)
    assert report(other, used.secret)
    other.close()


def test_a_fingerprint_alone_ends_nothing(workshop):
    """Should two ever share one, the digest tells them apart."""
    made, other = workshop.credential(), workshop.credential()
    with workshop.services.store.writing() as tx:
        mark = made.view.credential.secrets[0].fingerprint
        tx.session.execute(text("UPDATE credential_secret SET fingerprint = :mark"), {"mark": mark})
    assert report(workshop, made.secret)
    assert workshop.issue(other).access_token


def test_a_fingerprint_depends_on_secret_and_pepper_and_is_no_digest():
    pepper, another = Pepper.of(bytes(range(32))), Pepper.of(bytes(32))
    one, two = new_secret().reveal(), new_secret().reveal()
    assert fingerprint(one, pepper) == fingerprint(one, pepper)
    assert len({fingerprint(one, pepper), fingerprint(two, pepper), fingerprint(one, another)}) == 3
    assert len(fingerprint(one, pepper)) == 16


def test_reports_at_the_same_time_end_it_once(workshop):
    from tests.support.workshop import at_once

    made = workshop.credential()
    outcomes = at_once(*[lambda: report(workshop, made.secret)] * 4)
    assert failed(outcomes) == []
    assert len(outbox(workshop)) == 1


def test_a_leaked_value_has_no_secret_in_its_text():
    leak = LeakReport(new_secret(), url="https://x.example")
    assert leak.secret.reveal() not in repr(replace(leak, source="x"))
