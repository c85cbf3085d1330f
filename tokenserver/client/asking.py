"""How is a token asked for until there is an answer? One attempt: its retries, its pauses, and what it must not repeat.

- 429, 5xx, no connection, no readable answer: asked again within `patience`, after a pause that doubles, with jitter.
  `Retry-After` is heeded (up to five minutes). The pause outlives the attempt: a new one does not begin earlier.
- A refusal (401 and other 4xx) is final for the secret that was sent: it is never sent again within the attempt, nor by
  the attempts of the next 5 s (then 10, 20 … 60): a secret that is wrong must not lock its own app out.
- The secret is read anew each time. If another one is there than the one that was refused, it is asked with at once:
  so a secret that was replaced while we asked, or after it was ended, is picked up by itself.

One attempt runs at a time (`renewing`), so nothing here needs a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import SystemRandom
from typing import Final

from tokenserver.client.access_token import AccessToken
from tokenserver.client.failures import NoToken, SecretUnreadable, TokenRefused, TokenUnavailable
from tokenserver.client.secret_sources import SecretSource
from tokenserver.client.timekeeping import Timekeeper
from tokenserver.domain.secret import Secret

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
FIRST_REST: Final = 5.0
LONGEST_REST: Final = 60.0
"""Seconds for which a secret that was refused is not sent again."""
MOST_SECRETS: Final = 4
"""How many different secrets one attempt tries: a source that makes them up is none."""

Outcome = AccessToken | NoToken
_chance = SystemRandom()


class Asking:
    def __init__(
        self, ask: Callable[[Secret], AccessToken], secret: SecretSource, time: Timekeeper, patience: float
    ) -> None:
        self._ask = ask
        self._secret = secret
        self._time = time
        self._patience = patience
        self._failed = 0
        self._trouble = ""
        self._not_before = float("-inf")
        self._refusals = 0
        self._refused: tuple[Secret, TokenRefused] | None = None
        self._refused_until = float("-inf")

    def __call__(self) -> Outcome:
        """A token, or why there is none."""
        deadline = self._ticks() + self._patience
        outcome = None
        while outcome is None:
            pause = self._not_before - self._ticks()
            if pause > 0 and self._not_before > deadline:
                return TokenUnavailable(self._trouble, retry_after=ceil(pause))
            if pause > 0:
                self._time.sleep(pause)
            outcome = self._once()
        return outcome

    def _once(self) -> Outcome | None:
        """What came of asking once with each secret that shows; None: it is worth asking again, after the pause."""
        refused: TokenRefused | None = None
        try:
            for _ in range(MOST_SECRETS):
                secret = self._secret()
                refused = self._refusal_of(secret)
                if refused is not None:
                    break
                try:
                    return self._granted(self._ask(secret))
                except TokenRefused as fault:
                    refused = self._note_refusal(secret, fault)
        except SecretUnreadable as fault:
            return fault.anew()
        except TokenUnavailable as fault:
            self._note_failure(fault)
            return None
        return refused

    def _ticks(self) -> float:
        return self._time.now().ticks

    def _refusal_of(self, secret: Secret) -> TokenRefused | None:
        """What was said of this very secret a short time ago."""
        if self._refused is None or self._ticks() >= self._refused_until:
            return None
        before, told = self._refused
        return told.anew() if before.reveal() == secret.reveal() else None

    def _granted(self, token: AccessToken) -> AccessToken:
        self._failed, self._refusals, self._refused = 0, 0, None
        return token

    def _note_refusal(self, secret: Secret, fault: TokenRefused) -> TokenRefused:
        rest = min(FIRST_REST * 2.0**self._refusals, LONGEST_REST)
        self._refusals = min(self._refusals + 1, 16)
        self._refused, self._refused_until = (secret, fault.anew()), self._ticks() + rest
        return fault.anew()

    def _note_failure(self, fault: TokenUnavailable) -> None:
        pause = min(FIRST_PAUSE * 2.0**self._failed, LONGEST_PAUSE) * _chance.uniform(0.5, 1.0)
        self._failed = min(self._failed + 1, 16)
        self._trouble = fault.public
        asked = fault.retry_after * _chance.uniform(1.0, 1.1)
        self._not_before = self._ticks() + max(pause, asked)
