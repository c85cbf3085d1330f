"""May this request pass? Every decision of every adapter is made here, on values; adapters only translate.

The guard answers, it never raises: whatever bytes a request is made of, the outcome is a `Principal`, an `Answer`
instead of the app's (nearly always a `Refusal`), or None where a `Policy` is open to all. What nobody foresaw is closed
(503) and logged by its type and place, without its text, which may hold a token.

A `Refusal` with `pending` may turn out otherwise once the background thread has tried to fetch what is missing:
`outcome` and `outcome_in_loop` wait for that, at most once, and look again; `check` never waits.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from tokenserver.errors import Refused, TokenServerError, Unavailable
from tokenserver.resource.answers import Answer, Refusal, Speaker
from tokenserver.resource.bearer import bearer_token
from tokenserver.resource.explaining import refuse_in_production
from tokenserver.resource.judge import NotYetKnown
from tokenserver.resource.policy import Policy
from tokenserver.resource.principal import Principal
from tokenserver.resource.protected_resource import ProtectedResource
from tokenserver.resource.require import Lacking, Needs, Open, Require, Required, RequireOf
from tokenserver.resource.verifier import Verifier

log = logging.getLogger("tokenserver.resource")


class Presented(NamedTuple):
    """What a request presents: the values of its `Authorization` headers, and where it comes from.

    `forwarded` has the `Forwarded` and `X-Forwarded-For` headers as name-value pairs. Where the guard is `routed`:
    `path` is the one inside the app, and `mount` what stands before it; `method` is empty where a header asks for
    another one than the request has.
    """

    authorization: Sequence[str]
    peer: str | None
    forwarded: Sequence[tuple[str, str]] = ()
    method: str = ""
    path: str = ""
    mount: str = ""


Outcome = Principal | Answer | None

OVERRIDING: Final = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers by which some frameworks take the method to be another."""


class Guard:
    """Checks requests against one requirement, or one per route: a `Policy`, or a function."""

    def __init__(
        self,
        verifier: Verifier,
        require: Require | RequireOf,
        *,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        """`metadata` serves what `protected_resource` says, a mapping with further members; `explain`: development."""
        if not isinstance(verifier, Verifier):
            raise TypeError("verifier must be a Verifier: a middleware takes app, verifier and what is required")
        if not isinstance(require, Require) and not callable(require):
            raise TypeError("require must be a Require, a Policy, or a function (method, path) -> Require | None")
        if explain:
            refuse_in_production(verifier.issuer)
        for one in _requirements_of(require):
            verifier.refuse_to_ask_without_credential(one.on_stale)
        self.verifier = verifier
        self._judge = verifier.judge
        self._patience = verifier.patience
        self._require = require if isinstance(require, Require) else None
        self._require_of = None if isinstance(require, Require) else require
        self.resource = None
        if metadata is not False:
            more = {} if metadata is True else metadata
            self.resource = ProtectedResource(verifier.audience, verifier.issuer, _scopes_of(require), more)
        self._usage = verifier.usage
        self._route_of = None if self._usage is None else self._usage.route_of
        if self._usage is not None and self._route_of is None and isinstance(require, Policy):
            self._route_of = require.route_of
        self.routed = self._require is None or self.resource is not None or self._route_of is not None
        """Whether method and path matter."""
        self._speaker = Speaker(verifier.audience, None if self.resource is None else self.resource.url, explain)

    def outcome(self, presented: Presented) -> Outcome:
        """For a thread: it may wait for up to the verifier's `patience`."""
        outcome = self.check(presented)
        if isinstance(outcome, Refusal) and outcome.pending is not None and self._patience.wait(outcome.pending):
            outcome = self.check(presented)
        if self._usage is not None:
            self.count(presented, outcome)
        return outcome

    async def outcome_in_loop(self, presented: Presented, *, counts: bool = True) -> Outcome:
        """The same for an event loop, which goes on meanwhile. `counts`: whether it is a request of its own."""
        outcome = self.check(presented)
        if (
            isinstance(outcome, Refusal)
            and outcome.pending is not None
            and await self._patience.wait_in_loop(outcome.pending)
        ):
            outcome = self.check(presented)
        if counts and self._usage is not None:
            self.count(presented, outcome)
        return outcome

    def count(self, presented: Presented, outcome: Outcome) -> None:
        """Remember for the next report, where there are any, who was let in or refused. Never fails."""
        usage = self._usage
        if usage is None:
            return
        client_id: str | None
        generation: int | None
        try:
            if isinstance(outcome, Principal):
                client_id, status, generation = outcome.client_id, 200, outcome.generation
            elif isinstance(outcome, Refusal):
                client_id, status, generation = outcome.client_id, outcome.status, None
            else:  # open to all
                return
            route = None if self._route_of is None else self._route_of(presented.method, presented.path)
            peer = None if client_id is None else presented.peer  # strangers fill nothing
            if peer is not None and presented.forwarded:
                peer = usage.address_behind(peer, presented.forwarded)
            usage.add(client_id, route, status, peer, self._needs(presented, outcome), generation)
        except Exception as fault:  # noqa: BLE001  the function is the app's; a count is not worth a request
            log.error("unexpected %s at %s", type(fault).__name__, _place_of(fault))  # noqa: TRY400  no stranger's text

    def check(self, presented: Presented) -> Outcome:
        """The caller, if it may pass, as far as is known now. Counts nothing."""
        try:
            return self._admit(presented)
        except NotYetKnown as fault:
            return self._speaker.refusal(fault.settled, pending=fault.attempt)
        except TokenServerError as fault:
            return self.refusal(fault)
        except Exception as fault:  # noqa: BLE001  closed, whatever it is
            log.error("unexpected %s at %s", type(fault).__name__, _place_of(fault))  # noqa: TRY400  no stranger's text
            return self.refusal(Unavailable(detail="unexpected"))

    def refusal(self, fault: TokenServerError) -> Refusal:
        """How this guard says `fault`."""
        return self._speaker.refusal(fault)

    def _admit(self, presented: Presented) -> Outcome:
        if self.resource is not None and self.resource.is_asked_for(presented.method, presented.mount + presented.path):
            return self.resource.answer
        # 1. What is required here?
        require = self._require
        if require is None:
            required = self._required_of(presented)
            if required is Open.OPEN:
                return None
            require = required
        # 2. What is presented?
        unverified_token = bearer_token(presented.authorization, self._judge.texts_proven)
        # 3. Is the token good, and still live?
        proven = self._judge.prove(unverified_token, None if require is None else require.on_stale)
        try:
            # 4. May it be used from there?
            self._judge.refuse_address(proven, presented.peer, presented.forwarded)
            # 5. Has it what is required?
            if require is None:
                raise Lacking(detail="nobody may pass here: no rule takes this method and path")
            require.check(proven.principal)
        except Refused as fault:
            return replace(self.refusal(fault), client_id=proven.principal.client_id)
        return proven.principal

    def _needs(self, presented: Presented, outcome: Outcome) -> Needs | None:
        """The roles and scopes by which the caller was let in."""
        if not isinstance(outcome, Principal):
            return None
        required = self._require or self._required_of(presented)
        return required.relied_on(outcome) if isinstance(required, Require) else None

    def _required_of(self, presented: Presented) -> Required | None:
        """None closes the route, to those with a valid token as well."""
        found = self._require_of(presented.method, presented.path) if self._require_of is not None else None
        return found if isinstance(found, (Require, Open)) else None


def _requirements_of(require: Require | RequireOf) -> Iterator[Require]:
    """Those that are known before a request comes in."""
    if isinstance(require, Require):
        yield require
    elif isinstance(require, Policy):
        yield from (rule.required for rule in require.rules if isinstance(rule.required, Require))


def _scopes_of(require: Require | RequireOf) -> frozenset[str]:
    if isinstance(require, Require):
        return require.all_scopes()
    return require.scopes() if isinstance(require, Policy) else frozenset()


def _place_of(fault: Exception) -> str:
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
