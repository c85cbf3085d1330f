"""Is every change one transaction, refused to whoever may not make it, and final when it returns?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.audit import Caller
from app.services.catalogue import RoleDraft
from app.services.terms import Draft
from tests.support.workshop import NOW, REPORTS, allowed, at_once, failed, many_ranges, succeeded
from tokenserver.domain.credential import HasEnded, IsDisabled, SecretState
from tokenserver.domain.generation import NoRotation, RotationOpen
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.domain.secret import looks_like_client_id, looks_like_secret
from tokenserver.domain.selection import Selection
from tokenserver.errors import InsufficientScope, InvalidClient, InvalidInput, NotFound, PreconditionFailed

both = pytest.mark.parametrize(
    "workshop", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def credentials(workshop):
    return workshop.services.credentials


@pytest.fixture
def caller(workshop):
    return workshop.caller


def client_id(made):
    return made.view.credential.client_id


def works(workshop, made, secret=None):
    try:
        workshop.issue(client_id(made), secret or made.secret)
    except InvalidClient:
        return False
    return True


def edited(**terms):
    return lambda credential: replace(credential, restrictions=replace(credential.restrictions, **terms))


# --- creating ---


def test_a_new_credential_works_at_once_and_shows_its_secret_this_once(workshop, credentials, caller):
    made = workshop.credential()
    assert looks_like_client_id(client_id(made))
    assert looks_like_secret(made.secret.reveal())
    assert works(workshop, made)
    view = credentials.get(caller, client_id(made))
    assert view.credential.generation.current == 1
    assert made.secret.reveal() not in repr(view) + repr(made)
    assert [(secret.state, secret.hint[-4:]) for secret, _ in view.history] == [
        (SecretState.CURRENT, made.secret.reveal()[-4:])
    ]


FAULTY = {
    "a role that is not in the catalogue": ({"roles": frozenset({"nobody"})}, "/roles"),
    "an API that is not in the catalogue": ({"grants": (Grant("urn:nothing"),)}, "/grants/0/audience"),
    "a scope that its API does not have": ({"grants": (Grant(REPORTS, scopes=frozenset({"x"})),)}, "/grants/0/scopes"),
    "scopes beside all of them": (
        {"grants": (Grant(REPORTS, Access.ALL_READ, frozenset({"reports:read"})),)},
        "/grants/0/scopes",
    ),
    "an expiry in the past": ({"expires_at": int(NOW)}, "/expires_at"),
}


@pytest.mark.parametrize(("terms", "pointer"), FAULTY.values(), ids=FAULTY.keys())
def test_terms_that_cannot_be_are_refused_with_a_pointer_and_leave_nothing(
    workshop, credentials, caller, terms, pointer
):
    made = workshop.credential()
    lines = len(workshop.audit_lines())
    for attempt in (
        lambda: workshop.credential(**terms),
        lambda: credentials.update(caller, client_id(made), None, edited(**terms)),
    ):
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert len(credentials.list(caller, Selection(), None, 10)) == 1
    assert len(workshop.audit_lines()) == lines


def test_all_faults_are_told_at_once(workshop):
    with pytest.raises(InvalidInput) as caught:
        workshop.credential(roles=frozenset({"nobody"}), grants=(Grant("urn:a"), Grant("urn:b")), expires_at=1)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/roles",
        "/grants/0/audience",
        "/grants/1/audience",
        "/expires_at",
    ]


# --- ending ---


@both
def test_regenerate_ends_the_old_secret_in_every_process_when_it_returns(workshop):
    made, other = workshop.credential(), workshop.beside()
    new = workshop.services.credentials.regenerate(workshop.caller, client_id(made))
    assert not works(workshop, made)
    assert not works(other, made)
    assert works(other, made, new.secret)
    assert new.view.credential.generation.floor == 2
    other.close()


@both
def test_of_two_who_regenerate_at_once_one_secret_works_and_no_number_is_used_twice(workshop):
    """G05."""
    made, other = workshop.credential(), workshop.beside()
    processes = [workshop, other, workshop, other]

    def regenerate(process):
        return lambda: process.services.credentials.regenerate(process.caller, client_id(made))

    outcomes = at_once(*map(regenerate, processes))
    assert failed(outcomes) == []
    new = succeeded(outcomes)
    assert sorted(one.view.credential.generation.current for one in new) == [2, 3, 4, 5]
    assert [works(workshop, one) for one in new].count(True) == 1
    winner = next(one for one in new if works(workshop, one))
    assert winner.view.credential.generation.current == 5
    assert [row.number for _, row in workshop.statement().floors] == [2, 3, 4, 5]
    other.close()


def test_with_if_match_the_second_of_two_is_refused(workshop, credentials, caller):
    made = workshop.credential()

    def regenerate():
        return credentials.regenerate(caller, client_id(made), 1)

    outcomes = at_once(regenerate, regenerate, regenerate)
    assert len(succeeded(outcomes)) == 1
    assert {type(fault) for fault in failed(outcomes)} == {PreconditionFailed}


def test_rotate_keeps_both_secrets_until_the_grace_period_ends_to_the_second(workshop, credentials, caller):
    made = workshop.credential()
    new = credentials.rotate(caller, client_id(made), 600)
    assert new.retiring.id == made.secret_id
    for moment, old_works in ((0, True), (599, True), (new.retiring.expires_at - NOW, False), (99_999, False)):
        workshop.clock.now = NOW + moment
        assert works(workshop, made) is old_works
        assert works(workshop, new) is True


def test_a_second_rotation_inside_a_grace_period_is_refused_and_changes_nothing(workshop, credentials, caller):
    made = workshop.credential()
    new = credentials.rotate(caller, client_id(made), 600)
    with pytest.raises(RotationOpen):
        credentials.rotate(caller, client_id(made), 600)
    assert works(workshop, made)
    assert works(workshop, new)


def test_of_two_who_rotate_at_once_one_is_told_that_a_rotation_is_open(workshop, credentials, caller):
    made = workshop.credential()
    outcomes = at_once(*[lambda: credentials.rotate(caller, client_id(made), 600)] * 3)
    (new,) = succeeded(outcomes)
    assert {type(fault) for fault in failed(outcomes)} == {RotationOpen}
    assert works(workshop, made)
    assert works(workshop, new)


def test_finishing_ends_the_old_secret_now_and_cancelling_the_new_one(workshop, credentials, caller):
    for end, old_works in ((credentials.finish_rotation, False), (credentials.cancel_rotation, True)):
        made = workshop.credential()
        new = credentials.rotate(caller, client_id(made), 600)
        end(caller, client_id(made))
        assert works(workshop, made) is old_works
        assert works(workshop, new) is not old_works
        with pytest.raises(NoRotation):
            end(caller, client_id(made))


def test_disabling_ends_what_is_out_and_enabling_does_not_bring_it_back(workshop, credentials, caller):
    """G12."""
    made = workshop.credential()
    old = workshop.claims(workshop.issue(made)).generation
    credentials.disable(caller, client_id(made))
    assert not works(workshop, made)
    credentials.enable(caller, client_id(made))
    assert workshop.claims(workshop.issue(made)).generation > old
    assert workshop.statement().floors[-1][1].number > old


def test_disabling_twice_is_one_change(workshop, credentials, caller):
    made = workshop.credential()
    credentials.disable(caller, client_id(made))
    lines = len(workshop.audit_lines())
    view = credentials.disable(caller, client_id(made))
    assert view.credential.version == 2
    assert len(workshop.audit_lines()) == lines


def test_revoked_is_final_and_deleted_is_gone_for_ever(workshop, credentials, caller):
    """G11."""
    made = workshop.credential()
    credentials.revoke(caller, client_id(made), "stolen")
    assert credentials.get(caller, client_id(made)).credential.revoked_reason == "stolen"
    for attempt in (credentials.regenerate, credentials.enable, credentials.disable):
        with pytest.raises(HasEnded):
            attempt(caller, client_id(made))
    credentials.delete(caller, client_id(made))
    for attempt in (credentials.get, credentials.regenerate, credentials.enable, credentials.delete):
        with pytest.raises(NotFound):
            attempt(caller, client_id(made))
    assert not works(workshop, made)


def test_a_disabled_credential_is_not_rotated(workshop, credentials, caller):
    made = workshop.credential()
    credentials.disable(caller, client_id(made))
    with pytest.raises(IsDisabled):
        credentials.rotate(caller, client_id(made), 600)


NARROWER = {
    "a role less": {"roles": frozenset({"auditor"})},
    "no scope": {"grants": (Grant(REPORTS),)},
    "fewer addresses": {"allowed_ips": allowed("10.0.0.0/9")},
    "a shorter lifetime": {"token_lifetime": 60},
    "an earlier expiry": {"expires_at": int(NOW) + 10},
}
WIDER = {
    "a role more": {"roles": frozenset({"auditor", "cloud_admin", "third"})},
    "more addresses": {"allowed_ips": allowed("0.0.0.0/0")},
    "from anywhere": {"allowed_ips": None},
    "a longer lifetime": {"token_lifetime": 3600},
    "no expiry": {"expires_at": None},
}


@pytest.mark.parametrize(
    ("terms", "ends"),
    [*((terms, True) for terms in NARROWER.values()), *((terms, False) for terms in WIDER.values())],
    ids=[*NARROWER, *WIDER],
)
def test_narrowing_ends_what_is_out_and_widening_disturbs_nobody(workshop, credentials, caller, terms, ends):
    workshop.services.catalogue.create_role(caller, RoleDraft("third", "", None))
    made = workshop.credential(
        roles=frozenset({"auditor", "cloud_admin"}), allowed_ips=allowed("10.0.0.0/8"), expires_at=int(NOW) + 9999
    )
    before = workshop.statement().seq
    view = credentials.update(caller, client_id(made), None, edited(**terms))
    assert (view.credential.generation.floor > 1) is ends
    assert (workshop.statement().seq > before) is ends
    assert view.credential.version == 2


def test_a_change_that_changes_nothing_leaves_no_trace(workshop, credentials, caller):
    made = workshop.credential()
    lines = len(workshop.audit_lines())
    view = credentials.update(caller, client_id(made), 1, lambda credential: credential)
    assert view.credential.version == 1
    assert len(workshop.audit_lines()) == lines


def test_a_stale_change_is_refused_and_nothing_is_lost(workshop, credentials, caller):
    """W06."""
    made = workshop.credential()
    credentials.update(caller, client_id(made), 1, lambda c: replace(c, name="first"))
    with pytest.raises(PreconditionFailed):
        credentials.update(caller, client_id(made), 1, lambda c: replace(c, name="second"))
    assert credentials.get(caller, client_id(made)).credential.name == "first"


# --- who may (W05) ---


def test_another_organization_finds_nothing_to_read_change_or_end(workshop, credentials, theirs):
    made = workshop.credential()
    attempts = [
        lambda: credentials.get(theirs, client_id(made)),
        lambda: credentials.update(theirs, client_id(made), None, lambda c: c),
        lambda: credentials.regenerate(theirs, client_id(made)),
        lambda: credentials.rotate(theirs, client_id(made), 60),
        lambda: credentials.finish_rotation(theirs, client_id(made)),
        lambda: credentials.cancel_rotation(theirs, client_id(made)),
        lambda: credentials.disable(theirs, client_id(made)),
        lambda: credentials.enable(theirs, client_id(made)),
        lambda: credentials.revoke(theirs, client_id(made), ""),
        lambda: credentials.delete(theirs, client_id(made)),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert credentials.list(theirs, Selection(), None, 10) == []
    assert works(workshop, made)
    assert credentials.get(workshop.caller, client_id(made)).credential.version == 1


def test_another_organization_may_not_use_our_catalogue(workshop, credentials, theirs):
    with pytest.raises(InvalidInput) as caught:
        credentials.create(theirs, Draft("x", "", Restrictions(roles=frozenset({"auditor"}), grants=(Grant(REPORTS),))))
    assert [fault.pointer for fault in caught.value.faults] == ["/roles", "/grants/0/audience"]


@pytest.fixture
def theirs(workshop):
    """An administrator of another organization, with every scope."""
    from tokenserver.domain.generation import Generation
    from tokenserver.domain.organizations import Organization

    with workshop.services.store.writing() as tx:
        tx.organizations.add(Organization("org_theirs", "Theirs", Generation(), created_at=int(NOW) + 1))
    return replace(workshop.caller, organization_id="org_theirs")


def administering(*scopes):
    return (Grant(ADMIN_AUDIENCE, Access.CUSTOM, frozenset(scopes)),)


@pytest.fixture
def limited(workshop):
    """A caller who may write credentials and nothing else."""
    return Caller("credential:limited", workshop.caller.organization_id, frozenset({"credentials:write"}))


def test_nobody_makes_a_credential_that_may_do_more_than_they(workshop, credentials, limited):
    for grants in (
        administering("credentials:write", "apis:write"),
        (Grant(ADMIN_AUDIENCE, Access.ALL_READ),),
        (Grant(ADMIN_AUDIENCE, Access.ALL_READ_WRITE),),
    ):
        with pytest.raises(InsufficientScope):
            credentials.create(limited, Draft("x", "", Restrictions(grants=grants)))
    assert credentials.create(limited, Draft("x", "", Restrictions(grants=administering("credentials:write"))))


def test_nobody_takes_over_a_credential_that_may_do_more_than_they(workshop, credentials, limited):
    """A regenerated secret would be theirs; so would a credential whose other secret they know."""
    made = workshop.credential(grants=administering("apis:write", "credentials:write"))
    attempts = [
        lambda: credentials.regenerate(limited, client_id(made)),
        lambda: credentials.rotate(limited, client_id(made), 60),
        lambda: credentials.disable(limited, client_id(made)),
        lambda: credentials.delete(limited, client_id(made)),
        lambda: credentials.update(limited, client_id(made), None, edited(grants=administering("credentials:write"))),
    ]
    for attempt in attempts:
        with pytest.raises(InsufficientScope):
            attempt()
    assert works(workshop, made)


def test_nobody_raises_the_rights_of_a_credential_beyond_their_own(workshop, credentials, limited):
    made = workshop.credential(grants=administering("credentials:write"))
    with pytest.raises(InsufficientScope):
        credentials.update(
            limited, client_id(made), None, edited(grants=administering("credentials:write", "roles:write"))
        )
    assert credentials.get(limited, client_id(made)).credential.version == 1


# --- what is remembered (L01, L02) ---


def test_every_change_leaves_its_line_in_its_transaction(workshop, credentials, caller):
    asked = replace(caller, actor="credential:admin", address="192.0.2.1", request_id="req-1")
    made = credentials.create(asked, Draft("n", "", Restrictions()))
    name = client_id(made)
    credentials.rotate(asked, name, 60)
    credentials.finish_rotation(asked, name)
    credentials.rotate(asked, name, 60)
    credentials.cancel_rotation(asked, name)
    credentials.disable(asked, name)
    credentials.enable(asked, name)
    credentials.regenerate(asked, name)
    credentials.update(asked, name, None, lambda c: replace(c, name="new\n\x1b[31m"))
    credentials.revoke(asked, name, "stolen")
    credentials.delete(asked, name)
    lines = [line for line in workshop.audit_lines() if line["credential"] == name]
    assert [line["event"] for line in lines] == [
        "credential:created",
        "secret:rotated",
        "rotation:finished",
        "secret:rotated",
        "rotation:cancelled",
        "credential:disabled",
        "credential:enabled",
        "secret:regenerated",
        "credential:updated",
        "credential:revoked",
        "credential:deleted",
    ]
    for line in lines:
        assert (line["actor"], line["address"], line["request_id"]) == ("credential:admin", "192.0.2.1", "req-1")
        assert line["detail"]["changed"]
    assert lines[7]["detail"]["changed"]["generation"] == [5, 6]
    assert workshop.services.audit_trail.verify() is None


def test_a_line_of_a_change_never_holds_a_secret_or_its_digest(workshop, credentials, caller):
    made = workshop.credential(allowed_ips=many_ranges(100))
    new = [credentials.regenerate(caller, client_id(made)), credentials.rotate(caller, client_id(made), 60)]
    text = "".join(workshop.services.audit_trail.export())
    with workshop.services.store.reading() as tx:
        history = tx.secrets.histories([made.view.credential])[client_id(made)]
    for hidden in [one.secret.reveal()[4:] for one in [made, *new]] + [secret.digest.hex() for secret, _ in history]:
        assert hidden not in text


def test_an_audit_line_that_cannot_be_written_stops_the_change(workshop, credentials, caller):
    """L02."""
    made = workshop.credential()
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
    with pytest.raises(Exception, match="no"):
        credentials.regenerate(caller, client_id(made))
    with workshop.services.store.writing() as tx:
        tx.session.connection().exec_driver_sql("DROP TRIGGER full")
    assert credentials.get(caller, client_id(made)).credential.version == 1
    assert workshop.statement().seq == 0
    assert works(workshop, made)
