"""Why is there no token, and what should be done about it? What `TokenSource` raises.

    TokenServerError
    └── NoToken                     catch this one to catch them all
        ├── TokenRefused            (a Refused) asking again the same way will fail again: its text says what to do
        └── TokenUnavailable        (an Unavailable) nobody could say; it was asked several times, within `patience`
            └── SecretUnreadable    there is no secret to ask with: the variable, the file or the callable has none

Their texts hold no secret and no token. `error` is the code of RFC 6749 §5.2 (`invalid_client`, `invalid_scope` …),
where the token server gave one; `retry_after` is how many seconds it asked us to wait (0: it did not say).

An error is made anew for each caller who is told of it (`anew`): its traceback leads through that caller's frames only,
and not through those where the secret was in clear.
"""

from __future__ import annotations

from typing import Self

from tokenserver.errors import Refused, TokenServerError, Unavailable


class NoToken(TokenServerError):
    """There is no token to be had at the moment."""

    code = "no_token"
    retry_after: int = 0

    def __init__(self, public: str, *, error: str = "", retry_after: int = 0) -> None:
        super().__init__(public)
        self.error = error
        self.retry_after = retry_after

    def anew(self) -> Self:
        """The same, without the traceback of where it was found out."""
        return type(self)(self.public, error=self.error, retry_after=self.retry_after)


class TokenRefused(NoToken, Refused):
    """The token server has said no."""

    code = "token_refused"


class TokenUnavailable(NoToken, Unavailable):
    """The token server could not be asked, or could not answer."""

    code = "token_unavailable"


class SecretUnreadable(TokenUnavailable):
    """There is no secret where it should be."""

    code = "secret_unreadable"
