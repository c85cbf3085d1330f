"""Is this token good, here and now, as far as this process knows? Asked at every request, answered in microseconds.

No I/O and no lock. A token is judged in this order, and the first refusal stands:

1. it was proven before, with a key that is still published; or it is proven now: signature, form, issuer, audience;
2. is the news fresh enough? If not, the policy for stale news;
3. is the token live: time, generation, organization, token, key; and if that policy is to ask, what the issuer says;
4. may it be used from this address, by the list in the token or by the list it refers to.

What cannot be decided because something was never heard of (the first news, a brand-new key, a long list of addresses,
what the issuer says of one token) raises `NotYetKnown`: it has been asked for, and looking again when the attempt is
done may give an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import AddressRefused, InvalidToken, TokenServerError, Unavailable
from tokenserver.resource.background import Background
from tokenserver.resource.cache import Proven, ProvenTokens
from tokenserver.resource.knowledge import Known
from tokenserver.resource.questions import Questions
from tokenserver.resource.require import OnStale
from tokenserver.resource.sources import Sources
from tokenserver.resource.timekeeping import Timekeeper
from tokenserver.resource.wishes import Attempt
from tokenserver.tokens.jws import UnknownKey
from tokenserver.tokens.keys import VerifyingKey
from tokenserver.tokens.verification import read_token, refuse_unless_live

LONGEST_REMEMBERED = 512
"""Characters of forwarding headers; longer ones are walked each time."""

log = logging.getLogger("tokenserver.resource")


class StaleNews(Unavailable):
    public = "Whether the access token is still valid cannot be known at the moment. Try again shortly."


class UnknownNetworks(Unavailable):
    public = "The addresses from which the access token may be used cannot be known at the moment. Try again shortly."


class NotYetKnown(Unavailable):
    """What was never heard of is being fetched; `settled` is the answer if looking again brings nothing new."""

    def __init__(self, attempt: Attempt, settled: TokenServerError) -> None:
        self.attempt = attempt
        self.settled = settled
        super().__init__(detail="not yet known")


class _UnknownName(UnknownKey):
    def __init__(self, kid: str) -> None:
        self.kid = kid
        super().__init__(detail="unknown key")


class Judge:
    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        sources: Sources,
        background: Background,
        time: Timekeeper,
        proven: ProvenTokens,
        proxies: TrustedProxies,
        max_staleness: float,
        on_stale: OnStale,
        questions: Questions | None,
    ) -> None:
        self._issuer, self._audience = issuer, audience
        self._sources, self._background = sources, background
        self._time = time
        self._proven = proven
        self.texts_proven = proven.texts
        self._proxies = proxies
        self._max_staleness, self._on_stale = max_staleness, on_stale
        self._questions = questions
        self._told_of: int | None = None
        self.decided_stale = dict.fromkeys(OnStale, 0)
        """How many tokens were judged by old news, by the policy that held. No lock: it is a metric."""

    def prove(self, unverified_token: str, on_stale: OnStale | None = None) -> Proven:
        """Steps 1 to 3: what was proven of this token, if it is live."""
        if not self._background.running:
            self._background.attend()
        known = self._sources.known
        proven = self._proven.get(unverified_token)
        seen = proven is not None and known.keys.get(proven.claims.key_id) is proven.key
        if proven is None or not seen:
            proven = self._read(unverified_token, known)
        now, age = self._time.read(known)
        must_ask = age > self._max_staleness and self._must_ask(known, on_stale or self._on_stale)
        claims = proven.claims
        try:
            refuse_unless_live(claims, known.endings, now)
        except InvalidToken:
            if now >= claims.expires_at:
                self._proven.forget(unverified_token)
            raise
        if seen:
            proven.used = True
        else:
            self._proven.put(unverified_token, proven)
        if must_ask:
            self._ask(unverified_token, claims.token_id)
        return proven

    def refuse_address(self, proven: Proven, peer: str | None, forwarded: Sequence[tuple[str, str]]) -> None:
        """Step 4: raise AddressRefused unless the token may be used by whoever is behind `peer`."""
        claims = proven.claims
        if claims.allowed_ips is None and claims.allowed_ips_sha256 is None:
            return
        came_from = (peer, tuple(forwarded) if forwarded else ())
        if proven.came_from == came_from:
            return
        allowed = claims.allowed_ips
        if allowed is None:
            allowed = self._network_list(str(claims.allowed_ips_sha256))
        if not allowed.admits(self._proxies.client_address(peer, forwarded)):
            raise AddressRefused
        if not forwarded or sum(len(value) for _, value in forwarded) < LONGEST_REMEMBERED:
            proven.came_from = came_from

    def _read(self, unverified_token: str, known: Known) -> Proven:
        def key_of(kid: str) -> VerifyingKey:
            key = known.key_of(kid)
            if key is None:
                raise _UnknownName(kid)
            return key

        try:
            claims = read_token(unverified_token, key_of, issuer=self._issuer, audience=self._audience)
        except _UnknownName as unknown:
            if not known.keys:
                self._await_first_news(known)
                raise StaleNews(detail="no keys") from None
            self._await_key(unknown.kid)
            raise InvalidToken(detail="unknown key") from None
        return Proven(claims, known.keys[claims.key_id])

    def _network_list(self, digest: str) -> AllowedIPs:
        allowed = self._sources.networks.get(digest)
        if allowed is not None:
            return allowed
        attempt = self._sources.list_wishes.wish(digest, self._time.ticks())
        if attempt is None:
            raise UnknownNetworks
        self._background.wake()
        raise NotYetKnown(attempt, settled=UnknownNetworks())

    def _await_key(self, kid: str) -> None:
        attempt = self._sources.key_wishes.wish(kid, self._time.ticks())
        if attempt is None and kid in self._sources.known.keys:  # it has come while we were looking
            attempt = self._sources.first_poll
        if attempt is not None:
            self._background.wake()
            raise NotYetKnown(attempt, settled=InvalidToken(detail="unknown key"))

    def _await_first_news(self, known: Known) -> None:
        """Wait for the first news of this process, unless what was looked at holds them already."""
        first = self._sources.first_poll
        if not self._background.stopped and (not first.done() or known is not self._sources.known):
            raise NotYetKnown(first, settled=StaleNews(detail="no news yet"))

    def _must_ask(self, known: Known, policy: OnStale) -> bool:
        """Whether the token may be judged by what is known, old as it is, only if the issuer agrees."""
        self._await_first_news(known)
        if policy is OnStale.REFUSE:
            self.decided_stale[policy] += 1
            raise StaleNews(detail="stale")
        if self._told_of != self._sources.stale_spells:
            self._told_of = self._sources.stale_spells
            log.warning("issuer %s: the news is too old, and on_stale is %s", self._issuer, policy)
        if policy is OnStale.ACCEPT:
            self.decided_stale[policy] += 1
            return False
        return True

    def _ask(self, token: str, token_id: str) -> None:
        """Return if the issuer itself says that the token is good."""
        may_ask = self._questions is not None and not self._background.stopped
        answer = self._questions.answer(token, token_id) if self._questions is not None and may_ask else None
        if not isinstance(answer, bool | None):
            raise NotYetKnown(
                answer, settled=StaleNews(detail="stale, and the issuer has not answered about the token")
            )
        self.decided_stale[OnStale.INTROSPECT] += 1
        if answer is None:
            raise StaleNews(detail="stale, and the issuer cannot be asked about the token")
        if not answer:
            raise InvalidToken(detail="the issuer says that it is not active")
