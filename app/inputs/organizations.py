"""What does a body about an organization mean? Bodies to domain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.inputs.bodies import OrganizationChange, OrganizationCreation
from tokenserver.domain.organizations import Organization, Policy


def policy_of(asked: OrganizationCreation) -> Policy:
    return Policy(asked.credential_quota, asked.longest_expiry_days, asked.names_are_fixed)


def changing(change: OrganizationChange) -> Callable[[Organization], Organization]:
    """Sets the members that are present."""
    given = change.given()
    names = {name: given.pop(name) for name in ("name",) if name in given}
    return lambda organization: replace(organization, **names, policy=replace(organization.policy, **given))
