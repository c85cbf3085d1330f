"""What can go wrong, and whose fault is it? Every failure this product can name.

    TokenServerError
    ├── Refused                    the caller is wrong; asking again the same way will fail again
    │   ├── InvalidRequest         400  the request cannot be read            (RFC 6749 §5.2, RFC 6750 §3.1)
    │   ├── InvalidClient          401  the secret was not proven, or its credential has ended
    │   ├── UnauthorizedClient     400  the credential may not be used in this way or from this address
    │   ├── UnsupportedGrantType   400
    │   ├── InvalidScope           400
    │   ├── InvalidTarget          400  the resource is unknown or not granted  (RFC 8707 §2)
    │   ├── MissingToken           401  no access token was presented           (RFC 6750 §3)
    │   ├── InvalidToken           401
    │   ├── InsufficientScope      403  a role or scope is missing
    │   ├── AddressRefused         403  not from this address
    │   ├── InvalidInput           422  one or more fields are wrong, each with a pointer and a hint
    │   ├── NotFound 404 · Conflict 409 · PreconditionFailed 412 · PreconditionRequired 428
    │   ├── MethodNotAllowed 405 · TooLarge 413 · UnsupportedMediaType 415
    │   └── RateLimited 429             too much in too short a time: `retry_after` says when to come back
    └── Unavailable                503  we cannot know or cannot record; asking again later may succeed

`public` may leave the process: it never contains anything the caller sent, nor a secret. `detail` stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class TokenServerError(Exception):
    """The root of the family: a machine-readable code, an HTTP status and a sentence for the caller."""

    code: ClassVar[str] = "server_error"
    status: ClassVar[int] = 500
    public: str = "The server could not process the request."

    def __init__(self, public: str | None = None, *, detail: str = "") -> None:
        if public is not None:
            self.public = public
        self.detail = detail
        super().__init__(self.public)


class Refused(TokenServerError):
    """The caller is wrong; asking again the same way will fail again."""

    code = "invalid_request"
    status = 400
    public = "The request was refused."


class InvalidRequest(Refused):
    public = "The request is malformed."


class InvalidClient(Refused):
    code = "invalid_client"
    status = 401
    public = "Client authentication failed."


class UnauthorizedClient(Refused):
    code = "unauthorized_client"
    public = "The credential may not be used for this request."


class UnsupportedGrantType(Refused):
    code = "unsupported_grant_type"
    public = "Only the grant type client_credentials is supported."


class InvalidScope(Refused):
    code = "invalid_scope"
    public = "The requested scope is unknown, malformed or not granted to this credential."


class InvalidTarget(Refused):
    code = "invalid_target"
    public = "The requested resource is unknown or not granted to this credential."


class MissingToken(Refused):
    code = ""
    status = 401
    public = "An access token is required."


class InvalidToken(Refused):
    code = "invalid_token"
    status = 401
    public = "The access token is not valid."


class InsufficientScope(Refused):
    code = "insufficient_scope"
    status = 403
    public = "The access token lacks a required role or scope."


class AddressRefused(Refused):
    code = "address_not_allowed"
    status = 403
    public = "The access token may not be used from this address."


class NotFound(Refused):
    code = "not_found"
    status = 404
    public = "There is nothing at this address."


class MethodNotAllowed(Refused):
    code = "method_not_allowed"
    status = 405
    public = "This address does not take that method."


class Conflict(Refused):
    code = "conflict"
    status = 409
    public = "The request conflicts with the present state."


class PreconditionFailed(Refused):
    code = "precondition_failed"
    status = 412
    public = "It has changed since you read it: read it again and repeat your change."


class PreconditionRequired(Refused):
    code = "precondition_required"
    status = 428
    public = "Send If-Match with the ETag of the version that you mean to change."


class TooLarge(Refused):
    code = "too_large"
    status = 413
    public = "The request body is too large."


class UnsupportedMediaType(Refused):
    code = "unsupported_media_type"
    status = 415
    public = "The content type of the request is not supported."


class RateLimited(Refused):
    """Too much in too short a time. `quota` is the limit that was reached: its name, amount and period in seconds."""

    code = "rate_limited"
    status = 429
    public = "Too many requests. Wait as long as Retry-After says, then try again."

    def __init__(
        self,
        retry_after: int = 1,
        quota: tuple[str, int, int] | None = None,
        *,
        public: str | None = None,
        detail: str = "",
    ) -> None:
        self.retry_after = retry_after
        self.quota = quota
        super().__init__(public, detail=detail)


@dataclass(frozen=True, slots=True)
class Fault:
    """One faulty field: `pointer` (JSON Pointer, RFC 6901) says where, `hint` says what to do. No input in either."""

    pointer: str
    hint: str


class InvalidInput(Refused):
    """One or more fields are wrong; `faults` has all of them, not only the first."""

    code = "invalid_input"
    status = 422
    public = "One or more fields are not valid."

    def __init__(self, faults: Iterable[Fault], *, detail: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__(detail=detail)

    def __str__(self) -> str:
        return " ".join([self.public, *(f"{fault.pointer or '/'}: {fault.hint}" for fault in self.faults)])


class Unavailable(TokenServerError):
    """We cannot know or cannot record: nothing was done, and asking again after `retry_after` seconds may succeed."""

    code = "temporarily_unavailable"
    status = 503
    public = "The server cannot answer at the moment. Try again shortly."
    retry_after: int = 1
