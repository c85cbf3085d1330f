"""What do the claims of a provider say of a person? An e-mail address is believed when it is said to be verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.settings import Settings
from tokenserver.domain.names import LONGEST_NAME

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,187}[A-Za-z0-9])?")
"""As the admin API takes it."""
_LATEST = 2**40


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as the provider has proven. `email` None: none that is verified. `groups` None: not said.

    `proven_at` is when they last proved it there; None: not said.
    """

    issuer: str
    subject: str
    email: str | None
    name: str
    groups: frozenset[str] | None
    proven_at: float | None = None


def read_identity(settings: Settings, claims: Mapping[str, Any], more: Mapping[str, Any]) -> Identity:
    """From the claims of an ID token that was checked; `more`: what else the provider says, which does not outweigh."""
    claim = settings.sso_groups_claim
    name = claims.get("name") or more.get("name")
    return Identity(
        issuer=settings.sso_issuer,
        subject=claims["sub"],
        email=_verified_email(claims, more, trusting=settings.sso_trust_email),
        name=_plain(name) if isinstance(name, str) else "",
        groups=_groups(claims.get(claim, more.get(claim))),
        proven_at=_moment(claims.get("auth_time")),
    )


def _verified_email(claims: Mapping[str, Any], more: Mapping[str, Any], *, trusting: bool) -> str | None:
    """`trusting`: silence counts as yes. A no is a no, wherever it is said; a yes is about the address beside it."""
    said = [one["email_verified"] for one in (claims, more) if one.get("email_verified") is not None]
    if not all(word is True or word == "true" for word in said):
        return None
    source = claims if "email" in claims else more
    email, verified = source.get("email"), source.get("email_verified") is not None
    if not (verified or (trusting and not said)) or not isinstance(email, str) or _EMAIL.fullmatch(email) is None:
        return None
    return email.lower()


def _moment(said: Any) -> float | None:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    return said if is_number and 0 <= said <= _LATEST else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST_NAME].strip()


def _groups(said: Any) -> frozenset[str] | None:
    """A list of names, or the only one. Anything else says nothing that could be relied upon."""
    if isinstance(said, str):
        return frozenset({said})
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        return None
    return frozenset(said)
