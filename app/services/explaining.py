"""Why is this token good, or not; and if it was ended, by whom and when? For operators whom an app's owner asks.

The checks are those of `tokenserver.tokens.explanation`, with what the rows know of endings. Where the token was ended
before its time, the audit log says what ended it: the first change after its issuing that raised a floor above the
number that it carries.

A caller is told of tokens of its own organization, and a member of those of its own credentials; of any other, whether
it is well-formed and signed by us, and not what it says. The token is neither kept nor logged, and asking leaves no
audit line, as a check by a resource server leaves none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.services.audit import Caller
from app.services.keys import SigningKeys
from app.settings import Settings
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.generation import Floor
from tokenserver.domain.liveness import Ending, Endings, ended_by
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.explanation import Expected, Explanation, explain
from tokenserver.tokens.keys import VerifyingKey
from tokenserver.tokens.verification import CLOCK_SKEW

__all__ = ["Explaining", "Explanation"]

NOT_YOURS = "The token is good as far as its signature goes. What it says is told to its own organization only."

_DID: Mapping[str, str] = {
    Event.SECRET_REGENERATED: "the secret was regenerated",
    Event.SECRET_ROTATED: "the secret was rotated",
    Event.SECRET_LEAKED: "its secret was shown at /oauth/leaked",
    Event.CREDENTIAL_UPDATED: "the credential was narrowed",
    Event.CREDENTIAL_DISABLED: "the credential was disabled",
    Event.CREDENTIAL_REVOKED: "the credential was revoked",
    Event.CREDENTIAL_DELETED: "the credential was deleted",
    Event.ROTATION_FINISHED: "the rotation was finished",
    Event.ROTATION_COMPLETED: "the rotation was finished",
    Event.ROTATION_CANCELLED: "the rotation was cancelled",
    Event.ROTATION_WITHDRAWN: "the new secret was withdrawn",
    Event.ROTATION_CLAIMED: "the new secret was claimed",
    Event.ORGANIZATION_SUSPENDED: "the organization was suspended",
    Event.ORGANIZATION_TOKENS_ENDED: "everything of the organization was ended",
}
_SECOND = "2026-11-21T10:00:00"
"""As much of a moment as is compared."""
_FORGOTTEN = "who did it, and when, is not in the audit log any more"


class Explaining:
    def __init__(self, store: Store, keys: SigningKeys, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock

    def explain(
        self,
        caller: Caller,
        unverified_token: str,
        address: str | None = None,
        roles: Collection[str] = (),
        scopes: Collection[str] = (),
        audience: str | None = None,
    ) -> Explanation:
        """Every check; only of what is given: an address, roles and scopes to ask for, the API that it is for."""
        now = self._clock()
        expected = Expected(self._issuer, audience, None, address, None, roles, scopes)
        proven = explain(unverified_token, self._key_of, expected, now)
        claims = proven.claims
        if claims is None:
            return proven
        with self._store.reading() as tx:
            (standing,) = tx.liveness.of([claims], now)
            owner_id = None if standing is None else standing.owner_id
            if claims.organization != caller.organization_id or (
                caller.only_own and (owner_id is None or owner_id != caller.operator_id)
            ):
                return proven.of_a_stranger(NOT_YOURS)
            endings = _gone(claims) if standing is None else standing.endings
            listed = claims.allowed_ips_sha256
            expected = replace(
                expected,
                endings=endings,
                allowed_ips=None if listed is None else tx.networks.get(listed),
            )
            why = _why(tx, claims, ended_by(claims, endings, now))
        found = explain(unverified_token, self._key_of, expected, now)
        return found if why is None else found.because("endings", why)

    def _key_of(self, kid: str) -> VerifyingKey | None:
        ring = self._keys.ring()
        if kid in ring.revoked:
            raise InvalidToken(detail="signing key revoked")
        return ring.believed.get(kid)


def _gone(claims: AccessClaims) -> Endings:
    """Of a credential that was deleted: its floor is above all that it has ever minted."""
    return Endings({claims.credential_ref: (Floor(claims.generation + 1, 0),)})


def _why(tx: Transaction, claims: AccessClaims, ending: Ending | None) -> str | None:
    """In words, what the audit log says of the end; None where the usual words have to do."""
    since = int(claims.issued_at) - CLOCK_SKEW
    if ending is Ending.GENERATION:
        lines = _lines(tx, claims.organization, claims.client_id, since)
        return f"Generation {claims.generation} {_ended_it(claims.generation, lines, 'floor')}."
    if ending is Ending.ORGANIZATION:
        lines = _lines(tx, claims.organization, "", since)
        number = claims.organization_generation
        return f"Generation {number} of the organization {_ended_it(number, lines, 'generation')}."
    if ending is Ending.TOKEN:
        lines = _lines(tx, claims.organization, claims.client_id, since)
        found = (
            line for line in lines if line["event"] == Event.TOKEN_REVOKED and line["detail"]["jti"] == claims.token_id
        )
        line = next(found, None)
        return None if line is None else f"This very token was revoked {_by_whom(line)}."
    return None


def _lines(tx: Transaction, organization_id: str, credential: str, since: int) -> list[dict[str, Any]]:
    found = tx.audit_search.changes_of(organization_id, credential, since)
    return [members for members in (one.members for one in found) if members["outcome"] == "success"]


def _ended_it(number: int, lines: Iterable[Mapping[str, Any]], floor: str) -> str:
    """What raised the `floor` above this number, first; or the rotation whose grace period is over."""
    rotated: str | None = None
    end = ""
    for line in lines:
        changed = line["detail"].get("changed", {})
        if rotated is not None and line["at"][: len(_SECOND)] >= end[: len(_SECOND)]:
            break
        reached = changed.get(floor, [0, 0])[1]
        if reached > number:
            return f"is below the floor {reached}: {_what(line)} {_by_whom(line)}"
        if changed.get("grace_expires_at", [None, None])[1] is not None:
            reached, end = changed.get("generation", [0, number + 1])[1], changed["grace_expires_at"][1]
            rotated = (
                f"is below the floor {reached}: {_what(line)} {_by_whom(line)}, and its grace period ended at {end}"
            )
    return rotated or f"is below the floor: {_FORGOTTEN}"


def _what(line: Mapping[str, Any]) -> str:
    return _DID.get(line["event"], f"it was ended by {line['event']}")


def _by_whom(line: Mapping[str, Any]) -> str:
    return f"by {line['actor']} at {line['at']}"
