"""May this request pass? Every decision of every adapter is made here, on values; adapters only translate.

The guard answers, it never raises: whatever bytes a request is made of, the outcome is a `Principal` or a `Refusal`.
What nobody foresaw is closed (503) and logged by its type and place, without its text, which may hold a token.

A `Refusal` with `pending` may turn out otherwise once the background thread has tried to fetch what is missing: the
adapter waits in its own way (`verifier.patience`), at most once, and looks again.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from tokenserver.errors import TokenServerError, Unavailable
from tokenserver.resource.answers import Refusal, refusal
from tokenserver.resource.bearer import bearer_token
from tokenserver.resource.judge import NotYetKnown
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Lacking, Require, RequireOf
from tokenserver.resource.verifier import Verifier

log = logging.getLogger("tokenserver.resource")


class Presented(NamedTuple):
    """What a request presents: the values of its `Authorization` headers, and where it comes from.

    `forwarded` has the `Forwarded` and `X-Forwarded-For` headers as name-value pairs, `path` is the one inside the app.
    """

    authorization: Sequence[str]
    peer: str | None
    forwarded: Sequence[tuple[str, str]] = ()
    method: str = ""
    path: str = ""


class Guard:
    """Checks requests against one requirement, or one per route."""

    def __init__(self, verifier: Verifier, require: Require | RequireOf) -> None:
        if not isinstance(require, Require) and not callable(require):
            raise TypeError("require must be a Require, or a function (method, path) -> Require | None")
        self.verifier = verifier
        self._judge = verifier.judge
        self._require = require if isinstance(require, Require) else None
        self._require_of = None if isinstance(require, Require) else require

    def check(self, presented: Presented) -> Principal | Refusal:
        """The caller, if it may pass."""
        try:
            return self._admit(presented)
        except NotYetKnown as fault:
            return refusal(fault.settled, self.verifier.audience, pending=fault.attempt)
        except TokenServerError as fault:
            return refusal(fault, self.verifier.audience)
        except Exception as fault:  # noqa: BLE001  closed, whatever it is
            log.error("unexpected %s at %s", type(fault).__name__, _place_of(fault))  # noqa: TRY400  no stranger's text
            return refusal(Unavailable(detail="unexpected"), self.verifier.audience)

    def _admit(self, presented: Presented) -> Principal:
        # 1. What is presented?
        unverified_token = bearer_token(presented.authorization, self._judge.texts_proven)
        # 2. What is required here?
        require = self._require or self._required_of(presented)
        # 3. Is the token good, and still live?
        proven = self._judge.prove(unverified_token, None if require is None else require.on_stale)
        # 4. May it be used from there?
        self._judge.refuse_address(proven, presented.peer, presented.forwarded)
        # 5. Has it the roles and scopes?
        if require is None:
            raise Lacking(detail="nobody may pass here")
        require.check(proven.principal)
        return proven.principal

    def _required_of(self, presented: Presented) -> Require | None:
        """None closes the route, to those with a valid token as well."""
        found = self._require_of(presented.method, presented.path) if self._require_of is not None else None
        return found if isinstance(found, Require) else None


def _place_of(fault: Exception) -> str:
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
