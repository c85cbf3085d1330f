"""Is what is said of a change, before it is made, what the change then does?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.terms import Draft
from tests.support.names import a_name
from tests.support.workshop import REPORTS
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.errors import InvalidInput, NotFound

TERMS = Restrictions(
    allowed_ips=AllowedIPs.parse("192.0.2.0/24"),
    roles=frozenset({"cloud_admin"}),
    grants=(Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"})),),
)
CASES = {
    "fewer addresses": ({"allowed_ips": AllowedIPs.parse("192.0.2.1")}, ("allowed_ips",)),
    "from anywhere": ({"allowed_ips": None}, ()),
    "fewer roles and grants": ({"roles": frozenset(), "grants": ()}, ("roles", "grants")),
    "a shorter lifetime": ({"token_lifetime": 60}, ("token_lifetime",)),
    "a longer lifetime": ({"token_lifetime": 3600}, ()),
    "an end": ({"expires_at": 2_000_000_000}, ("expires_at",)),
    "nothing": ({}, ()),
}


@pytest.fixture
def client_id(workshop):
    made = workshop.services.credentials.create(workshop.caller, Draft(a_name("export"), "", TERMS, environment="test"))
    return made.view.credential.client_id


@pytest.mark.parametrize(("terms", "narrowed"), CASES.values(), ids=CASES.keys())
def test_what_is_said_is_what_is_done(workshop, client_id, terms, narrowed):
    def edit(before):
        return replace(before, restrictions=replace(before.restrictions, **terms))

    said = workshop.services.previewing.preview(workshop.caller, client_id, edit)
    assert said.narrowed == narrowed
    before = workshop.services.credentials.get(workshop.caller, client_id).credential
    assert said.before == before
    done = workshop.services.credentials.update(workshop.caller, client_id, None, edit).credential
    assert said.ends_tokens is (done.generation.floor > before.generation.floor) is bool(narrowed)
    assert said.after.generation == done.generation


def test_leaving_an_environment_is_said_and_coming_into_one_is_not(workshop, client_id):
    preview = workshop.services.previewing.preview
    left = preview(workshop.caller, client_id, lambda before: replace(before, environment="production"))
    assert (left.narrowed, left.ends_tokens) == (("environment",), True)


def test_what_the_change_would_be_refused_for_is_refused_before(workshop, client_id):
    def edit(before):
        return replace(before, restrictions=replace(before.restrictions, roles=frozenset({"nobody"})))

    with pytest.raises(InvalidInput):
        workshop.services.previewing.preview(workshop.caller, client_id, edit)


def test_of_others_nothing_is_said(workshop, client_id):
    preview = workshop.services.previewing.preview
    elsewhere = replace(workshop.caller, organization_id="org_elsewhere")
    member = replace(workshop.caller, operator_id="op_somebody", only_own=True)
    for caller in (elsewhere, member):
        with pytest.raises(NotFound):
            preview(caller, client_id, lambda before: before)
