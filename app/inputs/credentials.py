"""What does a body about a credential mean? Bodies to domain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.inputs.bodies import CredentialChange, CredentialCreation
from app.inputs.fields import a_year_after
from app.services.terms import Draft
from tokenserver.domain.credential import Credential
from tokenserver.domain.restrictions import Restrictions


def draft_of(asked: CredentialCreation, token_lifetime: int, now: float) -> Draft:
    """Missing is not null: an expiry that is not mentioned is twelve months away."""
    given = asked.given()
    return Draft(
        name=asked.name,
        description=asked.description,
        project=asked.project,
        environment=asked.environment,
        expiry_is_ours="expires_at" not in given,
        owner_id=asked.owner,
        restrictions=Restrictions(
            allowed_ips=asked.allowed_ips,
            roles=frozenset(asked.roles),
            grants=tuple(grant.value() for grant in asked.grants),
            token_lifetime=given.get("token_lifetime", token_lifetime),
            expires_at=asked.expires_at if "expires_at" in given else a_year_after(now),
        ),
        schedule=None if asked.rotation_schedule is None else asked.rotation_schedule.value(),
    )


def changed(credential: Credential, change: CredentialChange) -> Credential:
    """`credential` with the members that are present."""
    given = change.given()
    terms: dict[str, Any] = {n: given[n] for n in ("allowed_ips", "token_lifetime", "expires_at") if n in given}
    if "roles" in given:
        terms["roles"] = frozenset(change.roles)
    if "grants" in given:
        terms["grants"] = tuple(grant.value() for grant in change.grants)
    if "rotation_schedule" in given:
        schedule = change.rotation_schedule
        credential = replace(credential, schedule=None if schedule is None else schedule.value())
    names: dict[str, Any] = {n: given[n] for n in ("name", "description", "project", "environment") if n in given}
    return replace(credential, **names, restrictions=replace(credential.restrictions, **terms))
