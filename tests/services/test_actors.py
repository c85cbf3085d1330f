"""Are those who did something known by name, and nobody else's credentials?"""

from __future__ import annotations

from dataclasses import replace

from tokenserver.domain.operators import Membership, OperatorRole


def test_operators_and_credentials_have_names_and_others_have_none(workshop):
    actors = workshop.services.actors
    ada, _ = workshop.services.operators.add(
        workshop.caller, "ada@example.com", "Ada", Membership("", OperatorRole.ADMIN), platform_admin=False
    )
    bob, _ = workshop.services.operators.add(
        workshop.caller, "bob@example.com", "", Membership("", OperatorRole.ADMIN), platform_admin=False
    )
    made = workshop.credential().view.credential
    asked = [
        f"operator:{ada.id}",
        f"operator:{bob.id}",
        f"credential:{made.client_id}",
        made.client_id,
        "shell",
        "operator:op_gone",
        "",
    ]
    assert actors.names(workshop.caller, asked) == {
        f"operator:{ada.id}": "Ada",
        f"operator:{bob.id}": "bob@example.com",
        f"credential:{made.client_id}": made.name,
        made.client_id: made.name,
    }


def test_nothing_is_named_that_nobody_asked_for(workshop):
    made = workshop.credential().view.credential
    assert workshop.services.actors.names(workshop.caller, [made.client_id]) == {made.client_id: made.name}


def test_the_names_of_credentials_stay_in_their_organization_and_from_members(workshop):
    actors = workshop.services.actors
    client_id = workshop.credential().view.credential.client_id
    told = [client_id, f"credential:{client_id}"]
    assert actors.names(replace(workshop.caller, organization_id="org_other"), told) == {}
    assert actors.names(replace(workshop.caller, only_own=True), told) == {}
