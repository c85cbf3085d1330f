"""How does a scheduled rotation reach the app? It claims the new secret with the old, and stores it before using it.

The token server says in the answer to a token request that a new secret waits (`"rotation": "waiting"`). The old secret
fetches the new one (`Endpoint.waiting_secret`), as often as it takes until the new one has been used. The order is what
makes this safe: **first it is written where it will be found at the next start, then it is used.** If it cannot be
written, nothing has happened: the old secret goes on, and the next renewal tries again.

Where the place that the secret is read from is not the place that it was written to (a variable, or a mounted file that
follows a minute later), the claimed secret stands in for the very secret it replaces, in memory, and for no other: what
comes from the source next is newer and wins.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from tokenserver.client.access_token import AccessToken
from tokenserver.client.failures import NoToken, TokenUnavailable
from tokenserver.client.forking import begins_anew_after_fork
from tokenserver.client.secret_file import write_secret
from tokenserver.client.secret_sources import SecretSource
from tokenserver.domain.secret import Secret

log = logging.getLogger("tokenserver.client")

Writable = str | os.PathLike[str] | Callable[[str], object]
"""A file, replaced atomically; or a callable that stores the secret, and raises if it could not."""


class Claiming:
    """Reads the secret (`secret`), and replaces it (`claim`)."""

    def __init__(
        self, source: SecretSource, waiting_secret: Callable[[Secret], Secret | None], write_to: Writable | None
    ) -> None:
        self._source = source
        self._waiting_secret = waiting_secret
        self._write_to = write_to
        self._claimed: tuple[Secret, Secret] | None = None
        self.after_fork()
        begins_anew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def secret(self) -> Secret:
        """The secret to ask with; raises SecretUnreadable."""
        return self._in_place_of(self._source())

    def claim_if_waiting(self, token: AccessToken) -> None:
        """What a renewal does that was told of a waiting secret; failures are logged, and the old secret goes on."""
        if not token.rotation_waits:
            return
        try:
            self.claim()
        except Exception as fault:  # noqa: BLE001  the token is there, and the old secret still good
            told = fault.public if isinstance(fault, NoToken) else type(fault).__name__
            log.warning("the waiting secret was not claimed: %s", told)

    def claim(self) -> bool:
        """Whether a new secret was there, and is now stored and in use; raises NoToken."""
        if self._write_to is None:
            raise ValueError("say where a claimed secret is to be written: new_secret_to")
        with self._lock:
            found = self._source()
            new = self._waiting_secret(self._in_place_of(found))
            if new is None:
                return False
            self._store(new)
            self._claimed = (found, new)
        log.info("a rotated secret was claimed and stored")
        return True

    def _in_place_of(self, found: Secret) -> Secret:
        if self._claimed is None:
            return found
        replaced, claimed = self._claimed
        return claimed if found.reveal() == replaced.reveal() else found

    def _store(self, new: Secret) -> None:
        try:
            if callable(self._write_to):
                self._write_to(new.reveal())
            elif self._write_to is not None:
                write_secret(self._write_to, new.reveal())
            return
        except Exception as fault:  # noqa: BLE001  somebody else's code, or the disk
            told = type(fault).__name__
        raise TokenUnavailable(f"The new secret could not be written ({told}): the old one goes on.")
