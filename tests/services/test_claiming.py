"""Does the new secret go to whoever proves the old one, and to nobody else?"""

from __future__ import annotations

import json

import pytest

from tests.support.rotations import GRACE, claim, client_id, scheduled, waiting, work
from tests.support.workshop import PEER, a_prepared_workshop, allowed, at_once, failed
from tokenserver.domain.secret import Secret, looks_like_secret, new_client_id, new_secret
from tokenserver.errors import InvalidClient, NotFound, Refused, UnauthorizedClient, Unavailable

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def refusal(workshop, made, secret=None, **more) -> tuple[str, str, int]:
    """What is said to whoever asks: code, sentence and status."""
    with pytest.raises(Refused) as refused:
        claim(workshop, made, secret, **more)
    return refused.value.code, refused.value.public, refused.value.status


def in_use(workshop, made, new) -> None:
    workshop.issue(client_id(made), new.secret)


@both
def test_the_old_secret_gets_the_new_one_again_and_again_until_that_is_used(workshop):
    made = waiting(workshop)
    first = claim(workshop, made)
    assert looks_like_secret(first.secret.reveal())
    assert first.grace_expires_at == pytest.approx(workshop.clock.now + GRACE, abs=1)
    workshop.clock.advance(60)
    assert claim(workshop, made).secret.reveal() == first.secret.reveal()
    in_use(workshop, made, first)
    assert refusal(workshop, made)[::2] == ("no_rotation", 404)
    assert refusal(workshop, made, first.secret)[::2] == ("no_rotation", 404)


@both
def test_of_many_who_claim_at_once_all_get_the_same_secret(workshop):
    made, other = waiting(workshop), workshop.beside()
    got = at_once(*[lambda node=node: claim(node, made).secret.reveal() for node in (workshop, other) * 4])
    assert failed(got) == []
    assert len(set(got)) == 1
    assert [line["detail"].get("again") for line in workshop.audit_lines("rotation:claimed")] == [None] + [True] * 7
    other.close()


def test_where_nothing_waits_there_is_nothing_to_claim(workshop):
    assert refusal(workshop, scheduled(workshop))[::2] == ("no_rotation", 404)
    assert refusal(workshop, workshop.credential())[::2] == ("no_rotation", 404)
    withdrawn = waiting(workshop)
    workshop.services.credentials.cancel_rotation(workshop.caller, client_id(withdrawn))
    assert refusal(workshop, withdrawn)[::2] == ("no_rotation", 404)


def test_in_a_rotation_by_hand_there_is_nothing_to_claim(workshop):
    made = scheduled(workshop)
    new = workshop.services.credentials.rotate(workshop.caller, client_id(made), 60)
    for secret in (made.secret, new.secret):
        assert refusal(workshop, made, secret)[::2] == ("no_rotation", 404)


def test_strangers_learn_nothing(workshop):
    made = waiting(workshop)
    told = {
        refusal(workshop, made, new_secret()),
        refusal(workshop, made, Secret("")),
        refusal(workshop, made, Secret("tss_" + "é" * 46)),
        refusal(workshop, new_client_id(), made.secret),
        refusal(workshop, "nobody", made.secret),
        refusal(workshop, "", Secret("")),
        refusal(workshop, "tsc_\ud800", made.secret),
    }
    assert told == {("invalid_client", InvalidClient.public, 401)}


def test_the_waiting_secret_itself_claims_nothing(workshop):
    made = waiting(workshop)
    with workshop.services.store.reading() as tx:
        rotation, sealed = tx.rotations.get(client_id(made))
    purpose = f"rotation {client_id(made)} {rotation.secret_id}"
    new = Secret(workshop.services.claiming._sealer.unseal(sealed, purpose).decode())
    assert refusal(workshop, made, new)[0] == "invalid_client"


def test_whoever_has_proven_the_secret_is_told_why_a_claim_is_refused(workshop):
    made = waiting(workshop, allowed_ips=allowed("198.51.100.0/24"))
    with pytest.raises(UnauthorizedClient, match="not be used from this address"):
        claim(workshop, made, address=PEER)
    assert claim(workshop, made, address="198.51.100.7").client_id == client_id(made)
    workshop.services.credentials.disable(workshop.caller, client_id(made))
    with pytest.raises(InvalidClient, match="disabled"):
        claim(workshop, made, address="198.51.100.7")
    workshop.services.credentials.revoke(workshop.caller, client_id(made), "")
    with pytest.raises(InvalidClient, match="revoked"):
        claim(workshop, made, address="198.51.100.7")
    refused = [line for line in workshop.audit_lines("rotation:refused") if line["credential"] == client_id(made)]
    assert [line["detail"]["error"] for line in refused] == ["unauthorized_client", "invalid_client", "invalid_client"]


def test_a_claim_is_on_record_and_the_secrets_are_not(workshop):
    made = waiting(workshop)
    new = claim(workshop, made)
    (line,) = workshop.audit_lines("rotation:claimed")
    assert (line["actor"], line["address"], line["request_id"]) == (f"credential:{client_id(made)}", PEER, "request")
    text = json.dumps(workshop.audit_lines())
    assert made.secret.reveal() not in text
    assert new.secret.reveal() not in text
    assert new.secret.reveal() not in repr(new)


def test_refusals_of_a_stranger_are_folded(workshop):
    made = waiting(workshop)
    for _ in range(20):
        refusal(workshop, made, new_secret())
    assert len(workshop.audit_lines("rotation:refused")) == 1


def test_the_retired_secret_claims_nothing_once_its_end_is_on_record_whatever_the_clock_says(workshop):
    made = waiting(workshop)
    in_use(workshop, made, claim(workshop, made))
    workshop.clock.advance(2)
    work(workshop)
    workshop.clock.advance(GRACE + 60)
    workshop.credential()  # whose line is on record
    workshop.clock.advance(-3600)
    assert refusal(workshop, made)[0] == "invalid_client"


def test_a_secret_that_was_sealed_under_another_key_is_not_to_be_had_and_the_old_one_goes_on(workshop):
    made = waiting(workshop)
    other = workshop.beside(kek=bytes(32), prepared=False)
    with pytest.raises(Unavailable):
        claim(other, made)
    assert workshop.issue(made).rotation_waits
    other.close()


def test_a_secret_under_the_former_pepper_claims_as_well(tmp_path):
    with a_prepared_workshop("sqlite", tmp_path, stocked=True) as workshop:
        made = waiting(workshop)
        other = workshop.beside(pepper=bytes(range(64, 96)), pepper_previous=workshop.settings.pepper)
        new = claim(other, made)
        assert not other.issue(client_id(made), new.secret).rotation_waits
        other.close()


def test_a_credential_of_another_organization_is_claimed_by_its_own_secret_only(workshop):
    one, another = waiting(workshop), waiting(workshop)
    assert refusal(workshop, one, another.secret)[0] == "invalid_client"
    with pytest.raises(NotFound):
        workshop.services.credentials.get(workshop.caller, new_client_id())
