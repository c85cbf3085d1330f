"""How does an app end one token? By showing it, together with the secret of the credential it was issued to (RFC 7009).

It ends at this server with the answer, and at every resource server with the next look at the feed. Whatever is
unknown, dead already or another credential's is passed over without a word, so that nobody learns anything by revoking.

The feed names each such token until it would have expired, and everybody reads the feed: so an organization may have
`MOST_REVOKED` of them at a time. Whoever needs more has a reason to regenerate, which ends all tokens in one line.
"""

from __future__ import annotations

import math

from app.services.feed import Feed
from app.services.own_tokens import OwnTokens
from app.services.proving import Proof, Proving
from app.services.standing import refuse_ended
from app.store import Store
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.errors import InvalidToken, Unavailable
from tokenserver.tokens.claims import AccessClaims

MOST_REVOKED = 10_000


class TooManyRevoked(Unavailable):
    public = (
        "Too many tokens of the organization were revoked one by one within their lifetime."
        " Regenerate the credential to end all of its tokens, or try again later."
    )
    retry_after = 60


class Revoking:
    def __init__(
        self, store: Store, feed: Feed, proving: Proving, tokens: OwnTokens, clock: Clock, *, most: int = MOST_REVOKED
    ) -> None:
        self._store = store
        self._feed = feed
        self._proving = proving
        self._tokens = tokens
        self._clock = clock
        self._most = most

    def revoke(self, asked: Proof, unverified_token: str) -> None:
        """End the token if it is a live one of the caller's; raises Refused for a caller without proof."""
        self._proving.prove(asked, lambda _tx, _caller: None)
        try:
            claims = self._tokens.read(unverified_token).claims
            if claims.client_id == asked.client_id:
                self._end(asked, claims)
        except InvalidToken:
            return

    def _end(self, asked: Proof, claims: AccessClaims) -> None:
        with self._store.writing() as tx:
            now = self._clock()
            refuse_ended(tx, claims, now)
            if tx.feed.count_revoked_tokens(claims.organization, now) >= self._most:
                raise TooManyRevoked(detail="too many revoked tokens")
            tx.feed.tell_revoked_token(claims.organization, claims.token_id, math.ceil(claims.expires_at), now)
            tx.audit.append(_revoked(asked, claims, now))
        self._feed.changed()


def _revoked(asked: Proof, claims: AccessClaims, now: float) -> Entry:
    return Entry(
        event=Event.TOKEN_REVOKED,
        at=now,
        actor=f"credential:{asked.client_id}",
        organization=claims.organization,
        credential=asked.client_id,
        address=asked.address,
        request_id=asked.request_id,
        detail={"jti": claims.token_id, "generation": claims.generation, "expires_at": math.ceil(claims.expires_at)},
    )
