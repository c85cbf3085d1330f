"""Is whoever signed in at the provider the operator that they are, with the role of their groups, and nobody else?"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest

from app.services.sessions import SignedOut, Visitor
from app.services.sign_on_attempts import SignOnRefused
from app.services.terms import Draft
from tests.support.identity_providers import a_liar, leave, query_of, signing_on, the_mock
from tokenserver.domain.credential import Status
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import Membership, OperatorRole
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Grant, Restrictions

VISITOR = Visitor("192.0.2.7", "a browser", "request")
GROUPS = "platform-team=platform_admin, owners=owner, auditors=auditor"
BOTH = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def liar(workshop):
    with a_liar(workshop.clock) as liar:
        yield liar


@pytest.fixture
def ada(workshop):
    return operator(workshop, "ada")


def operator(workshop, name, role=OperatorRole.ADMIN, *, platform_admin=False):
    return workshop.services.operators.add(
        workshop.caller, f"{name}@example.com", name, Membership("", role), platform_admin=platform_admin
    )[0]


def sign_in(signing_on, person):
    url, cookie = leave(signing_on, "/credentials")
    return signing_on.finish(cookie, person(url), VISITOR)


def viewer(workshop, arrived):
    return workshop.services.sessions.viewer(arrived.opened.token, VISITOR)


def refusal(signing_on, person):
    with pytest.raises(SignOnRefused) as caught:
        sign_in(signing_on, person)
    return caught.value


def member(workshop, person):
    with workshop.services.store.reading() as tx:
        return tx.operators.member(workshop.caller.organization_id, person.id)


def last_refusal(workshop):
    return workshop.audit_lines("sign_in:refused")[-1]


# --- at a provider as it is -----------------------------------------------------------------------------------------


@pytest.fixture
def mock(workshop, monkeypatch):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # of its Authlib, in this process
    workshop.clock.now = time.time()
    with the_mock() as mock:
        yield mock


def test_an_operator_signs_in_at_the_provider_and_lands_where_they_wanted(workshop, ada, mock):
    mock.knows("ada-there", email="ADA@example.com", email_verified=True)
    arrived = sign_in(signing_on(workshop, mock.issuer), mock.person("ada-there"))
    assert arrived.then == "/credentials"
    assert arrived.opened.awaits is None, "second factors are the provider's business"
    seen = viewer(workshop, arrived)
    assert (seen.operator.id, seen.session.method) == (ada.id, "sso")
    (linked,) = workshop.audit_lines("identity:linked")
    assert linked["detail"] == {"operator": ada.id, "issuer": mock.issuer}
    (line,) = workshop.audit_lines("operator:signed_in")
    assert (line["actor"], line["detail"], line["address"]) == (f"operator:{ada.id}", {"method": "sso"}, "192.0.2.7")


def test_groups_of_the_provider_give_a_role_to_somebody_new(workshop, mock):
    mock.knows("eve", email="eve@example.com", email_verified=True, name="Eve\x07 Example", groups=["auditors"])
    on = signing_on(workshop, mock.issuer, sso_groups=GROUPS)
    seen = viewer(workshop, sign_in(on, mock.person("eve")))
    assert (seen.operator.email, seen.operator.name) == ("eve@example.com", "Eve Example")
    assert member(workshop, seen.operator)[1].role is OperatorRole.AUDITOR
    (added,) = workshop.audit_lines("operator:added")
    assert added["actor"] == "single_sign_on"


def test_who_declines_at_the_provider_is_told_so(workshop, mock):
    refused = refusal(signing_on(workshop, mock.issuer), mock.declines)
    assert "declined" in refused.public
    assert last_refusal(workshop)["detail"] == {"reason": "the provider answered access_denied", "method": "sso"}


def test_an_address_that_the_provider_does_not_call_verified_is_nobody(workshop, ada, mock):
    mock.knows("ada-there", email="ada@example.com")
    refused = refusal(signing_on(workshop, mock.issuer), mock.person("ada-there"))
    assert "not verified" in refused.public
    assert last_refusal(workshop)["detail"]["reason"] == "no verified e-mail address"
    assert not workshop.audit_lines("identity:linked")


def test_an_answer_that_comes_twice_is_refused_and_so_is_its_code(workshop, ada, mock):
    mock.knows("ada-there", email="ada@example.com", email_verified=True)
    on = signing_on(workshop, mock.issuer)
    url, cookie = leave(on)
    answer = mock.person("ada-there")(url)
    on.finish(cookie, answer, VISITOR)
    with pytest.raises(SignOnRefused, match="finished already"):
        on.finish(cookie, answer, VISITOR)
    url, cookie = leave(on)
    with pytest.raises(SignOnRefused, match="too old, or was used"):
        on.finish(cookie, {**answer, "state": query_of(url)["state"]}, VISITOR)
    assert last_refusal(workshop)["detail"]["reason"] == "the provider refused the code"


# --- who it is ------------------------------------------------------------------------------------------------------


@BOTH
def test_somebody_is_known_by_their_subject_once_they_came(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer)
    sign_in(on, liar.person("1", email="ada@example.com"))
    seen = viewer(workshop, sign_in(on, liar.person("1", email="another@example.com", email_verified=False)))
    assert seen.operator.id == ada.id
    assert len(workshop.audit_lines("identity:linked")) == 1


def test_an_address_that_changed_hands_does_not_hand_over_the_operator(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer)
    sign_in(on, liar.person("1", email="ada@example.com"))
    refused = refusal(on, liar.person("2", email="ada@example.com"))
    assert "somebody else" in refused.public
    assert last_refusal(workshop)["detail"]["reason"] == "the address belongs to another subject"


def test_a_stranger_is_refused_and_not_named_in_the_audit_log(workshop, liar):
    refused = refusal(signing_on(workshop, liar.issuer), liar.person("mallory-there", email="mallory@example.com"))
    assert "Ask an administrator to add you" in refused.public
    line = last_refusal(workshop)
    assert (line["actor"], line["outcome"], line["detail"]["method"]) == ("stranger", "refused", "sso")
    assert line["detail"]["reason"] == "no such operator"
    assert "mallory" not in str(line)


def test_refusals_are_folded(workshop, liar):
    on = signing_on(workshop, liar.issuer)
    for _ in range(5):
        refusal(on, liar.person("mallory"))
    assert len(workshop.audit_lines("sign_in:refused")) == 1


def test_an_operator_who_was_removed_is_a_stranger_again(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer)
    arrived = sign_in(on, liar.person("1", email="ada@example.com"))
    workshop.services.operators.remove(workshop.caller, ada.id, None)
    with pytest.raises(SignedOut):
        viewer(workshop, arrived)
    assert refusal(on, liar.person("1", email="ada@example.com")).reason == "no such operator"


def test_an_address_may_be_believed_unless_the_provider_says_no(workshop, liar, ada):
    trusting = signing_on(workshop, liar.issuer, sso_trust_email=True)
    refusal(trusting, liar.person("1", email="ada@example.com", email_verified=False))
    refusal(signing_on(workshop, liar.issuer), liar.person("1", email="ada@example.com", email_verified=None))
    arrived = sign_in(trusting, liar.person("1", email="ada@example.com", email_verified=None))
    assert viewer(workshop, arrived).operator.id == ada.id


def test_what_the_id_token_does_not_say_is_asked_for(workshop, liar, ada):
    liar.userinfo = {"sub": "1", "email": "ada@example.com", "email_verified": True, "groups": ["auditors"]}
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS + ", admins=admin")
    operator(workshop, "boss", OperatorRole.OWNER)
    arrived = sign_in(on, liar.person("1", email=None, email_verified=None))
    assert viewer(workshop, arrived).operator.id == ada.id
    assert member(workshop, ada)[1].role is OperatorRole.AUDITOR


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize(("in_token", "beside"), [(False, True), (False, None), (True, False), (True, None)])
def test_a_no_is_a_no_wherever_it_is_said_and_a_yes_is_about_the_address_beside_it(
    workshop, liar, ada, in_token, beside, trusting
):
    liar.userinfo = {"sub": "1", "email": "ada@example.com", "email_verified": beside}
    on = signing_on(workshop, liar.issuer, sso_trust_email=trusting)
    assert refusal(on, liar.person("1", email=None, email_verified=in_token)).reason == "no verified e-mail address"


def test_what_the_provider_says_of_somebody_else_is_refused(workshop, liar, ada):
    liar.userinfo = {"sub": "2", "email": "ada@example.com", "email_verified": True}
    refused = refusal(signing_on(workshop, liar.issuer), liar.person("1", email=None, email_verified=None))
    assert refused.reason == "UserInfo of somebody else"


# --- what they are --------------------------------------------------------------------------------------------------


def test_without_a_mapping_groups_change_nobody(workshop, liar, ada):
    sign_in(signing_on(workshop, liar.issuer), liar.person("1", email="ada@example.com", groups=["platform-team"]))
    person, membership = member(workshop, ada)
    assert (person.platform_admin, membership.role) == (False, OperatorRole.ADMIN)
    assert not workshop.audit_lines("operator:updated")


ROLES = {
    "another role": (["auditors"], OperatorRole.AUDITOR, False),
    "platform admin beside the role": (["platform-team"], OperatorRole.ADMIN, True),
    "the first of several": (["auditors", "owners", "others"], OperatorRole.OWNER, False),
    "one group as a text": ("owners", OperatorRole.OWNER, False),
}


@pytest.mark.parametrize(("groups", "role", "platform_admin"), ROLES.values(), ids=ROLES.keys())
def test_groups_say_the_role_at_each_sign_in(workshop, liar, ada, groups, role, platform_admin):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    sign_in(on, liar.person("1", email="ada@example.com", groups=groups))
    person, membership = member(workshop, ada)
    assert (person.platform_admin, membership.role) == (platform_admin, role)
    sign_in(on, liar.person("1", email="ada@example.com", groups=groups))
    assert len(workshop.audit_lines("operator:updated")) == 1


def personal_credential(workshop, person):
    grant = Grant(ADMIN_AUDIENCE, Access.CUSTOM, frozenset({"credentials:read"}))
    draft = Draft("personal", "", Restrictions(grants=(grant,)), owner_id=person.id)
    return workshop.services.credentials.create(workshop.caller, draft)


def status_of(workshop, made):
    found = workshop.services.credentials.get(workshop.caller, made.view.credential.client_id)
    return found.credential.status(workshop.clock()), found.credential.generation.floor


@BOTH
def test_a_group_that_is_gone_takes_the_role_away_and_ends_personal_tokens(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    sign_in(on, liar.person("1", email="ada@example.com", groups=["platform-team"]))
    made = personal_credential(workshop, ada)
    _, floor = status_of(workshop, made)
    sign_in(on, liar.person("1", email="ada@example.com", groups=["auditors"]))
    person, membership = member(workshop, ada)
    assert (person.platform_admin, membership.role) == (False, OperatorRole.AUDITOR)
    assert status_of(workshop, made) == (Status.ACTIVE, floor + 1)


@BOTH
def test_who_has_no_group_any_more_is_no_operator_any_more(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    before = sign_in(on, liar.person("1", email="ada@example.com", groups=["platform-team"]))
    made = personal_credential(workshop, ada)
    refused = refusal(on, liar.person("1", email="ada@example.com", groups=[]))
    assert "None of your groups" in refused.public
    assert member(workshop, ada) is None
    assert status_of(workshop, made)[0] is Status.REVOKED
    with pytest.raises(SignedOut):
        viewer(workshop, before)
    assert refusal(on, liar.person("1", email="ada@example.com", groups=[])).reason == "no group with a role"


def test_what_they_are_in_another_organization_is_left_alone(workshop, liar, ada):
    other = workshop.services.organizations.create(workshop.caller, "Other", Policy())
    there = replace(workshop.caller, organization_id=other.id)
    workshop.services.operators.add(there, ada.email, "", Membership("", OperatorRole.MEMBER), platform_admin=False)
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    seen = viewer(workshop, sign_in(on, liar.person("1", email="ada@example.com", groups=[])))
    assert seen.organization.id == other.id
    assert member(workshop, ada) is None


@pytest.mark.parametrize("groups", [[], ["auditors"]])
def test_the_last_owner_stays_owner_and_is_told_why(workshop, liar, groups):
    boss = operator(workshop, "boss", OperatorRole.OWNER, platform_admin=True)
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    refused = refusal(on, liar.person("1", email="boss@example.com", groups=groups))
    assert "last owner" in refused.public
    person, membership = member(workshop, boss)
    assert (person.platform_admin, membership.role) == (True, OperatorRole.OWNER)
    assert not workshop.audit_lines("identity:linked")


UNKNOWN = {"not said": None, "numbers": [1, 2], "an object": {"auditors": True}, "a number": 7}


@pytest.mark.parametrize("groups", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_groups_that_were_not_said_are_not_no_groups(workshop, liar, ada, groups):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    refused = refusal(on, liar.person("1", email="ada@example.com", groups=groups))
    assert "Which groups you are in was not said" in refused.public
    assert member(workshop, ada)[1].role is OperatorRole.ADMIN


def test_a_group_without_a_role_makes_nobody_an_operator(workshop, liar):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    assert refusal(on, liar.person("1", groups=["accountants"])).reason == "no group with a role"
    unverified = liar.person("1", groups=["auditors"], email_verified=False)
    assert refusal(on, unverified).reason == "no verified e-mail address"
    assert not workshop.audit_lines("operator:added")


def test_a_platform_admin_who_was_no_member_becomes_an_admin(workshop, liar):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS)
    seen = viewer(workshop, sign_in(on, liar.person("1", groups=["platform-team"])))
    person, membership = member(workshop, seen.operator)
    assert (person.platform_admin, membership.role) == (True, OperatorRole.ADMIN)


def test_another_name_of_the_claim_is_read(workshop, liar):
    on = signing_on(workshop, liar.issuer, sso_groups=GROUPS, sso_groups_claim="https://example.com/roles")
    arrived = sign_in(on, liar.person("1", **{"https://example.com/roles": ["auditors"], "groups": ["owners"]}))
    assert member(workshop, viewer(workshop, arrived).operator)[1].role is OperatorRole.AUDITOR


# --- answers that are none ------------------------------------------------------------------------------------------

ANSWERS = {
    "nothing": ({}, "neither code nor known error"),
    "a refusal without a state": ({"error": "access_denied"}, "the provider answered access_denied"),
    "a code without a state": ({"code": "x"}, "not begun here, or over"),
    "another state": ({"code": "x", "state": "x"}, "not begun here, or over"),
    "a state of other letters": ({"code": "x", "state": "\u00e4\ud800"}, "not begun here, or over"),
    "no code": ({"state": ...}, "neither code nor known error"),
    "an empty code": ({"state": ..., "code": ""}, "neither code nor known error"),
    "an unknown error": ({"state": ..., "error": "<script>"}, "neither code nor known error"),
    "a code of nobody's": ({"state": ..., "code": "x\r\ny"}, "the provider refused the code"),
    "another provider": ({"state": ..., "code": "x", "iss": "https://evil.example.com"}, "another provider's answer"),
}


@pytest.mark.parametrize(("answer", "reason"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_that_is_none_is_refused_and_not_repeated(workshop, liar, answer, reason):
    on = signing_on(workshop, liar.issuer)
    url, cookie = leave(on)
    given = {name: query_of(url)["state"] if value is ... else value for name, value in answer.items()}
    with pytest.raises(SignOnRefused) as caught:
        on.finish(cookie, given, VISITOR)
    assert caught.value.reason == reason
    assert "<script>" not in caught.value.public
    assert "evil" not in caught.value.public
    assert last_refusal(workshop)["detail"]["reason"] == reason


def test_a_provider_that_promises_to_name_itself_must(workshop, liar, ada):
    liar.says = {"authorization_response_iss_parameter_supported": True}
    on = signing_on(workshop, liar.issuer)
    ada_there = liar.person("1", email="ada@example.com")
    assert refusal(on, ada_there).reason == "another provider's answer"
    assert sign_in(on, lambda url: {**ada_there(url), "iss": liar.issuer})


def test_who_is_asked_again_must_have_proven_it_anew_where_the_provider_says_when(workshop, liar, ada):
    on = signing_on(workshop, liar.issuer)
    url, cookie = leave(on, again=True)
    assert (query_of(url)["prompt"], query_of(url)["max_age"]) == ("login", "0")
    long_ago = liar.person("1", email="ada@example.com", auth_time=int(workshop.clock()) - 3600)
    with pytest.raises(SignOnRefused, match="not valid"):
        on.finish(cookie, long_ago(url), VISITOR)
    url, cookie = leave(on, again=True)
    just_now = liar.person("1", email="ada@example.com", auth_time=int(workshop.clock()))
    assert on.finish(cookie, just_now(url), VISITOR).then == "/"


def test_a_session_is_as_fresh_as_the_proof_at_the_provider(workshop, liar, ada):
    on, now = signing_on(workshop, liar.issuer), int(workshop.clock())
    for proven, fresh in ((now - 3600, False), (now, True), (now + 50, True), (None, False)):
        seen = viewer(workshop, sign_in(on, liar.person("1", email="ada@example.com", auth_time=proven)))
        assert workshop.services.sessions.is_fresh(seen) == fresh
        assert seen.session.proven_at <= now


@pytest.mark.parametrize("moment", ["", [], False, 0, -1, 1e300, float("nan"), 10**400])
def test_a_moment_that_is_none_was_not_said_and_is_refused_at_worst(workshop, liar, ada, moment):
    with contextlib.suppress(SignOnRefused):
        sign_in(signing_on(workshop, liar.issuer), liar.person("1", email="ada@example.com", auth_time=moment))


def test_who_is_signed_in_proves_it_again_in_the_session_that_is_there(workshop, liar, ada):
    on, sessions = signing_on(workshop, liar.issuer), workshop.services.sessions
    ada_there = liar.person("1", email="ada@example.com")
    token = sign_in(on, ada_there).opened.token
    workshop.clock.advance(20 * 60)
    seen = sessions.viewer(token, VISITOR)
    assert not sessions.is_fresh(seen)
    url, cookie = leave(on, again=True)
    renewed = on.finish(cookie, ada_there(url), VISITOR, seen).opened.token
    (only,) = sessions.list(sessions.viewer(renewed, VISITOR))
    with pytest.raises(SignedOut):
        sessions.viewer(token, VISITOR)
    assert only.proven_at == int(workshop.clock())
    operator(workshop, "eve")
    url, cookie = leave(on, again=True)
    other = on.finish(cookie, liar.person("2", email="eve@example.com")(url), VISITOR, seen)
    assert sessions.viewer(other.opened.token, VISITOR).operator.email == "eve@example.com"
    assert len(sessions.list(sessions.viewer(renewed, VISITOR))) == 1, "somebody else is in a session of their own"


def test_the_wiring_offers_it_where_a_provider_is_set(workshop):
    assert workshop.services.single_sign_on is None
    set_up = workshop.beside(sso_issuer="https://login.example.com", sso_client_id="x", sso_client_secret="y")
    assert set_up.services.single_sign_on is not None
    set_up.close()
