"""How does the form about an operator read? What was chosen, as the API would be sent it, and back again.

For each API there is a field `access AUDIENCE` (empty: nothing there) and boxes `scopes AUDIENCE`. Where nothing says
that all is open, nothing is: a field that is missing must not widen what somebody may hand on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.console.forms import Form
from tokenserver.domain.operators import Member
from tokenserver.domain.restrictions import Access

ALL = "all"
OPEN: Mapping[str, Any] = {
    "email": "",
    "name": "",
    "platform_admin": False,
    "all_roles": True,
    "roles": set(),
    "all_grants": True,
    "at": {},
}
"""What a new form says."""


def typed_in(form: Form) -> dict[str, Any]:
    return {
        "email": form.text("email"),
        "name": form.text("name"),
        "role": form.text("role"),
        "platform_admin": form.flag("platform_admin"),
        "all_roles": form.text("which_roles") == ALL,
        "roles": set(form.all("roles")),
        "all_grants": form.text("which_grants") == ALL,
        "at": _chosen(form),
    }


def typed_of(member: Member) -> dict[str, Any]:
    person, membership = member
    return {
        "email": person.email,
        "name": person.name,
        "role": membership.role.value,
        "platform_admin": person.platform_admin,
        "all_roles": membership.roles is None,
        "roles": set(membership.roles or ()),
        "all_grants": membership.grants is None,
        "at": {grant.audience: (grant.access.value, sorted(grant.scopes)) for grant in membership.grants or ()},
    }


def body_of(form: Form) -> dict[str, Any]:
    """Name, role and bounds."""
    typed = typed_in(form)
    grants = [
        {"audience": audience, "access": access, "scopes": scopes}
        for audience, (access, scopes) in typed["at"].items()
        if scopes or access != Access.CUSTOM.value
    ]
    return {
        "name": typed["name"],
        "role": typed["role"],
        "roles": None if typed["all_roles"] else form.all("roles"),
        "grants": None if typed["all_grants"] else grants,
    }


def _chosen(form: Form) -> dict[str, tuple[str, list[str]]]:
    """Audience to access and scopes; scopes count only where they are chosen one by one."""
    found = {}
    for name, access in form.fields:
        kind, _, audience = name.partition(" ")
        if kind == "access" and access:
            scopes = form.all(f"scopes {audience}") if access == Access.CUSTOM.value else []
            found[audience] = (access, scopes)
    return found
