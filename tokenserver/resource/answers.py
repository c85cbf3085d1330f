"""How is a refusal said over HTTP? One mapping, for every adapter (RFC 6750 §3).

| why | status | challenge (`WWW-Authenticate`) |
| --- | --- | --- |
| no token | 401 | plain, with no error code |
| malformed or repeated header | 400 | `invalid_request` |
| the token is not valid, or has ended | 401 | `invalid_token` |
| a role or a scope is missing | 403 | `insufficient_scope`, with the scopes that are required |
| not from this address | 403 | `address_not_allowed` |
| it cannot be known, or something unexpected happened | 503 | none; `Retry-After` |

The body is JSON with `error` and `error_description`, the same for everybody: nothing of the request comes back in it,
and not which check has failed. Nothing may store it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tokenserver.errors import Refused, TokenServerError, Unavailable
from tokenserver.resource.require import Lacking
from tokenserver.resource.wishes import Attempt

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of the app's. `pending`: look again once this attempt is done, it may turn out otherwise."""

    status: int
    headers: Headers
    body: bytes
    fault: TokenServerError = field(compare=False)
    pending: Attempt | None = field(default=None, compare=False)


def refusal(fault: TokenServerError, realm: str, *, pending: Attempt | None = None) -> Refusal:
    """How `fault` is said."""
    body = {"error": fault.code} if fault.code else {}
    text = json.dumps({**body, "error_description": fault.public}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text))), ("Cache-Control", "no-store")]
    if isinstance(fault, Refused):
        headers.append(("WWW-Authenticate", _challenge(fault, realm)))
    else:
        retry_after = fault.retry_after if isinstance(fault, Unavailable) else Unavailable.retry_after
        headers.append(("Retry-After", str(retry_after)))
    return Refusal(fault.status, tuple(headers), text, fault, pending)


def _challenge(fault: Refused, realm: str) -> str:
    said = [f'realm="{realm}"']
    if fault.code:
        said += [f'error="{fault.code}"', f'error_description="{fault.public}"']
    if isinstance(fault, Lacking) and fault.scopes:
        said.append(f'scope="{" ".join(sorted(fault.scopes))}"')
    return "Bearer " + ", ".join(said)
