"""A link for a password lets in whoever made it, too: it is over when the operator becomes more than they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.audit import Caller
from app.services.invitations import LinkIsOver
from tests.support.console import operator
from tokenserver.domain.operators import Membership, OperatorRole


def a_link(server, operator_id):
    """Made by somebody with every permission in the organization."""
    services, home = server.services, server.installed.organization_id
    with services.store.writing() as tx:
        person = tx.operators.get(operator_id)
        assert person is not None
        link = services.invitations.invite_in(tx, Caller("operator:op_x", home), person, server.clock())
    return link.url.rpartition("/")[2]


def role_of(server, operator_id):
    return server.call("GET", f"/v1/operators/{operator_id}")


def become(server, operator_id, role):
    seen = role_of(server, operator_id)
    done = server.call("PATCH", f"/v1/operators/{operator_id}", {"role": role}, if_match=seen.headers["ETag"])
    assert done.status_code == 200, done.text


def test_a_link_is_over_when_the_operator_gets_a_role_that_may_more(server):
    ada = operator(server, "ada@example.com", "member")
    token = a_link(server, ada)
    become(server, ada, "owner")
    with pytest.raises(LinkIsOver):
        server.services.invitations.invited(token)


def test_a_link_goes_on_where_they_may_no_more_than_before(server):
    ada = operator(server, "ada@example.com", "admin")
    token = a_link(server, ada)
    become(server, ada, "member")
    assert server.services.invitations.invited(token).id == ada


def test_a_link_is_over_when_they_join_another_organization(server):
    elsewhere = server.call("POST", "/v1/organizations", {"name": "Elsewhere"}).get_json()["id"]
    ada = operator(server, "ada@example.com", "member")
    token = a_link(server, ada)
    services = server.services
    with services.store.writing() as tx:
        caller = Caller("operator:op_x", elsewhere, frozenset({"operators:write"}))
        everything = tx.operators.by_email("admin@localhost")
        assert everything is not None
        caller = replace(caller, scopes=tx.operators.rights(elsewhere, everything.id).permissions)
        membership = Membership("", OperatorRole.MEMBER)
        services.operators.add_in(
            tx, caller, "ada@example.com", "", membership, platform_admin=False, now=server.clock()
        )
    with pytest.raises(LinkIsOver):
        services.invitations.invited(token)
