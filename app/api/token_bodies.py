"""What is asked of a token, and what is said of it? The bodies of its inspection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.api.outputs import Output
from app.inputs.bodies import Input
from app.inputs.fields import Address, Audience, MomentText, Roles, ScopeNames, refused


def _some(text: str) -> str:
    if not text.strip():
        raise refused("Must be a token.")
    return text


UnverifiedToken = Annotated[str, AfterValidator(_some), Field(repr=False)]


class TokenInspection(Input):
    token: UnverifiedToken
    """The token, as an app sends it; without `Bearer`. It is neither kept nor logged, and not in the answer."""
    address: Address | None = None
    """May it be used from this address?"""
    roles: Roles = Field(default=[])
    """Has it these roles?"""
    scopes: ScopeNames = Field(default=[])
    """Has it these scopes?"""
    audience: Audience | None = None
    """The API that it must be for."""


class CheckMade(Output):
    number: int
    name: str
    outcome: Literal["pass", "fail", "skipped"]
    reason: str
    """In words. Where the token was ended before its time: by whom, and when."""


class TokenSaid(Output):
    """What a token says that was proven to be of this server and of your organization."""

    client_id: str
    organization: str
    project: str | None
    environment: str | None
    audience: list[str]
    roles: list[str]
    scopes: list[str]
    generation: int
    token_id: str
    issued_at: MomentText
    expires_at: MomentText


class TokenInspected(Output):
    good: bool
    """Whether no check failed."""
    checks: list[CheckMade]
    """In the order in which a resource server makes them."""
    says: TokenSaid | None
    """Null for a token that was not proven, or is another organization's."""
