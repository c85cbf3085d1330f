"""Which check has failed, and why? For the developer of an API, at a development issuer, and for nobody else.

A guard with `explain=True` adds this to the body of its refusals. It would tell a stranger how far a forged token has
come, so it is not left to good intentions: an issuer that is neither on this machine nor under a name that is reserved
for examples and tests (RFC 2606, RFC 6761) cannot be explained, and the app does not start.

The words are our own and hold nothing of the request.
"""

from __future__ import annotations

import re
from typing import Final

from tokenserver.domain.origins import is_this_machine, origin_of
from tokenserver.errors import (
    AddressRefused,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    TokenServerError,
)

_RESERVED = re.compile(r"(?:.+\.)?(?:test|example|localhost|invalid|example\.(?:com|net|org))\Z")

_CHECKS: Final[tuple[tuple[type[TokenServerError], str], ...]] = (
    (MissingToken, "1. a token is presented"),
    (InvalidRequest, "1. a token is presented"),
    (InvalidToken, "2. the token is good, and still live"),
    (AddressRefused, "3. it may be used from this address"),
    (InsufficientScope, "4. it has what is required here"),
    (TokenServerError, "what is known is complete and fresh enough to judge"),
)


def refuse_in_production(issuer: str) -> None:
    """Raise ValueError unless `issuer` can only be one for development."""
    host = origin_of(issuer)[1]
    if not is_this_machine(host) and _RESERVED.match(host) is None:
        raise ValueError(
            "explain=True is for development: the issuer must be on this machine or under .test, .example or .localhost"
        )


def explanation(fault: TokenServerError) -> dict[str, str]:
    """The check that failed, and the reason in words."""
    check = next(check for kind, check in _CHECKS if isinstance(fault, kind))
    return {"check": check, "reason": fault.detail or fault.public}
