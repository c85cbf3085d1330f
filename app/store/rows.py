"""How does a row become a domain value, and back? Both ways, in one place.

The texts in `roles`, `grants` and `allowed_ips` repeat from credential to credential and from request to request, so
that parsing one is remembered by the text itself: a remembered result cannot be out of date.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache

from app.store.models import (
    ApiRow,
    ApiScopeRow,
    CredentialRow,
    CredentialSecretRow,
    MembershipRow,
    OperatorRow,
    OrganizationRow,
    ProjectRow,
    RoleRow,
    RotationRow,
)
from tokenserver.domain.catalogue import Api, Kind, Role, Scope
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState, name_key
from tokenserver.domain.generation import Generation
from tokenserver.domain.operators import Membership, Operator, OperatorRole
from tokenserver.domain.organizations import Organization, Policy, Project
from tokenserver.domain.restrictions import Access, AllowedIPs, Grant, Restrictions
from tokenserver.domain.rotation import Rotation
from tokenserver.domain.schedule import OnUnclaimed, RotationSchedule
from tokenserver.tokens.claims import MOST_RANGES_CARRIED

NetworksOf = Callable[[str], AllowedIPs]
"""The long list of ranges under a digest."""


@lru_cache(maxsize=4096)
def roles_from(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


def roles_text(roles: frozenset[str]) -> str:
    return json.dumps(sorted(roles))


@lru_cache(maxsize=4096)
def grants_from(text: str) -> tuple[Grant, ...]:
    return tuple(
        Grant(item["audience"], Access(item["access"]), frozenset(item["scopes"])) for item in json.loads(text)
    )


def grants_text(grants: tuple[Grant, ...]) -> str:
    return json.dumps([{"audience": g.audience, "access": g.access.value, "scopes": sorted(g.scopes)} for g in grants])


@lru_cache(maxsize=4096)
def _short_networks(text: str) -> AllowedIPs | str:
    """The ranges themselves, or the digest of a longer list."""
    value = json.loads(text)
    return str(value["sha256"]) if isinstance(value, dict) else AllowedIPs.from_normal_form(value)


def networks_from(text: str | None, networks_of: NetworksOf) -> AllowedIPs | None:
    if text is None:
        return None
    found = _short_networks(text)
    return networks_of(found) if isinstance(found, str) else found


def networks_text(allowed: AllowedIPs | None) -> str | None:
    if allowed is None:
        return None
    if len(allowed) > MOST_RANGES_CARRIED:
        return json.dumps({"sha256": allowed.digest()})
    return json.dumps(list(allowed.normal_form()))


def credential_from(row: CredentialRow, secrets: tuple[CredentialSecret, ...], networks_of: NetworksOf) -> Credential:
    return Credential(
        client_id=row.client_id,
        organization_id=row.organization_id,
        name=row.name,
        restrictions=Restrictions(
            allowed_ips=networks_from(row.allowed_ips, networks_of),
            roles=roles_from(row.roles),
            grants=grants_from(row.grants),
            token_lifetime=row.token_lifetime,
            expires_at=row.expires_at,
        ),
        generation=Generation(row.gen_current, row.gen_floor, row.gen_next_floor, row.gen_next_floor_at),
        secrets=secrets,
        created_at=row.created_at,
        created_by=row.created_by,
        description=row.description,
        project=row.project,
        environment=row.environment,
        disabled_at=row.disabled_at,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
        deleted_at=row.deleted_at,
        version=row.version,
        owner_id=row.owner_id,
        schedule=_schedule_from(row.rotation_schedule),
        rotate_at=row.rotate_at,
    )


def credential_columns(credential: Credential) -> dict[str, object]:
    """Every column of the credential's row."""
    terms, generation = credential.restrictions, credential.generation
    return {
        "client_id": credential.client_id,
        "organization_id": credential.organization_id,
        "name": credential.name,
        "name_key": name_key_of(credential),
        "description": credential.description,
        "project": credential.project,
        "environment": credential.environment,
        "roles": roles_text(terms.roles),
        "grants": grants_text(terms.grants),
        "allowed_ips": networks_text(terms.allowed_ips),
        "token_lifetime": terms.token_lifetime,
        "expires_at": terms.expires_at,
        "gen_current": generation.current,
        "gen_floor": generation.floor,
        "gen_next_floor": generation.next_floor,
        "gen_next_floor_at": generation.next_floor_at,
        "disabled_at": credential.disabled_at,
        "revoked_at": credential.revoked_at,
        "revoked_reason": credential.revoked_reason,
        "deleted_at": credential.deleted_at,
        "created_at": credential.created_at,
        "created_by": credential.created_by,
        "version": credential.version,
        "owner_id": credential.owner_id,
        "rotation_schedule": _schedule_text(credential.schedule),
        "rotate_at": credential.rotate_at,
    }


@lru_cache(maxsize=256)
def _schedule_from(text: str | None) -> RotationSchedule | None:
    if text is None:
        return None
    found = json.loads(text)
    return RotationSchedule(found["interval_days"], found["grace_seconds"], OnUnclaimed(found["on_unclaimed"]))


@lru_cache(maxsize=256)
def _schedule_text(schedule: RotationSchedule | None) -> str | None:
    return None if schedule is None else json.dumps(asdict(schedule))


def name_key_of(credential: Credential, *, ended: bool = False) -> str:
    """By which it is told from others and sorted among them. One that has ended for good gives its name away: its key
    has the client ID behind a character that no name can hold. One that has expired does when somebody wants the name.
    """
    key = name_key(credential.name)
    ended = ended or credential.revoked_at is not None or credential.deleted_at is not None
    return f"{key}\x1f{credential.client_id}" if ended else key


def secret_from(row: CredentialSecretRow) -> CredentialSecret:
    return CredentialSecret(
        id=row.id,
        digest=bytes(row.digest),
        pepper_id=row.pepper_id,
        hint=row.hint,
        created_at=row.created_at,
        state=SecretState(row.state),
        expires_at=row.expires_at,
        fingerprint=None if row.fingerprint is None else bytes(row.fingerprint),
    )


def secret_columns(secret: CredentialSecret, credential: Credential) -> dict[str, object]:
    """Every column of the secret's row."""
    return {
        "id": secret.id,
        "client_id": credential.client_id,
        "organization_id": credential.organization_id,
        "digest": secret.digest,
        "fingerprint": secret.fingerprint,
        "pepper_id": secret.pepper_id,
        "hint": secret.hint,
        "state": secret.state.value,
        "created_at": secret.created_at,
        "expires_at": secret.expires_at,
    }


def secret_row(secret: CredentialSecret, credential: Credential) -> CredentialSecretRow:
    return CredentialSecretRow(**secret_columns(secret, credential))


def rotation_from(row: RotationRow) -> Rotation:
    return Rotation(
        client_id=row.client_id,
        organization_id=row.organization_id,
        secret_id=row.secret_id,
        grace_seconds=row.grace_seconds,
        on_unclaimed=OnUnclaimed(row.on_unclaimed),
        prepared_at=row.prepared_at,
        ends_at=row.ends_at,
        look_at=row.look_at,
        claimed_at=row.claimed_at,
        reminded=row.reminded,
        extended=row.extended,
        alerted=row.alerted,
    )


def organization_from(row: OrganizationRow) -> Organization:
    generation = Generation(row.gen_current, row.gen_floor, row.gen_next_floor, row.gen_next_floor_at)
    policy = Policy(row.credential_quota, row.longest_expiry_days, row.names_are_fixed)
    return Organization(row.id, row.name, generation, row.suspended_at, policy, row.created_at, row.version)


def organization_columns(organization: Organization) -> dict[str, object]:
    """Every column of the organization's row."""
    generation, policy = organization.generation, organization.policy
    return {
        "id": organization.id,
        "name": organization.name,
        "gen_current": generation.current,
        "gen_floor": generation.floor,
        "gen_next_floor": generation.next_floor,
        "gen_next_floor_at": generation.next_floor_at,
        "suspended_at": organization.suspended_at,
        "created_at": organization.created_at,
        "credential_quota": policy.credential_quota,
        "longest_expiry_days": policy.longest_expiry_days,
        "names_are_fixed": policy.names_are_fixed,
        "version": organization.version,
    }


def project_from(row: ProjectRow) -> Project:
    return Project(row.id, row.organization_id, row.name, row.description, row.created_at, row.version)


def operator_from(row: OperatorRow) -> Operator:
    return Operator(row.id, row.email, row.name, row.platform_admin, row.created_at)


def membership_from(row: MembershipRow) -> Membership:
    return Membership(
        operator_id=row.operator_id,
        role=OperatorRole(row.role),
        roles=None if row.roles is None else roles_from(row.roles),
        grants=None if row.grants is None else grants_from(row.grants),
        created_at=row.created_at,
        version=row.version,
    )


def api_from(row: ApiRow) -> Api:
    scopes = tuple(Scope(s.name, Kind(s.access), s.sensitive, s.description) for s in row.scopes)
    return Api(row.id, row.organization_id, row.audience, row.name, scopes, row.created_at, row.version, row.shared)


def scope_rows(api: Api) -> list[ApiScopeRow]:
    return [
        ApiScopeRow(
            api_id=api.id,
            organization_id=api.organization_id,
            name=scope.name,
            access=scope.access.value,
            sensitive=scope.sensitive,
            description=scope.description,
            position=position,
        )
        for position, scope in enumerate(api.scopes)
    ]


def role_from(row: RoleRow) -> Role:
    return Role(
        row.id,
        row.organization_id,
        row.name,
        row.description,
        row.audience,
        row.created_at,
        row.version,
        row.shared,
    )
