"""Which claims does an access token carry? The only file that spells one (RFC 9068 §2.2, with ours).

Ours: `gen` and `org_gen` (see `domain.generation`), `org`, `project`, `env`, and the address restriction, which is
carried as `allowed_ips` (normal form, up to 64 ranges) or by reference as `allowed_ips_sha256`, the digest under which
`GET /oauth/networks/<digest>` serves the list. Neither claim: from anywhere.

A reader refuses what is missing, mistyped or out of range. The text of a token is never a key to anything that ends or
remembers it: a valid ES256 token has several spellings. `jti` and generation are.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.generation import LARGEST
from tokenserver.domain.liveness import reference
from tokenserver.errors import InvalidInput, InvalidToken
from tokenserver.tokens.jws import Opened

if TYPE_CHECKING:  # what a server grants is not loaded by those who only read
    from tokenserver.domain.grant import Permit

ACCESS_TOKEN = "at+jwt"
MOST_RANGES_CARRIED = 64
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a signed access token says, read and typed. Moments are seconds since the epoch."""

    issuer: str
    client_id: str
    audience: tuple[str, ...]
    issued_at: float
    not_before: float
    expires_at: float
    token_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    generation: int
    organization: str
    organization_generation: int
    project: str | None
    environment: str | None
    allowed_ips: AllowedIPs | None
    allowed_ips_sha256: str | None
    key_id: str
    credential_ref: str
    organization_ref: str
    raw: dict[str, Any]


def new_token_id() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


def claims_for(permit: Permit, issuer: str, token_id: str) -> dict[str, Any]:
    """The claims of a new token, ready to be signed."""
    credential = permit.credential
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": credential.client_id,
        "client_id": credential.client_id,
        "aud": permit.audience,
        "iat": permit.issued_at,
        "nbf": permit.issued_at,
        "exp": permit.expires_at,
        "jti": token_id,
        "scope": " ".join(permit.scopes),
        "roles": sorted(permit.roles),
        "gen": permit.generation,
        "org": permit.organization.id,
        "org_gen": permit.organization_generation,
    }
    if credential.project is not None:
        claims["project"] = credential.project
    if credential.environment is not None:
        claims["env"] = credential.environment
    allowed = credential.restrictions.allowed_ips
    if allowed is not None:
        if len(allowed) <= MOST_RANGES_CARRIED:
            claims["allowed_ips"] = list(allowed.normal_form())
        else:
            claims["allowed_ips_sha256"] = allowed.digest()
    return claims


def read_claims(opened: Opened) -> AccessClaims:
    """The claims of a signed token; raises InvalidToken on anything missing, mistyped or out of range."""
    raw = opened.payload
    client_id = _text(raw, "client_id")
    if _text(raw, "sub") != client_id:
        raise InvalidToken(detail="sub is not client_id")
    organization = _text(raw, "org")
    if "cnf" in raw:
        raise InvalidToken(detail="bound to a sender, which is not understood here")
    allowed_ips, by_reference = _allowed_ips(raw)
    return AccessClaims(
        issuer=_text(raw, "iss"),
        client_id=client_id,
        audience=_audience(raw),
        issued_at=_moment(raw, "iat"),
        not_before=_moment(raw, "nbf"),
        expires_at=_moment(raw, "exp"),
        token_id=_text(raw, "jti"),
        scopes=frozenset(_text(raw, "scope", empty=True).split(" ")) - {""},
        roles=_roles(raw),
        generation=_generation(raw, "gen"),
        organization=organization,
        organization_generation=_generation(raw, "org_gen"),
        project=_text(raw, "project") if "project" in raw else None,
        environment=_text(raw, "env") if "env" in raw else None,
        allowed_ips=allowed_ips,
        allowed_ips_sha256=by_reference,
        key_id=opened.key_id,
        credential_ref=reference(client_id),
        organization_ref=_remembered_reference(organization),
        raw=dict(raw),
    )


_remembered_reference = lru_cache(maxsize=1024)(reference)


def _text(raw: dict[str, Any], name: str, *, empty: bool = False) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not (value or empty):
        raise InvalidToken(detail=f"claim {name}")
    return value


def _moment(raw: dict[str, Any], name: str) -> float:
    value = raw.get(name)
    if type(value) not in {int, float} or not 0 <= value <= LARGEST:  # type: ignore[operator]  # bool is no number here
        raise InvalidToken(detail=f"claim {name}")
    return value  # type: ignore[return-value]


def _generation(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if type(value) is not int or not 1 <= value <= LARGEST:
        raise InvalidToken(detail=f"claim {name}")
    return value


def _audience(raw: dict[str, Any]) -> tuple[str, ...]:
    value = raw.get("aud")
    if isinstance(value, str) and value:
        return (value,)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise InvalidToken(detail="claim aud")


def _roles(raw: dict[str, Any]) -> frozenset[str]:
    value = raw.get("roles")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidToken(detail="claim roles")
    return frozenset(value)


def _allowed_ips(raw: dict[str, Any]) -> tuple[AllowedIPs | None, str | None]:
    if "allowed_ips_sha256" in raw:
        digest = raw["allowed_ips_sha256"]
        if "allowed_ips" in raw or not isinstance(digest, str) or _DIGEST.match(digest) is None:
            raise InvalidToken(detail="claim allowed_ips_sha256")
        return None, digest
    if "allowed_ips" not in raw:
        return None, None
    items = raw["allowed_ips"]
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidToken(detail="claim allowed_ips")
    try:
        return _remembered_networks(tuple(items)), None
    except (ValueError, InvalidInput):
        raise InvalidToken(detail="claim allowed_ips") from None


_remembered_networks = lru_cache(maxsize=1024)(AllowedIPs.from_normal_form)
