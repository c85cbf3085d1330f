"""Is an empty installation set up once, by whoever comes first, and never under the wrong keys?"""

from __future__ import annotations

import pytest

from app.services.installation import DEFAULT_EMAIL
from app.services.invitations import LinkIsOver
from app.settings import InvalidSettings
from tests.support.people import HERE
from tests.support.workshop import Workshop, a_workshop, at_once, failed, succeeded
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import ADMIN_SCOPES
from tokenserver.errors import Conflict, InvalidClient

both = pytest.mark.parametrize("empty", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


@pytest.fixture(params=["sqlite"])
def empty(request, tmp_path):
    """A migrated database with nothing in it."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'tokenserver.db'}"
    with a_workshop(url, tmp_path) as workshop:
        workshop.services.installation.migrate()
        yield workshop


def beside(workshop, **settings):
    """Another process, which has not looked at the database yet."""
    return Workshop(workshop.settings.model_copy(update=settings), workshop.clock)


def count(workshop, table):
    with workshop.services.store.reading() as tx:
        return tx.session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


def test_there_is_no_credential_until_somebody_asks_for_one(empty):
    """S04."""
    empty.services.installation.prepare()
    assert count(empty, "credential") == 0
    assert count(empty, "operator") == 0
    assert (count(empty, "organization"), count(empty, "signing_key"), count(empty, "api")) == (1, 1, 1)


def test_preparing_again_makes_nothing_new(empty):
    first = empty.services.installation.prepare()
    lines = len(empty.audit_lines())
    assert empty.services.installation.prepare() == first
    assert beside(empty).services.installation.prepare() == first
    assert len(empty.audit_lines()) == lines


@both
def test_nodes_that_start_together_set_up_one_installation(empty):
    nodes = [empty, *(beside(empty) for _ in range(4))]
    outcomes = at_once(*(node.services.installation.prepare for node in nodes))
    assert failed(outcomes) == []
    assert len({caller.organization_id for caller in succeeded(outcomes)}) == 1
    assert (count(empty, "organization"), count(empty, "signing_key"), count(empty, "api")) == (1, 1, 1)
    for node in nodes:
        node.close()


@both
def test_of_many_who_bootstrap_at_once_one_gets_the_secret(empty):
    nodes = [empty, *(beside(empty) for _ in range(4))]
    made = succeeded(at_once(*(node.services.installation.bootstrap for node in nodes)))
    assert len(made) == 5
    assert [one.secret is not None for one in made].count(True) == 1
    assert len({one.client_id for one in made}) == 1
    assert (count(empty, "organization"), count(empty, "operator"), count(empty, "credential")) == (1, 1, 1)
    for node in nodes:
        node.close()


def token(workshop, made):
    return workshop.claims(workshop.issue(made.client_id, made.secret))


def test_the_first_administrator_may_do_everything_here_and_nothing_elsewhere(empty):
    made = empty.services.installation.bootstrap("me@example.com")
    assert made.operator_email == "me@example.com"
    claims = token(empty, made)
    assert claims.audience == (ADMIN_AUDIENCE,)
    assert claims.scopes == {scope.name for scope in ADMIN_SCOPES}
    assert claims.organization == made.organization_id


def test_bootstrapping_again_makes_nothing_new_and_shows_no_secret(empty):
    first = empty.services.installation.bootstrap()
    second = empty.services.installation.bootstrap("other@example.com")
    assert (second.client_id, second.secret) == (first.client_id, None)
    assert second.operator_email == first.operator_email == DEFAULT_EMAIL
    assert count(empty, "credential") == 1
    assert token(empty, first)


def test_a_fresh_administrator_is_made_when_asked_for_and_the_first_one_goes_on(empty):
    first = empty.services.installation.bootstrap()
    second = empty.services.installation.bootstrap(again=True)
    assert first.secret is not None
    assert second.client_id != first.client_id
    assert token(empty, first)
    assert token(empty, second)
    assert [line["credential"] for line in empty.audit_lines("installation:bootstrapped")] == [
        first.client_id,
        second.client_id,
    ]


def test_a_lost_administrator_can_be_replaced_after_it_was_deleted(empty):
    caller = empty.services.installation.prepare()
    first = empty.services.installation.bootstrap()
    empty.services.credentials.delete(caller, first.client_id)
    assert empty.services.installation.bootstrap().secret is None
    assert token(empty, empty.services.installation.bootstrap(again=True))
    with pytest.raises(InvalidClient):
        token(empty, first)


def test_another_pepper_is_refused_before_anything_is_served(empty):
    empty.services.installation.bootstrap()
    stranger = beside(empty, pepper=bytes(32))
    for attempt in (stranger.services.installation.prepare, stranger.services.installation.bootstrap):
        with pytest.raises(InvalidSettings, match="pepper"):
            attempt()
    assert beside(empty).services.installation.prepare()


def test_a_pepper_is_replaced_with_the_one_before_it_beside(empty):
    first = empty.services.installation.bootstrap()
    turning = beside(empty, pepper=bytes(32), pepper_previous=empty.settings.pepper)
    turning.services.installation.prepare()
    with pytest.raises(InvalidSettings, match="PREVIOUS"):
        beside(empty, pepper=bytes(32)).services.installation.prepare()
    assert token(turning, first)
    assert beside(empty, pepper=bytes(32)).services.installation.prepare(), "the old one may go in the end"
    with pytest.raises(InvalidSettings, match="PREVIOUS"):
        beside(empty).services.installation.prepare()


def test_a_schema_that_is_not_up_to_date_is_refused(tmp_path):
    with a_workshop(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path) as workshop:
        with pytest.raises(InvalidSettings, match="migrate"):
            workshop.services.installation.refuse_unless_current()
        workshop.services.installation.migrate()
        workshop.services.installation.refuse_unless_current()


# --- after a restore ---


def test_accepting_a_restored_database_ends_every_token_and_uses_no_number_again(empty):
    empty.prepare()
    empty.catalogue()
    made = empty.credential()
    old = token_of = empty.claims(empty.issue(made))
    for _ in range(5):
        new = empty.services.credentials.regenerate(empty.caller, made.view.credential.client_id)
    lost = new.view.credential.generation.current
    with empty.services.store.writing() as tx:
        execute = tx.session.connection().exec_driver_sql
        execute("UPDATE counter SET value = 0 WHERE name = 'feed'")
        execute("DELETE FROM generation_event")
        execute("UPDATE credential SET gen_current = 1, gen_floor = 1, gen_next_floor = 1")
        execute(
            "UPDATE credential_secret SET state = CASE WHEN id = ? THEN 'current' ELSE 'ended' END", (made.secret_id,)
        )
    assert empty.services.installation.accept_restore() == 5
    after = empty.claims(empty.issue(made))
    assert after.generation > lost
    assert after.organization_generation > old.organization_generation
    floors = {ref: floor.number for ref, floor in empty.statement().floors}
    assert floors[token_of.organization_ref] > old.organization_generation
    assert empty.statement().seq == 6
    assert empty.audit_lines("installation:restored")


def test_a_restore_is_accepted_only_where_it_was_noticed_or_by_number(empty):
    """Elsewhere the numbers that were reached are not known, and would be used again."""
    empty.prepare()
    with pytest.raises(Conflict, match="--reached"):
        empty.services.installation.accept_restore()
    assert empty.services.installation.accept_restore(reached=1000) == 1000
    assert empty.statement().seq > 1000


@both
def test_bootstrap_hands_out_one_link_by_which_the_first_operator_gets_a_password(empty):
    nodes = [empty, *(beside(empty) for _ in range(3))]
    made = succeeded(at_once(*(node.services.installation.bootstrap for node in nodes)))
    (link,) = [one.setup_url for one in made if one.setup_url is not None]
    assert link not in repr(made)
    opened = empty.services.invitations.accept(link.rpartition("/")[2], "ten green bottles on a wall", HERE)
    viewer = empty.services.sessions.viewer(opened.token, HERE)
    assert (viewer.operator.email, viewer.operator.platform_admin) == (DEFAULT_EMAIL, True)
    assert viewer.organization.id == made[0].organization_id
    for node in nodes:
        node.close()


def test_bootstrap_again_hands_out_another_link_and_ends_the_one_before(empty):
    first, again = empty.services.installation.bootstrap(), empty.services.installation.bootstrap(again=True)
    with pytest.raises(LinkIsOver):
        empty.services.invitations.invited(first.setup_url.rpartition("/")[2])
    assert empty.services.invitations.invited(again.setup_url.rpartition("/")[2]).email == DEFAULT_EMAIL
    assert empty.services.installation.bootstrap().setup_url is None
