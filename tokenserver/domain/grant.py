"""What may this credential have, now, from here? The decision behind every token.

`decide` is asked once the secret is proven, so every refusal tells its reason; only a secret that has ended proves
nothing, and is refused in the words for strangers. In order: has the secret, the credential or its organization ended;
may it be used from this address; which API is meant; which scopes; until when. A token never outlives what it rests on:
`exp = min(now + lifetime, credential's expiry, end of the retiring secret)`.

Where several APIs are granted, the request names one with `resource` (RFC 8707 §2); one token is for one API, because a
scope has its meaning at its API only. No `scope` means every scope that is granted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenserver.domain.credential import Credential, CredentialSecret, Status
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Restrictions
from tokenserver.errors import InvalidClient, InvalidScope, InvalidTarget, UnauthorizedClient


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proven caller asked for. `scopes` None means all that are granted."""

    address: str
    scopes: frozenset[str] | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """What a token will say: everything was decided."""

    credential: Credential
    organization: Organization
    audience: str
    scopes: tuple[str, ...]
    roles: frozenset[str]
    generation: int
    organization_generation: int
    issued_at: int
    expires_at: int


_REASONS = {
    Status.REVOKED: "The credential has been revoked.",
    Status.DISABLED: "The credential is disabled.",
    Status.EXPIRED: "The credential has expired.",
}


def decide(
    credential: Credential,
    secret: CredentialSecret,
    organization: Organization,
    asked: Asked,
    granted: Mapping[str, frozenset[str]],
    now: float,
    *,
    bound_roles: Mapping[str, str] = MappingProxyType({}),
    issued_at: int | None = None,
) -> Permit:
    """The permit, or the refusal that tells why.

    `granted` is `restrictions.scopes_at(catalogue)`; `bound_roles` has the audience of each role that belongs to one
    API: such a role is told to no other. `issued_at` is what the token says where that is not `now`.
    """
    if not secret.works_at(now):
        raise InvalidClient(detail="secret_ended")
    refuse_ended(credential, organization, now)
    refuse_address(credential.restrictions, asked.address)
    audience = choose_audience(granted, asked.resource)
    scopes = choose_scopes(granted[audience], asked.scopes)
    issued_at = int(now) if issued_at is None else issued_at
    return Permit(
        credential=credential,
        organization=organization,
        audience=audience,
        scopes=scopes,
        roles=frozenset(r for r in credential.restrictions.roles if bound_roles.get(r, audience) == audience),
        generation=credential.generation_minted_by(secret, now),
        organization_generation=organization.generation.current,
        issued_at=issued_at,
        expires_at=_end(credential, secret, issued_at),
    )


def refuse_ended(credential: Credential, organization: Organization, now: float) -> None:
    reason = _REASONS.get(credential.status(now))
    if reason is not None:
        raise InvalidClient(reason, detail=credential.status(now).value)
    if organization.suspended_at is not None:
        raise InvalidClient("The organization of the credential is suspended.", detail="organization_suspended")


def refuse_address(restrictions: Restrictions, address: str) -> None:
    """An address that could not be determined is the empty text, which no restriction admits."""
    if restrictions.allowed_ips is not None and not restrictions.allowed_ips.admits(address):
        raise UnauthorizedClient("The credential may not be used from this address.", detail="address_not_allowed")


def choose_audience(granted: Mapping[str, frozenset[str]], resource: str | None) -> str:
    if resource is not None:
        if resource not in granted:
            raise InvalidTarget
        return resource
    if not granted:
        raise InvalidTarget("The credential has no grant at any API.")
    if len(granted) > 1:
        raise InvalidTarget("The credential has grants at several APIs: name one with the parameter resource.")
    return next(iter(granted))


def choose_scopes(granted: frozenset[str], asked: frozenset[str] | None) -> tuple[str, ...]:
    if asked is None:
        return tuple(sorted(granted))
    if not asked <= granted:
        raise InvalidScope
    return tuple(sorted(asked))


def _end(credential: Credential, secret: CredentialSecret, issued_at: int) -> int:
    ends = [issued_at + credential.restrictions.token_lifetime]
    if credential.restrictions.expires_at is not None:
        ends.append(credential.restrictions.expires_at)
    if secret.expires_at is not None:
        ends.append(secret.expires_at)
    return min(ends)
