"""Do the rows say the same of a token on either database, whoever asks, and however it was ended?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from app.services.catalogue import ApiDraft
from app.services.forwarding import Forwarded, Forwarding
from app.services.group import Place
from app.services.introspecting import INACTIVE, Introspecting, Question, Verdict
from app.services.own_tokens import OwnTokens
from app.services.proving import Proof, Proving
from app.services.revoking import Revoking, TooManyRevoked
from app.store import Store
from tests.support.neighbours import Neighbours, client_id
from tests.support.workshop import allowed, many_ranges
from tokenserver.clock import HOUR
from tokenserver.domain.audit import Event
from tokenserver.domain.catalogue import Kind, Scope
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import InvalidClient, InvalidToken, MissingToken, Refused, UnauthorizedClient
from tokenserver.resource.require import Lacking, Require

FILES = "https://files.example.com"
SCOPES = (Scope("files:read", Kind.READ), Scope("tokens:introspect", Kind.READ, sensitive=True))


class Asked:
    """The three doors over one workshop, and a credential that may introspect at FILES."""

    def __init__(self, workshop):
        own = workshop.services
        self.workshop, self.own = workshop, own
        own.catalogue.create_api(workshop.caller, ApiDraft(FILES, "Files", SCOPES))
        proving = partial(
            Proving, own.store, own.high_water, own.peppers, workshop.clock, limits=workshop.issuing._limits
        )
        self.tokens = OwnTokens(own.keys, workshop.settings)
        introspection = proving(refused=Event.INTROSPECTION_REFUSED)
        self.introspecting = Introspecting(
            own.store, introspection, self.tokens, own.keys, workshop.settings, workshop.clock
        )
        revocation = proving(refused=Event.REVOCATION_REFUSED)
        self.revoking = Revoking(own.store, own.feed, revocation, self.tokens, workshop.clock, most=2)
        self.forwarding = Forwarding(own.store, self.tokens, workshop.clock)
        self.asker = workshop.credential(grants=(Grant(FILES, Access.CUSTOM, frozenset({"tokens:introspect"})),))
        self.app = workshop.credential(grants=(Grant(FILES, Access.CUSTOM, frozenset({"files:read"})),))

    def proof(self, made, address="192.0.2.1"):
        return Proof(made.view.credential.client_id, made.secret, address, "req-1")

    def token(self):
        return self.workshop.issue(self.app).access_token

    def active(self, token, made=None):
        told = self.introspecting.introspect(self.proof(made or self.asker), token)
        assert told["active"] or told == INACTIVE
        return told["active"]

    def passes(self, token):
        try:
            self.forwarding.admit(Forwarded([f"Bearer {token}"], "192.0.2.1", FILES, Require(any_caller=True)))
        except InvalidToken:
            return False
        return True


@pytest.fixture
def asked(workshop):
    return Asked(workshop)


pytestmark = pytest.mark.parametrize("workshop", ["sqlite", "postgres"], indirect=True)

ENDINGS = {
    "regenerate": lambda own, caller, client_id: own.credentials.regenerate(caller, client_id),
    "disable": lambda own, caller, client_id: own.credentials.disable(caller, client_id),
    "revoke": lambda own, caller, client_id: own.credentials.revoke(caller, client_id, "gone"),
    "delete": lambda own, caller, client_id: own.credentials.delete(caller, client_id),
    "end everything": lambda own, caller, _: own.organizations.end_everything(caller, caller.organization_id),
    "revoke the key": lambda own, caller, _: own.keys.revoke(caller, own.keys.ring().access.key.kid),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_what_ends_a_token_ends_it_here_for_whoever_asks(how, asked):
    token = asked.token()
    assert asked.active(token)
    assert asked.passes(token)
    ENDINGS[how](asked.own, asked.workshop.caller, asked.app.view.credential.client_id)
    assert not asked.active(token)
    assert not asked.passes(token)


def test_in_a_grace_period_a_token_of_the_old_secret_lives_to_its_end(asked):
    token = asked.token()
    asked.own.credentials.rotate(asked.workshop.caller, asked.app.view.credential.client_id, 60)
    assert asked.active(token)
    assert asked.passes(token)
    asked.workshop.clock.advance(60.5)
    assert asked.active(token), "it ends on a whole second"
    asked.workshop.clock.advance(0.25)
    assert not asked.active(token)
    assert not asked.passes(token)


def test_one_token_is_revoked_and_the_others_go_on(asked):
    one, other = asked.token(), asked.token()
    asked.revoking.revoke(asked.proof(asked.app), one)
    assert (asked.active(one), asked.active(other)) == (False, True)
    assert (asked.passes(one), asked.passes(other)) == (False, True)
    asked.revoking.revoke(asked.proof(asked.asker), other)
    assert asked.active(other), "it is another credential's"


def test_an_organization_may_have_so_many_revoked_at_a_time(asked):
    tokens = [asked.token() for _ in range(3)]
    for token in tokens[:2]:
        asked.revoking.revoke(asked.proof(asked.app), token)
    asked.revoking.revoke(asked.proof(asked.app), tokens[0])  # that is no third
    with pytest.raises(TooManyRevoked):
        asked.revoking.revoke(asked.proof(asked.app), tokens[2])
    assert asked.active(tokens[2])
    asked.workshop.clock.advance(HOUR)
    late = asked.token()
    asked.revoking.revoke(asked.proof(asked.app), late)
    assert not asked.active(late)


def test_strangers_and_those_who_may_not_are_refused_and_recorded(asked):
    wrong = asked.workshop.credential().secret
    with pytest.raises(InvalidClient) as refused:
        asked.introspecting.introspect(Proof(asked.asker.view.credential.client_id, wrong, "", "req-1"), "x")
    assert refused.value.detail == "not proven"
    with pytest.raises(InvalidClient):
        asked.introspecting.introspect(Proof("tsc_" + "0" * 22, wrong, "", "req-1"), "x")
    elsewhere = asked.workshop.credential(allowed_ips=allowed("198.51.100.0/24"))
    with pytest.raises(UnauthorizedClient):
        asked.revoking.revoke(asked.proof(elsewhere), "x")
    known, unknown = asked.workshop.audit_lines("introspection:refused")
    assert (known["actor"], known["credential"]) == ("stranger", asked.asker.view.credential.client_id)
    assert (unknown["actor"], unknown["credential"]) == ("stranger", "")
    (told,) = asked.workshop.audit_lines("revocation:refused")
    assert told["actor"] == f"credential:{elsewhere.view.credential.client_id}"


def test_a_credential_with_a_long_list_of_addresses_may_ask_from_one_of_them(asked):
    made = asked.workshop.credential(allowed_ips=many_ranges(70))
    asked.revoking.revoke(asked.proof(made, "10.0.3.1"), "x")
    with pytest.raises(Refused):
        asked.revoking.revoke(asked.proof(made, "10.9.9.9"), "x")


def test_a_secret_that_ended_proves_nothing(asked):
    asked.own.credentials.regenerate(asked.workshop.caller, asked.asker.view.credential.client_id)
    with pytest.raises(InvalidClient):
        asked.active(asked.token())


# --- an API that is shared --------------------------------------------------------------------------------------------


ASKS = Grant(FILES, Access.CUSTOM, frozenset({"tokens:introspect"}))
USES = Grant(FILES, Access.CUSTOM, frozenset({"files:read"}))


@pytest.fixture
def three(asked):
    return Neighbours(asked.workshop)


def token_of(asked, made):
    return asked.workshop.issue(made).access_token


def test_whose_api_it_is_is_told_about_tokens_of_everybody_with_whom_it_is_shared(asked, three):
    three.share(FILES)
    app = three.credential(three.owner, USES)
    token = token_of(asked, app)
    told = asked.introspecting.introspect(asked.proof(asked.asker), token)
    assert (told["active"], told["client_id"]) == (True, client_id(app))
    assert told["org"] == three.owner.organization_id
    assert asked.passes(token)
    three.own.organizations.suspend(three.vendor, three.owner.organization_id)
    assert not asked.active(token)


def test_nobody_else_is_told_about_tokens_of_another_organization(asked, three):
    three.share(FILES)
    tokens = {who: token_of(asked, three.credential(who, USES)) for who in (three.vendor, three.owner, three.stranger)}
    askers = {who: three.credential(who, ASKS) for who in (three.owner, three.stranger)}
    for who, asker in askers.items():
        assert [asked.active(token, asker) for token in tokens.values()] == [one == who for one in tokens]
    without = three.credential(three.vendor, USES)
    assert not any(asked.active(token, without) for token in tokens.values())
    elsewhere = three.credential(three.vendor, Grant("https://reports.example.com", Access.ALL_READ))
    assert not any(asked.active(token, elsewhere) for token in tokens.values())


def test_tokens_for_an_api_of_its_own_by_the_same_name_are_nobody_elses_business(asked, three):
    three.catalogue.create_api(three.ours, ApiDraft(FILES, "Copy", SCOPES))
    three.share(FILES)
    token = token_of(asked, three.credential(three.owner, USES))
    assert not asked.active(token), "its own is in force there"
    assert asked.active(token, three.credential(three.owner, ASKS))
    three.catalogue.delete_api(three.owner, three.api(FILES, three.owner).id, None)
    assert asked.active(token), "it fell back to the shared one"


def test_about_what_is_shared_no_more_nothing_is_told(asked, three):
    three.share(FILES)
    token = token_of(asked, three.credential(three.owner, USES))
    assert asked.active(token)
    three.catalogue.update_api(
        three.vendor, three.api(FILES).id, None, lambda api: replace(api, shared=False), cascade=True
    )
    assert not asked.active(token)
    assert not asked.passes(token)


# --- many at once -----------------------------------------------------------------------------------------------------


def test_of_a_group_each_gets_an_answer_of_its_own(asked):
    live, dead = asked.token(), asked.token()
    asked.revoking.revoke(asked.proof(asked.app), dead)
    wrong = Proof(asked.asker.view.credential.client_id, asked.workshop.credential().secret, "192.0.2.1", "req-1")
    unknown = Proof("tsc_" + "0" * 22, wrong.secret, "192.0.2.1", "req-1")
    right, foreign = asked.proof(asked.asker), asked.proof(asked.app)
    questions = [(right, live), (wrong, live), (right, dead), (unknown, dead), (right, "x"), (foreign, live)] * 3
    group: list[Place[Question, Verdict]] = [Place(Question(proof, token)) for proof, token in questions]
    asked.introspecting._answer(group)
    verdicts = [place.outcome() for place in group]
    assert [verdict.told.get("active") for verdict in verdicts] == [True, None, False, None, False, False] * 3
    refused = [verdict.refusal.detail for verdict in verdicts if verdict.refusal is not None]
    assert refused == ["not proven"] * 6
    assert [verdict.known is None for verdict in verdicts[1::2]] == [False, True, True] * 3


def test_of_requests_at_a_gateway_each_may_pass_or_not_by_itself(asked):
    live, dead = asked.token(), asked.token()
    asked.revoking.revoke(asked.proof(asked.app), dead)

    class Breaks(Require):
        def check(self, principal):
            raise LookupError(principal.client_id)

    anybody = Require(any_caller=True)
    requests = [
        (live, anybody),
        (dead, anybody),
        (live, Require(roles={"x"})),
        ("x", anybody),
        (live, Breaks(any_caller=True)),
    ]
    group: list[Place[Forwarded, Any]] = [
        Place(Forwarded([f"Bearer {token}"], "192.0.2.1", FILES, require)) for token, require in requests * 2
    ]
    asked.forwarding._answer(group)
    told = [getattr(place.answer, "client_id", type(place.fault)) for place in group]
    assert told == [asked.app.view.credential.client_id, InvalidToken, Lacking, InvalidToken, LookupError] * 2


def test_a_group_of_which_nobody_has_a_token_asks_nothing_of_the_database(asked, monkeypatch):
    monkeypatch.setattr(Store, "reading", None)
    place: Place[Forwarded, Any] = Place(Forwarded([], "192.0.2.1", FILES, Require(any_caller=True)))
    asked.forwarding._answer([place])
    assert isinstance(place.fault, MissingToken)
