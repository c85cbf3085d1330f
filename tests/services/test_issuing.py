"""Does a secret become a token on exactly the terms that hold, and does a stranger learn nothing?"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text

from app.services.catalogue import ApiDraft, RoleDraft
from app.settings import InvalidSettings
from app.store.database import StoreUnavailable
from tests.support.workshop import ISSUER, NOW, REPORTS, SCOPES, allowed, at_once, failed, many_ranges, succeeded
from tests.support.world import eventually
from tokenserver.clock import DAY
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import LONGEST_LIFETIME, Access, Grant
from tokenserver.domain.secret import Secret, digest, new_client_id, new_secret
from tokenserver.errors import InvalidClient, InvalidScope, InvalidTarget, Refused, UnauthorizedClient

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def client_id(made):
    return made.view.credential.client_id


def refusal(workshop, *asked, **more):
    with pytest.raises(Refused) as caught:
        workshop.issue(*asked, **more)
    return caught.value


def grown(found, size):
    return len(found) >= size


def told(fault):
    return type(fault), fault.code, fault.status, fault.public


# --- the token (K01, T08) ---


@both
def test_a_token_says_who_may_do_what_where_and_until_when(workshop):
    made = workshop.credential(roles=frozenset({"auditor", "cloud_admin"}), token_lifetime=600)
    token = workshop.issue(made)
    claims = workshop.claims(token)
    assert claims.raw == {
        "iss": ISSUER,
        "sub": client_id(made),
        "client_id": client_id(made),
        "aud": REPORTS,
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + 600,
        "jti": claims.token_id,
        "scope": "reports:read",
        "roles": ["auditor", "cloud_admin"],
        "gen": 1,
        "org": workshop.caller.organization_id,
        "org_gen": 1,
    }
    assert (token.expires_in, token.scope) == (600, "reports:read")
    assert "access_token" not in repr(token)


def test_no_two_tokens_have_the_same_identifier(workshop):
    made = workshop.credential()
    tokens = [workshop.claims(workshop.issue(made)).token_id for _ in range(200)]
    assert len(set(tokens)) == 200


def test_a_token_never_outlives_what_it_rests_on(workshop):
    made = workshop.credential(token_lifetime=900, expires_at=int(NOW) + 1000)
    workshop.services.credentials.rotate(workshop.caller, client_id(made), 500)
    assert workshop.issue(made).expires_in == int(NOW) + 501 - int(NOW), "the end of the grace period, rounded up"
    workshop.clock.advance(300)
    new = workshop.services.credentials.regenerate(workshop.caller, client_id(made))
    assert workshop.issue(new).expires_in == 700, "the expiry of the credential"


@pytest.mark.parametrize("ranges", [1, 64, 65, 500])
def test_the_allowed_ips_are_in_the_token_or_named_by_it(workshop, ranges):
    terms = many_ranges(ranges)
    made = workshop.credential(allowed_ips=terms)
    claims = workshop.claims(workshop.issue(made, address="10.0.0.1"))
    if ranges <= 64:
        assert claims.allowed_ips == terms
        assert claims.allowed_ips_sha256 is None
    else:
        assert claims.allowed_ips is None
        assert claims.allowed_ips_sha256 == terms.digest()


# --- strangers (T11, T12) ---


class Watched:
    """What a request makes the server do: statements to the database, and HMACs."""

    def __init__(self, workshop, monkeypatch):
        self.workshop = workshop
        self.did: list[str] = []

        def counted(*arguments):
            self.did.append("HMAC")
            return digest(*arguments)

        monkeypatch.setattr("app.services.proving.digest", counted)
        workshop.issue(workshop.credential())  # opens the connection
        workshop.issuing._issuing._connection.driver_connection.set_trace_callback(self._statement)

    def _statement(self, sql):
        self.did.append(re.sub(r"'(?:[^']|'')*'|\b[0-9]+\b", "…", sql))

    def request(self, *asked):
        self.did.clear()
        told(refusal(self.workshop, *asked))
        return list(self.did)


def strangers(workshop):
    """One of each, of credentials of their own."""
    made, another, disabled, gone, retired, ended, revoked = (workshop.credential() for _ in range(7))
    credentials, caller = workshop.services.credentials, workshop.caller
    credentials.disable(caller, client_id(disabled))
    credentials.delete(caller, client_id(gone))
    credentials.rotate(caller, client_id(retired), 60)
    credentials.regenerate(caller, client_id(ended))
    credentials.revoke(caller, client_id(revoked), "stolen")
    workshop.clock.advance(61)
    return {
        "an unknown client": (new_client_id(), new_secret()),
        "another unknown client": (new_client_id(), new_secret()),
        "a wrong secret": (client_id(made), new_secret()),
        "the secret of another credential": (client_id(another), made.secret),
        "a wrong secret of a disabled credential": (client_id(disabled), new_secret()),
        "a wrong secret of a revoked credential": (client_id(revoked), new_secret()),
        "the right secret of a deleted credential": (client_id(gone), gone.secret),
        "a secret whose grace period is over": (client_id(retired), retired.secret),
        "a secret that was regenerated": (client_id(ended), ended.secret),
    }


def test_strangers_are_told_the_same(workshop):
    answers = {name: told(refusal(workshop, *asked)) for name, asked in strangers(workshop).items()}
    assert set(answers.values()) == {(InvalidClient, "invalid_client", 401, "Client authentication failed.")}


@pytest.mark.parametrize("time", ["first", "second"])
def test_whoever_asks_the_server_does_the_same_work(workshop, monkeypatch, time):
    """Independent of how fast a machine is: the same statements in the same order, and as many HMACs."""
    asked = strangers(workshop)
    watched = Watched(workshop, monkeypatch)
    for one in asked.values() if time == "second" else ():
        watched.request(*one)
    work = {name: watched.request(*one) for name, one in asked.items()}
    assert len({tuple(did) for did in work.values()}) == 1, work
    did = next(iter(work.values()))
    assert did.count("HMAC") == 1
    assert [step for step in did if step.strip().startswith("SELECT")]
    assert any("INSERT INTO audit_event" in step for step in did) == (time == "first")


def test_with_two_peppers_everybody_costs_two_hmacs(workshop, monkeypatch):
    other = workshop.beside(pepper_previous=bytes(32))
    watched = Watched(other, monkeypatch)
    assert watched.request(new_client_id(), new_secret()).count("HMAC") == 2
    assert watched.request(client_id(workshop.credential()), new_secret()).count("HMAC") == 2


NEARLY = {
    "its beginning": lambda s: s[:-1],
    "with more behind it": lambda s: s + "0",
    "in other letters": lambda s: s.swapcase(),
    "cut off at a NUL": lambda s: s + "\0" + s,
    "with a space": lambda s: s + " ",
    "with a line break": lambda s: s + "\n",
    "with a byte order mark": lambda s: "\ufeff" + s,
    "in full-width letters": lambda s: "".join(chr(ord(c) + 0xFEE0) for c in s),
    "twice": lambda s: s + s,
    "nothing": lambda s: "",
    "half a surrogate pair": lambda s: s + "\ud800",
    "72 bytes of it and then something else": lambda s: s + "x" * 72,
    "its hint": lambda s: "tss_…" + s[-4:],
}


@pytest.mark.parametrize("change", NEARLY.values(), ids=NEARLY.keys())
def test_a_secret_is_the_whole_secret_and_nothing_like_it(workshop, change):
    made = workshop.credential()
    assert isinstance(refusal(workshop, client_id(made), Secret(change(made.secret.reveal()))), InvalidClient)


@pytest.mark.parametrize(
    "name", ["", "\0", "admin", "tsc_%", "\ud800", "tsc_" + "0" * 22 + "\n", "x" * 60_000, "é" * 22]
)
def test_a_client_id_may_be_anything_at_all(workshop, name):
    assert told(refusal(workshop, name, new_secret()))[0] is InvalidClient


# --- refusals of those who have proven their secret ---


def ended(workshop, how):
    made = workshop.credential(expires_at=int(NOW) + 100)
    credentials, caller = workshop.services.credentials, workshop.caller
    if how == "disabled":
        credentials.disable(caller, client_id(made))
    elif how == "revoked":
        credentials.revoke(caller, client_id(made), "stolen")
    elif how == "expired":
        workshop.clock.advance(100)
    else:
        with workshop.services.store.writing() as tx:
            tx.session.execute(text("UPDATE organization SET suspended_at = 1"))
    return made


@pytest.mark.parametrize("how", ["disabled", "revoked", "expired", "suspended"])
def test_who_has_proven_the_secret_is_told_what_has_ended(workshop, how):
    fault = refusal(workshop, ended(workshop, how))
    assert (type(fault), fault.status) == (InvalidClient, 401)
    assert how in fault.public


@pytest.mark.parametrize("how", ["disabled", "revoked", "expired", "suspended"])
def test_who_has_not_is_not(workshop, how):
    fault = refusal(workshop, client_id(ended(workshop, how)), new_secret())
    assert fault.public == "Client authentication failed."


def test_a_credential_expires_on_the_second(workshop):
    made = workshop.credential(expires_at=int(NOW) + 100)
    workshop.clock.now = int(NOW) + 99.999
    assert workshop.issue(made).expires_in == 1
    workshop.clock.now = int(NOW) + 100.0
    assert "expired" in refusal(workshop, made).public


@pytest.mark.parametrize("address", ["192.0.3.1", "", "garbage", "::1", "192.0.2.1%eth0"])
def test_from_elsewhere_there_is_no_token(workshop, address):
    made = workshop.credential(allowed_ips=allowed("192.0.2.0/24"))
    fault = refusal(workshop, made, address=address)
    assert (type(fault), fault.code, fault.status) == (UnauthorizedClient, "unauthorized_client", 400)
    assert workshop.issue(made, address="192.0.2.9")
    assert workshop.issue(made, address="::ffff:192.0.2.9")


def test_a_scope_that_is_not_granted_is_never_issued(workshop):
    made = workshop.credential()
    for scopes in ({"reports:write"}, {"reports:read", "reports:write"}, {"unknown"}, {"reports:read "}, {""}):
        assert isinstance(refusal(workshop, made, scopes=frozenset(scopes)), InvalidScope)
    assert workshop.issue(made, scopes=frozenset({"reports:read"})).scope == "reports:read"


def test_where_several_apis_are_granted_one_has_to_be_named(workshop):
    workshop.services.catalogue.create_api(workshop.caller, ApiDraft("urn:vault", "Vault", (Scope("k", Kind.READ),)))
    made = workshop.credential(grants=(Grant(REPORTS, Access.ALL_READ), Grant("urn:vault", Access.ALL_READ)))
    assert isinstance(refusal(workshop, made), InvalidTarget)
    assert isinstance(refusal(workshop, made, resource="urn:other"), InvalidTarget)
    for resource, scope in ((REPORTS, "reports:read"), ("urn:vault", "k")):
        token = workshop.issue(made, resource=resource)
        assert workshop.claims(token).audience == (resource,)
        assert token.scope == scope


def test_a_credential_without_a_grant_gets_no_token(workshop):
    assert isinstance(refusal(workshop, workshop.credential(grants=())), InvalidTarget)


@both
def test_a_change_of_the_catalogue_holds_for_the_next_token_of_every_process(workshop):
    other = workshop.beside()
    made = workshop.credential(grants=(Grant(REPORTS, Access.ALL_READ),))
    assert workshop.issue(made).scope == other.issue(made).scope == "reports:read"
    (api,) = [api for api in workshop.services.catalogue.list_apis(workshop.caller, None, 9) if api.audience == REPORTS]
    for scopes, meant in (
        ((*SCOPES, Scope("new:read", Kind.READ)), "new:read reports:read"),
        ((*SCOPES, Scope("new:read", Kind.READ, sensitive=True)), "reports:read"),
        ((), ""),
    ):
        workshop.services.catalogue.update_api(
            workshop.caller, api.id, None, lambda before, scopes=scopes: replace(before, scopes=scopes), cascade=True
        )
        assert workshop.issue(made).scope == other.issue(made).scope == meant
    other.close()


# --- peppers ---


def test_while_the_pepper_is_replaced_secrets_of_both_work(workshop):
    old = workshop.credential()
    turning = workshop.beside(pepper=bytes(32), pepper_previous=workshop.settings.pepper)
    new = turning.credential()
    assert turning.issue(old)
    assert turning.issue(new)
    assert {secret.pepper_id for made in (old, new) for secret in made.view.credential.secrets} == {
        pepper.id for pepper in turning.services.peppers
    }
    assert isinstance(refusal(workshop, new), InvalidClient), "the old pepper alone knows nothing of the new one"


@both
def test_a_secret_that_proves_itself_goes_over_to_the_present_pepper(workshop):
    """So that the previous one can be put away when every secret was used, or has ended."""
    used, unused = workshop.credential(), workshop.credential()
    turning = workshop.beside(pepper=bytes(32), pepper_previous=workshop.settings.pepper)
    with pytest.raises(Refused):
        turning.issue(client_id(used), new_secret())
    assert turning.issue(used)
    assert isinstance(refusal(workshop, used), InvalidClient)
    assert turning.issue(used)
    with pytest.raises(InvalidSettings):
        workshop.beside(pepper=bytes(32))
    turning.services.credentials.revoke(turning.caller, client_id(unused), "")
    alone = workshop.beside(pepper=bytes(32))
    assert alone.issue(used)


# --- what is remembered (L01, promise 6) ---


def test_a_token_leaves_a_line_that_says_who_got_what_from_where(workshop):
    made = workshop.credential()
    token = workshop.issue(made, address="2001:db8::1", request_id="req-1")
    claims = workshop.claims(token)
    (line,) = workshop.audit_lines("token:issued")
    assert line["outcome"] == "success"
    assert line["actor"] == f"credential:{client_id(made)}"
    assert line["credential"] == client_id(made)
    assert line["organization"] == workshop.caller.organization_id
    assert (line["address"], line["request_id"]) == ("2001:db8::1", "req-1")
    assert line["at"] == "2027-01-15T08:00:00.250Z"
    assert line["detail"] == {
        "jti": claims.token_id,
        "secret": made.secret_id,
        "audience": REPORTS,
        "scopes": ["reports:read"],
        "generation": 1,
        "expires_at": int(claims.expires_at),
    }


def test_a_refusal_names_the_credential_if_there_is_one_and_nothing_that_a_stranger_typed(workshop):
    made = workshop.credential()
    refusal(workshop, client_id(made), new_secret())
    refusal(workshop, "tsc_typed0by0a0stranger000", new_secret(), address="192.0.2.2")
    refusal(workshop, "' typed by a stranger", Secret("typed"), address="192.0.2.3")
    known, *unknown = workshop.audit_lines("token:refused")
    assert (known["actor"], known["credential"], known["outcome"]) == ("stranger", client_id(made), "refused")
    for line in unknown:
        assert (line["actor"], line["credential"], line["organization"]) == ("stranger", "", "")
        assert "typed" not in json.dumps(line)


def test_a_refusal_of_a_proven_secret_says_why(workshop):
    refusal(workshop, ended(workshop, "disabled"))
    (line,) = workshop.audit_lines("token:refused")
    assert line["actor"] == f"credential:{line['credential']}"
    assert line["detail"] == {"error": "invalid_client", "reason": "disabled"}


def test_neither_secret_nor_token_is_in_any_line(workshop):
    made = workshop.credential()
    token = workshop.issue(made).access_token
    refusal(workshop, client_id(made), Secret(made.secret.reveal()[:-1] + "!"))
    lines = json.dumps(workshop.audit_lines())
    assert made.secret.reveal()[4:44] not in lines
    assert token.rpartition(".")[2] not in lines


def test_the_number_of_folded_refusals_is_written_with_the_next_group_of_whatever_kind(workshop):
    made = workshop.credential()
    for _ in range(5):
        refusal(workshop, client_id(made), new_secret())
    workshop.clock.advance(60)
    workshop.issue(made)
    assert [line["detail"].get("more") for line in workshop.audit_lines("token:refused")] == [None, 4]


def test_a_refusal_whose_line_could_not_be_written_is_written_when_it_happens_again(workshop):
    made = workshop.credential()
    workshop.issue(made)
    workshop.issuing._issuing._connection.driver_connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        workshop.issue(client_id(made), new_secret())
    refusal(workshop, client_id(made), new_secret())
    assert len(workshop.audit_lines("token:refused")) == 1


def test_the_last_use_is_of_the_secret_that_was_used(workshop):
    made = workshop.credential()
    new = workshop.services.credentials.rotate(workshop.caller, client_id(made), 600)
    workshop.issue(made, address="192.0.2.7")
    workshop.clock.advance(5)
    workshop.issue(new, address="192.0.2.8")
    refusal(workshop, client_id(made), new_secret(), address="192.0.2.9")
    view = workshop.services.credentials.get(workshop.caller, client_id(made))
    uses = {secret.id: (use.at, use.address) for secret, use in view.history}
    assert uses == {made.secret_id: (int(NOW), "192.0.2.7"), new.secret_id: (int(NOW) + 5, "192.0.2.8")}


def test_every_token_of_many_threads_has_its_line(workshop):
    made = workshop.credential()
    outcomes = at_once(*[lambda: [workshop.issue(made).access_token for _ in range(40)]] * 8)
    assert failed(outcomes) == []
    written = {line["detail"]["jti"] for line in workshop.audit_lines("token:issued")}
    assert len(written) == 320
    assert workshop.services.audit_trail.verify() is None


def test_a_token_whose_line_cannot_be_written_is_withheld_with_all_of_its_group(workshop):
    made = workshop.credential()
    workshop.issue(made)
    connection = workshop.issuing._issuing._connection.driver_connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")  # the disk is full
    outcomes: list[object] = []
    while not any(isinstance(outcome, StoreUnavailable) for outcome in outcomes):
        outcomes += at_once(*[lambda: workshop.issue(made)] * 8)
        assert len(outcomes) < 4000
    assert {type(fault) for fault in failed(outcomes)} == {StoreUnavailable}
    workshop.issue(made)
    assert len(workshop.audit_lines("token:issued")) == len(succeeded(outcomes)) + 2
    assert workshop.services.audit_trail.verify() is None


# --- races with changes (G01, G04, G05) ---


@both
def test_no_token_of_the_old_secret_is_live_after_regenerate_has_returned(workshop):
    """The race: a token that is being minted while the secret is regenerated, in this process and in another."""
    made, other = workshop.credential(), workshop.beside()
    secrets, generations, stop = [made.secret], [1], threading.Event()
    minted: list[tuple[int, int]] = []  # the secret that was used, and the generation that the token carries

    def app(process):
        def run():
            while not stop.is_set():
                number = len(secrets) - 1
                try:
                    token = process.issue(client_id(made), secrets[number])
                except (InvalidClient, StoreUnavailable):  # a busy machine may let the others write first for long
                    continue
                minted.append((number, workshop.claims(token).generation))

        return run

    def admin():
        with contextlib.ExitStack() as leaving:
            leaving.callback(stop.set)
            for _ in range(12):
                seen = len(minted)
                new = workshop.services.credentials.regenerate(workshop.caller, client_id(made))
                for process in (workshop, other):
                    for old in secrets:
                        assert isinstance(refusal(process, client_id(made), old), InvalidClient)
                generations.append(new.view.credential.generation.floor)
                secrets.append(new.secret)
                eventually(partial(grown, minted, seen + 3), "tokens are minted")

    outcomes = at_once(admin, app(workshop), app(other), app(other))
    stop.set()
    assert failed(outcomes) == []
    assert len(minted) > 30
    assert all(generation == generations[number] for number, generation in minted)
    assert generations == sorted(set(generations))
    other.close()


@both
def test_no_number_is_minted_on_two_sets_of_terms_while_they_are_narrowed(workshop):
    names = [f"role {number}".replace(" ", "_") for number in range(8)]
    for name in names:
        workshop.services.catalogue.create_role(workshop.caller, RoleDraft(name, "", None))
    made, stop, minted = workshop.credential(roles=frozenset(names)), threading.Event(), []

    def app():
        while not stop.is_set():
            claims = workshop.claims(workshop.issue(made))
            minted.append((claims.generation, claims.roles))

    def without(name):
        def edit(credential):
            terms = credential.restrictions
            return replace(credential, restrictions=replace(terms, roles=terms.roles - {name}))

        return edit

    def admin():
        with contextlib.ExitStack() as leaving:
            leaving.callback(stop.set)
            for name in names:
                workshop.services.credentials.update(workshop.caller, client_id(made), None, without(name))
                eventually(partial(grown, minted, len(minted) + 3), "tokens are minted")

    outcomes = at_once(admin, app, app)
    stop.set()
    assert failed(outcomes) == []
    assert len({generation for generation, _ in minted}) == len(set(minted)) >= 8


def test_rotating_ends_nothing_before_the_grace_period_and_everything_of_the_old_secret_after_it(workshop):
    made = workshop.credential(token_lifetime=LONGEST_LIFETIME)
    new = workshop.services.credentials.rotate(workshop.caller, client_id(made), 600)
    ends = new.retiring.expires_at
    workshop.clock.now = ends - 0.001
    assert workshop.issue(made).expires_in == 1
    assert workshop.issue(new).expires_in == LONGEST_LIFETIME
    workshop.clock.now = float(ends)
    assert told(refusal(workshop, made)) == told(refusal(workshop, new_client_id(), new_secret()))
    assert workshop.issue(new)


def test_a_clock_that_jumps_ahead_mints_no_token_that_lasts_longer_than_it_may(workshop):
    """G15. What a token says is relative to the clock that made it; it is never longer than the longest lifetime."""
    made = workshop.credential(expires_at=int(NOW) + DAY, token_lifetime=LONGEST_LIFETIME)
    for jump in (60, 3600, DAY - 3800, 90):
        workshop.clock.advance(jump)
        claims = workshop.claims(workshop.issue(made))
        assert claims.expires_at - claims.issued_at <= LONGEST_LIFETIME
        assert claims.expires_at <= NOW + DAY


@both
@pytest.mark.parametrize("step", [1, 60, 3600])
def test_a_clock_that_is_set_back_revives_nothing_in_a_process_that_has_seen_nothing(workshop, step):
    """G15, beside another node and after a restart: what has ended by what is on record has ended."""
    made = workshop.credential()
    brief = workshop.credential(expires_at=int(NOW) + 600)
    new = workshop.services.credentials.rotate(workshop.caller, client_id(made), 600)
    workshop.clock.now = new.retiring.expires_at + 0.5
    workshop.issue(new)
    workshop.clock.advance(-step)
    other = workshop.beside()
    assert told(refusal(other, made)) == told(refusal(other, new_client_id(), new_secret()))
    assert refusal(other, brief).detail == "expired"
    claims = other.claims(other.issue(new))
    assert claims.issued_at <= workshop.clock.now, "nobody believes a token of tomorrow"


def test_a_record_of_a_clock_that_was_days_ahead_ends_nothing(workshop):
    made = workshop.credential(expires_at=int(NOW) + 2 * DAY)
    workshop.clock.advance(3 * DAY)
    workshop.issue(workshop.credential())
    workshop.clock.advance(-3 * DAY)
    assert workshop.issue(made)
