"""Does the admin API admit live tokens of this server for itself, and nothing else?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.services.admission import Admission, Wanted
from app.store.database import StoreUnavailable
from tests.support.tokens import compact, header
from tests.support.workshop import ISSUER, NOW, REPORTS, allowed, at_once, failed, many_ranges, succeeded
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import ADMIN_SCOPES
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import AddressRefused, InsufficientScope, InvalidToken, MissingToken
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import new_signing_key

ALL = frozenset(scope.name for scope in ADMIN_SCOPES)
READ = frozenset({"credentials:read"})


@pytest.fixture
def admission(workshop):
    return Admission(workshop.services.store, workshop.services.keys, workshop.settings, workshop.clock)


def administrator(workshop, scopes=ALL, **terms):
    return workshop.credential(grants=(Grant(ADMIN_AUDIENCE, Access.CUSTOM, frozenset(scopes)),), **terms)


def token_of(workshop, made, **more):
    return workshop.issue(made, **more).access_token


def admit(admission, token, scopes="credentials:read", address="192.0.2.1"):
    return admission.admit(token, Wanted(scopes), address, "req-1")


def changed(workshop, made, typ="at+jwt", key=None, *, without=(), **changes):
    """A token of this server's own key with other claims."""
    raw = {**workshop.claims(workshop.issue(made)).raw, **changes}
    signer = Signer(key or workshop.services.keys.ring().access.key, typ)
    return signer.sign({name: value for name, value in raw.items() if name not in without})


def test_a_live_token_is_admitted_as_its_credential_with_its_scopes(workshop, admission):
    made = administrator(workshop, {"credentials:read", "apis:read"})
    caller = admit(admission, token_of(workshop, made))
    assert caller.actor == f"credential:{made.view.credential.client_id}"
    assert caller.organization_id == workshop.caller.organization_id
    assert caller.scopes == {"credentials:read", "apis:read"}
    assert (caller.address, caller.request_id) == ("192.0.2.1", "req-1")


def test_without_a_token_one_is_asked_for_and_nothing_is_recorded(workshop, admission):
    with pytest.raises(MissingToken):
        admit(admission, None)
    assert workshop.audit_lines("admin:refused") == []


FORGED = {
    "of another issuer": {"iss": "https://evil.example.com"},
    "of a longer issuer": {"iss": ISSUER + "/"},
    "for another audience": {"aud": REPORTS},
    "for nobody": {"aud": []},
    "that has expired": {"exp": int(NOW)},
    "that begins later": {"nbf": int(NOW) + 60},
    "that was issued later": {"iat": int(NOW) + 60},
    "of another subject": {"sub": "somebody"},
    "of another credential": {"client_id": "tsc_" + "0" * 22, "sub": "tsc_" + "0" * 22},
    "of another organization": {"org": "org_other"},
    "of an old generation": {"gen": 0},
    "with a generation that is text": {"gen": "1"},
    "with an organization generation that is old": {"org_gen": 0},
    "with scopes that are a list": {"scope": ["credentials:read"]},
    "with roles that are text": {"roles": "admin"},
    "with an unknown list of addresses": {"allowed_ips_sha256": "0" * 64},
    "with a list of addresses that nobody wrote": {"allowed_ips": ["0.0.0.0/0", "::/0", "x"]},
    "that admits nobody": {"allowed_ips": []},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED.keys())
def test_a_token_is_refused(workshop, admission, changes):
    with pytest.raises((InvalidToken, AddressRefused)):
        admit(admission, changed(workshop, administrator(workshop), **changes))


@pytest.mark.parametrize(
    "name", ["iss", "sub", "client_id", "aud", "iat", "nbf", "exp", "jti", "scope", "roles", "gen", "org", "org_gen"]
)
def test_a_token_that_lacks_a_claim_is_refused(workshop, admission, name):
    with pytest.raises(InvalidToken):
        admit(admission, changed(workshop, administrator(workshop), without={name}))


def test_a_newer_generation_is_newer_and_not_wrong(workshop, admission):
    assert admit(admission, changed(workshop, administrator(workshop), gen=7))


def test_what_another_key_signed_is_refused(workshop, admission):
    made, stranger = administrator(workshop), new_signing_key("ES256")
    own = workshop.services.keys.ring().access.key
    claims = workshop.claims(workshop.issue(made)).raw
    for head in (header(stranger), header(own), {**header(own), "jwk": dict(stranger.verifying.jwk)}):
        with pytest.raises(InvalidToken):
            admit(admission, compact(head, claims, stranger.sign))


@pytest.mark.parametrize("typ", ["JWT", "generations+jwt", "at+jwt ", ""])
def test_another_type_of_token_is_refused(workshop, admission, typ):
    with pytest.raises(InvalidToken):
        admit(admission, changed(workshop, administrator(workshop), typ=typ))


def test_a_statement_of_the_feed_is_no_token(workshop, admission):
    with pytest.raises(InvalidToken):
        admit(admission, workshop.services.feed.statement())


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a" * 9000, "é.é.é", "....", "\0", "eyJ9.eyJ9.eyJ9"])
def test_any_other_text_is_refused(workshop, admission, text):
    with pytest.raises(InvalidToken):
        admit(admission, text)


ENDINGS = {
    "regenerated": lambda s, c, i: s.regenerate(c, i),
    "disabled": lambda s, c, i: s.disable(c, i),
    "disabled and enabled": lambda s, c, i: (s.disable(c, i), s.enable(c, i)),
    "revoked": lambda s, c, i: s.revoke(c, i, "stolen"),
    "deleted": lambda s, c, i: s.delete(c, i),
    "narrowed": lambda s, c, i: s.update(
        c, i, None, lambda old: replace(old, restrictions=replace(old.restrictions, token_lifetime=60))
    ),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_token_is_refused_at_once_when_its_credential_was(workshop, admission, end):
    made = administrator(workshop)
    token = token_of(workshop, made)
    assert admit(admission, token)
    end(workshop.services.credentials, workshop.caller, made.view.credential.client_id)
    with pytest.raises(InvalidToken):
        admit(admission, token)


def test_in_a_grace_period_tokens_follow_their_secret(workshop, admission):
    made = administrator(workshop, token_lifetime=3600)
    early = token_of(workshop, made)
    new = workshop.services.credentials.rotate(workshop.caller, made.view.credential.client_id, 600)
    old_token, new_token = token_of(workshop, made), token_of(workshop, new)
    for token in (early, old_token, new_token):
        assert admit(admission, token)
    workshop.clock.now = float(new.retiring.expires_at)
    assert admit(admission, new_token)
    for token in (early, old_token):
        with pytest.raises(InvalidToken):
            admit(admission, token)


def test_when_the_organization_ends_everything_every_token_is_refused(workshop, admission):
    token = token_of(workshop, administrator(workshop))
    with workshop.services.store.writing() as tx:
        (organization,) = tx.organizations.all()
        tx.organizations.save(organization.everything_ended(NOW), was=organization)
    with pytest.raises(InvalidToken):
        admit(admission, token)


def test_a_token_of_a_revoked_key_is_refused(workshop, admission):
    token = token_of(workshop, administrator(workshop))
    workshop.services.keys.revoke(workshop.caller, workshop.services.keys.ring().access.key.kid)
    with pytest.raises(InvalidToken):
        admit(admission, token)


def test_every_scope_that_is_asked_for_must_be_there_whole(workshop, admission):
    token = token_of(workshop, administrator(workshop, {"credentials:read"}))
    assert admit(admission, token, "credentials:read")
    for scope in ("credentials:write", "apis:read", "credentials", "Credentials:read", ""):
        with pytest.raises(InsufficientScope):
            admit(admission, token, scope)


@pytest.mark.parametrize("terms", [allowed("192.0.2.1"), many_ranges(65)], ids=["carried", "by reference"])
def test_restrictions_of_address_hold_here_as_well(workshop, admission, terms):
    inside = "192.0.2.1" if len(terms) == 1 else "10.0.0.1"
    token = token_of(workshop, administrator(workshop, allowed_ips=terms), address=inside)
    assert admit(admission, token, address=inside)
    for address in ("192.0.2.2", "", "2001:db8::1", "garbage"):
        with pytest.raises(AddressRefused):
            admit(admission, token, address=address)


# --- what is remembered ---


def test_a_refusal_names_the_credential_whose_signature_was_good_and_nobody_else(workshop, admission):
    made = administrator(workshop, {"credentials:read"})
    token = token_of(workshop, made)
    for shown in (token, token[:-4] + "AAAA"):
        with pytest.raises((InsufficientScope, InvalidToken)):
            admit(admission, shown, "roles:write")
    proven, stranger = workshop.audit_lines("admin:refused")
    assert proven["actor"] == f"credential:{made.view.credential.client_id}"
    assert (proven["outcome"], proven["detail"]["error"]) == ("refused", "insufficient_scope")
    assert (stranger["actor"], stranger["credential"], stranger["detail"]["error"]) == ("stranger", "", "invalid_token")


def test_what_a_stranger_sent_is_not_recorded_and_a_thousand_of_it_are_one_line(workshop, admission):
    def knock():
        for _ in range(50):
            with pytest.raises(InvalidToken):
                admit(admission, "planted.by.stranger")

    assert failed(at_once(*[knock] * 4)) == []
    lines = workshop.audit_lines("admin:refused")
    assert len(lines) == 1
    assert "planted" not in json.dumps(lines)
    assert workshop.services.audit_trail.verify() is None


def test_two_credentials_that_are_refused_from_one_place_are_told_apart(workshop, admission):
    for made in (administrator(workshop, READ), administrator(workshop, READ)):
        with pytest.raises(InsufficientScope):
            admit(admission, token_of(workshop, made), "roles:write")
    assert len({line["credential"] for line in workshop.audit_lines("admin:refused")}) == 2


def test_without_the_database_nobody_is_admitted(workshop, admission):
    token = token_of(workshop, administrator(workshop))
    admit(admission, token)
    workshop.services.store.engine.dispose()
    for path in workshop.settings.home.glob("tokenserver.db*"):
        path.unlink()
    (workshop.settings.home / "tokenserver.db").mkdir()
    with pytest.raises(StoreUnavailable):
        admit(admission, token)


def test_many_threads_are_admitted_at_once(workshop, admission):
    token = token_of(workshop, administrator(workshop))
    assert len(succeeded(at_once(*[lambda: admit(admission, token)] * 16))) == 16
