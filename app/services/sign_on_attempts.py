"""Is this an answer to a question of ours? What one sign-in at a provider is bound to, from leaving to coming back.

It travels in a sealed cookie of the browser that began it, for ten minutes: an answer that was begun elsewhere (login
CSRF) is refused, and so is one that comes twice.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass, field

from app.services.sessions import digest_of
from app.store import Store
from app.store.sealing import CannotUnseal, Sealer
from tokenserver.clock import MINUTE, Clock
from tokenserver.errors import Refused, Unavailable

LASTS = 10 * MINUTE
_PURPOSE = "single-sign-on"
_LONGEST_COOKIE = 3900
"""Browsers keep 4,096 bytes, with the name and the attributes."""
_LONGEST_PATH = 1000


class SignOnRefused(Refused):
    """`public` says what to do; `reason` is for the audit log, as is `account`, the address if it is known."""

    code = "single_sign_on_refused"
    status = 403
    public = "You could not be signed in."

    def __init__(self, public: str, reason: str, *, account: str = "") -> None:
        super().__init__(public, detail=reason)
        self.reason = reason
        self.account = account


class TooMuchTyped(Refused):
    code = "too_much_typed"
    status = 413
    public = "What you typed is too long to be kept while you sign in elsewhere. Copy it first, or sign in here."


class ProviderUnavailable(Unavailable):
    public = "Where you sign in does not answer, or not as it should. Try again shortly."
    retry_after = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one sign-in is bound to. `then` is the page that was wanted, in the words of whoever asked; `kept` is what
    had been typed into its form, sealed.

    `again_since`: when the provider was asked to have the person prove again who they are; None: it was not.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    then: str = ""
    kept: str = field(default="", repr=False)
    again_since: int | None = None


class Attempts:
    def __init__(self, store: Store, sealer: Sealer, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    def new(self, then: str, kept: str = "", *, again: bool) -> tuple[Attempt, str]:
        """With what the cookie holds; raises TooMuchTyped where that would not hold it all."""
        now = int(self._clock())
        random = (secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        then = then if len(then) <= _LONGEST_PATH else ""
        attempt = Attempt(*random, then, kept, now if again else None)
        content = json.dumps([*random, attempt.then, attempt.kept, attempt.again_since, now + LASTS]).encode()
        cookie = base64.urlsafe_b64encode(self._sealer.seal(content, _PURPOSE)).decode()
        if len(cookie) > _LONGEST_COOKIE:
            raise TooMuchTyped
        return attempt, cookie

    def taken(self, cookie: str, state: str) -> Attempt:
        """The one that this is an answer to, once; raises SignOnRefused where there is none."""
        over = SignOnRefused(
            "This sign-in was not begun in this browser, was finished already, or took more than ten minutes."
            " Begin again.",
            "not begun here, or over",
        )
        try:
            sealed = base64.urlsafe_b64decode(cookie[:_LONGEST_COOKIE].encode("ascii"))
            ours, nonce, verifier, then, kept, again_since, until = json.loads(self._sealer.unseal(sealed, _PURPOSE))
        except (CannotUnseal, ValueError):
            raise over from None
        if not hmac.compare_digest(ours.encode(), state.encode("utf-8", "replace")) or until <= self._clock():
            raise over
        with self._store.writing() as tx:
            if not tx.sessions.spend(digest_of(f"{_PURPOSE}:{ours}"), until):
                raise over
        return Attempt(ours, nonce, verifier, then, kept, again_since)
