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
and not which check has failed. Nothing may store it. Where the API says of itself where tokens come from, each
challenge names the place in `resource_metadata` (RFC 9728 §5.1).

A guard that explains (development only, see `explaining`) adds which check has failed, in words of our own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tokenserver.errors import Refused, TokenServerError, Unavailable
from tokenserver.resource.explaining import explanation
from tokenserver.resource.require import Lacking
from tokenserver.resource.wishes import Attempt

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer instead of the app's."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal(Answer):
    """`pending`: look again once this attempt is done, it may turn out otherwise. `client_id`: who was refused, if that
    was proven.
    """

    fault: TokenServerError = field(compare=False)
    pending: Attempt | None = field(default=None, compare=False)
    client_id: str | None = field(default=None, compare=False)

    @property
    def challenge(self) -> str | None:
        """What `WWW-Authenticate` says."""
        return dict(self.headers).get("WWW-Authenticate")

    @property
    def retry_after(self) -> int | None:
        """Seconds."""
        return int(dict(self.headers)["Retry-After"]) if "Retry-After" in dict(self.headers) else None

    @property
    def said(self) -> dict[str, Any]:
        """The members of the body."""
        members: dict[str, Any] = json.loads(self.body)
        return members


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says faults for one guard: `realm` is the API, `metadata_url` where it says where tokens come from."""

    realm: str
    metadata_url: str | None = None
    explains: bool = False

    def refusal(self, fault: TokenServerError, *, pending: Attempt | None = None) -> Refusal:
        """How `fault` is said."""
        members: dict[str, object] = {"error": fault.code} if fault.code else {}
        members["error_description"] = fault.public
        if self.explains:
            members["explanation"] = explanation(fault)
        body = json.dumps(members).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        headers.append(("Cache-Control", "no-store"))
        if isinstance(fault, Refused):
            headers.append(("WWW-Authenticate", self._challenge(fault)))
        else:
            retry_after = fault.retry_after if isinstance(fault, Unavailable) else Unavailable.retry_after
            headers.append(("Retry-After", str(retry_after)))
        return Refusal(fault.status, tuple(headers), body, fault, pending)

    def _challenge(self, fault: Refused) -> str:
        said = [f'realm="{self.realm}"']
        if self.metadata_url is not None:
            said.append(f'resource_metadata="{self.metadata_url}"')
        if fault.code:
            said += [f'error="{fault.code}"', f'error_description="{fault.public}"']
        if isinstance(fault, Lacking) and fault.scopes:
            said.append(f'scope="{" ".join(sorted(fault.scopes))}"')
        return "Bearer " + ", ".join(said)
