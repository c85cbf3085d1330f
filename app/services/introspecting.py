"""Is this token live? Asked by a resource server that cannot check by itself (RFC 7662).

It is told about tokens for an API of its own organization at which its credential holds the scope `tokens:introspect`
(a scope of that API's own catalogue): about those of its own organization, and where the API is shared, about those of
every organization in which it is in force. About nothing else: whatever is foreign, dead or malformed is not active,
without a reason. There is no grace: the rows are read each time, and combined as everywhere (`standing`). Requests that
wait at the same moment share one such reading, which begins after the last of them has come (see `group`).

An answer leaves no audit line, as a check by a resource server leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.services.group import Group, Place
from app.services.keys import SigningKeys
from app.services.own_tokens import OwnTokens
from app.services.proving import Proof, Proven, Proving
from app.services.standing import live
from app.settings import Settings
from app.store import Store
from app.store.issuing import Known
from app.store.liveness import Standing
from tokenserver.clock import Clock
from tokenserver.errors import InvalidToken, Refused
from tokenserver.tokens.claims import AccessClaims
from tokenserver.tokens.jws import Signer

SCOPE = "tokens:introspect"
INTROSPECTION = "token-introspection+jwt"
"""The type of a signed answer (RFC 9701 §5)."""
INACTIVE: Mapping[str, Any] = {"active": False}


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked by whom; nothing of it is proven."""

    proof: Proof
    unverified_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the caller is told, or why it is refused."""

    told: Mapping[str, Any] = field(default_factory=dict)
    refusal: Refused | None = None
    known: Known | None = None


class Introspecting:
    def __init__(
        self, store: Store, proving: Proving, tokens: OwnTokens, keys: SigningKeys, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._proving = proving
        self._tokens = tokens
        self._keys = keys
        self._issuer = settings.issuer
        self._clock = clock
        self._group: Group[Question, Verdict] = Group(self._answer)

    def introspect(self, asked: Proof, unverified_token: str) -> Mapping[str, Any]:
        """What the token says if it is active, else exactly `INACTIVE`; raises Refused for a caller without proof."""
        self._proving.turn_away_hasty(asked)
        verdict = self._group.join(Question(asked, unverified_token))
        if verdict.refusal is not None:
            self._proving.refused(asked, verdict.known, verdict.refusal)
            raise verdict.refusal
        return verdict.told

    async def introspected(self, asked: Proof, unverified_token: str) -> Mapping[str, Any] | None:
        """As `introspect`, on an event loop; None for who is refused: that is recorded, which `introspect` does."""
        self._proving.turn_away_hasty(asked)
        verdict = await self._group.joined(Question(asked, unverified_token))
        return verdict.told if verdict.refusal is None else None

    def introspect_signed(self, asked: Proof, unverified_token: str) -> str:
        """The same as a signed statement to this caller (RFC 9701)."""
        told = self.introspect(asked, unverified_token)
        statement = {
            "iss": self._issuer,
            "aud": asked.client_id,
            "iat": int(self._clock()),
            "token_introspection": told,
        }
        return Signer(self._keys.ring().access.key, INTROSPECTION).sign(statement)

    def _answer(self, group: Sequence[Place[Question, Verdict]]) -> None:
        with self._store.reading() as tx:
            now = self._clock()
            known, catalogue_version = self._proving.known(tx, [place.request.proof for place in group], now)
            asked: list[tuple[Place[Question, Verdict], AccessClaims]] = []
            for place in group:
                with place.own_fault():
                    claims = self._claims(place, known.get(place.request.proof.client_id), catalogue_version, now)
                    if claims is not None:
                        asked.append((place, claims))
            now = self._clock()
            standings = tx.liveness.of([claims for _, claims in asked], now)
            for (place, claims), standing in zip(asked, standings, strict=True):
                with place.own_fault():
                    place.answer = Verdict(_told(standing, claims, now))

    def _claims(
        self, place: Place[Question, Verdict], known: Known | None, catalogue_version: int, now: float
    ) -> AccessClaims | None:
        """What the token says, if the caller may hear of it; where not, the place has its answer."""
        question = place.request
        try:
            caller = self._proving.proven(question.proof, known, catalogue_version, now)
        except Refused as refusal:
            place.answer = Verdict(refusal=refusal, known=known)
            return None
        try:
            claims = self._tokens.read(question.unverified_token).claims
        except InvalidToken:
            claims = None
        if claims is None or not self._may_ask(caller, claims, catalogue_version):
            place.answer = Verdict(INACTIVE)
            return None
        return claims

    def _may_ask(self, caller: Proven, claims: AccessClaims, catalogue_version: int) -> bool:
        """Whether it holds the scope at an API for which the token is good; a shared one must be its own."""
        held = [name for name in claims.audience if SCOPE in caller.scopes.get(name, ())]
        if claims.organization == caller.organization_id:
            return bool(held)
        ours = self._proving.catalogue(caller.organization_id, catalogue_version)
        theirs = self._proving.catalogue(claims.organization, catalogue_version)
        owned = [name for name in held if name in ours and ours[name].organization_id == caller.organization_id]
        return any(name in theirs and theirs[name].id == ours[name].id for name in owned)


def _told(standing: Standing | None, claims: AccessClaims, now: float) -> Mapping[str, Any]:
    try:
        live(standing, claims, now)
    except InvalidToken:
        return INACTIVE
    return {"active": True, "token_type": "Bearer", **claims.raw}
