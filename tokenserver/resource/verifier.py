"""Is this token good, here and now, as far as this process knows? Memory kept fresh in the background, asked in microseconds.

`Verifier` puts the parts together: the sources that are kept fresh by a background thread, the clocks, the cache of
proven tokens, and the pure rules of `tokens.verification`. The request path does no I/O and takes no lock, so one
verifier serves threads and event loops alike. A token is judged in this order:

1. proven before with a key that is still published and not revoked, or proven now: signature, form, issuer, audience;
2. is the news fresh enough; if not, the policy for stale news;
3. is the token live: time, generation, organization, token, key;
4. may it be used from this address, by the list in the token or by reference;
5. roles and scopes.

What cannot be decided because something was never heard of (the first news, a brand-new key, a long list of addresses)
raises `NotYetKnown`: the background thread has been told to fetch it, and asking again shortly may give an answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from tokenserver.clock import Clock, monotonic, utc_now
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import AddressRefused, InvalidToken, TokenServerError, Unavailable
from tokenserver.resource.background import Background
from tokenserver.resource.cache import MOST_TOKENS, Proven, ProvenTokens
from tokenserver.resource.fetching import Fetch, HttpFetch
from tokenserver.resource.issuer import Issuer
from tokenserver.resource.knowledge import Known
from tokenserver.resource.metadata import checked_issuer
from tokenserver.resource.patience import Patience
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import OnStale, Require
from tokenserver.resource.sources import Sources
from tokenserver.resource.timekeeping import Timekeeper
from tokenserver.resource.wishes import Attempt
from tokenserver.tokens.jws import UnknownKey
from tokenserver.tokens.keys import VerifyingKey
from tokenserver.tokens.verification import read_token, refuse_unless_live

log = logging.getLogger("tokenserver.resource")

_QUOTABLE = re.compile(r"[!#-\[\]-~]+\Z")
"""What can stand between the quotation marks of a challenge."""


class StaleNews(Unavailable):
    public = "Whether the access token is still valid cannot be known at the moment. Try again shortly."


class NotYetKnown(Unavailable):
    """News that were never heard of are being fetched; `settled` is the answer if looking again brings nothing new."""

    def __init__(self, attempt: Attempt, settled: TokenServerError) -> None:
        self.attempt = attempt
        self.settled = settled
        super().__init__(detail="not yet known")


class _UnknownName(UnknownKey):
    def __init__(self, kid: str) -> None:
        self.kid = kid
        super().__init__(detail="unknown key")


@dataclass(frozen=True, slots=True)
class Health:
    """How the verifier is. `last_errors` are in words and by subject: feed, keys, networks, age."""

    state: str
    feed_age: float | None
    seq: int | None
    keys: int
    not_believed: int
    proven_tokens: int
    last_errors: Mapping[str, str]


class Verifier:
    """One issuer and one audience; make one per process and share it. Starts by itself at the first request.

    `wait`: let the issuer hold our polls for up to so many seconds (25 at most, and at most half of `max_staleness`),
    for news within milliseconds; 0 polls every `poll_interval`. `patience`: how long a request may wait for what was
    never heard of. `fetch`, `clock`, `monotonic` and `background` are there for tests and special transports.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        poll_interval: float = 1.0,
        max_staleness: float = 30.0,
        on_stale: str = "refuse",
        trusted_proxies: str | Sequence[str] = (),
        wait: float = 0.0,
        key_cooldown: float = 5.0,
        patience: float = 3.0,
        timeout: float = 5.0,
        most_tokens: int = MOST_TOKENS,
        allow_http: bool = False,
        fetch: Fetch | None = None,
        clock: Clock = utc_now,
        monotonic: Clock = monotonic,
        background: bool = True,
    ) -> None:
        if not 0 < poll_interval < max_staleness:
            raise ValueError("poll_interval must be above 0 and below max_staleness")
        if min(timeout, key_cooldown) <= 0 or min(wait, patience) < 0:
            raise ValueError("timeout and key_cooldown must be above 0, wait and patience not below it")
        if not isinstance(audience, str) or _QUOTABLE.match(audience) is None:
            raise ValueError("the audience must be one address, as the token server knows this API by")
        self.issuer = checked_issuer(issuer, allow_http=allow_http or fetch is not None)
        self.audience = audience
        self.on_stale = OnStale.read(on_stale)
        self.max_staleness = max_staleness
        self.patience = Patience(patience)
        self._proxies = TrustedProxies.parse(trusted_proxies or ())
        self._proven = ProvenTokens(most_tokens)
        self._time = Timekeeper(clock, monotonic, max_staleness)
        self._sources = Sources(
            Issuer(issuer, fetch or HttpFetch(), monotonic, timeout),
            self._time,
            poll_interval=poll_interval,
            max_staleness=max_staleness,
            wait=wait,
            key_cooldown=key_cooldown,
        )
        self._background = Background(self._sources, threads=background)
        self._told_of: float | None = None

    # --- judging ----------------------------------------------------------------------------------------------------

    def verify(self, unverified_token: str, require: Require, *, address: str | None = None) -> Principal:
        """The caller, for those who have no HTTP request at hand; raises Refused or Unavailable.

        May wait up to `patience` for what was never heard of: inside an event loop use the ASGI middleware or a thread.
        """
        for last in (False, True):
            try:
                proven = self.prove(unverified_token, require.on_stale)
                self.refuse_address(proven, address, ())
                require.check(proven.principal)
                return proven.principal
            except NotYetKnown as fault:
                if last or not self.patience.wait(fault.attempt):
                    raise fault.settled from None
        raise Unavailable

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
        if age > self.max_staleness:
            self._allow_stale(known, on_stale or self.on_stale)
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
        return proven

    def refuse_address(self, proven: Proven, peer: str | None, forwarded: Sequence[tuple[str, str]]) -> None:
        """Step 4: raise AddressRefused unless the token may be used by whoever is behind `peer`."""
        allowed = proven.claims.allowed_ips
        if allowed is None:
            if proven.claims.allowed_ips_sha256 is None:
                return
            allowed = self._network_list(proven.claims.allowed_ips_sha256)
        if not allowed.admits(self._proxies.client_address(peer, forwarded)):
            raise AddressRefused

    def _read(self, unverified_token: str, known: Known) -> Proven:
        def key_of(kid: str) -> VerifyingKey:
            key = known.key_of(kid)
            if key is None:
                raise _UnknownName(kid)
            return key

        try:
            claims = read_token(unverified_token, key_of, issuer=self.issuer, audience=self.audience)
        except _UnknownName as unknown:
            if not known.keys:
                self._await_first_news()
                raise Unavailable(detail="no keys") from None
            attempt = self._sources.key_wishes.wish(unknown.kid, self._time.ticks())
            if attempt is None:
                raise InvalidToken(detail="unknown key") from None
            self._background.wake()
            raise NotYetKnown(attempt, InvalidToken(detail="unknown key")) from None
        return Proven(claims, known.keys[claims.key_id])

    def _network_list(self, digest: str) -> AllowedIPs:
        allowed = self._sources.networks.get(digest)
        if allowed is not None:
            return allowed
        attempt = self._sources.list_wishes.wish(digest, self._time.ticks())
        if attempt is None:
            raise Unavailable(detail="a list of allowed addresses that cannot be had")
        self._background.wake()
        raise NotYetKnown(attempt, Unavailable(detail="a list of allowed addresses that cannot be had"))

    def _await_first_news(self) -> None:
        first = self._sources.first_poll
        if not first.done() and not self._background.stopped:
            raise NotYetKnown(first, StaleNews(detail="no news yet"))

    def _allow_stale(self, known: Known, policy: OnStale) -> None:
        """Return only if the token may be judged by what is known, old as it is."""
        self._await_first_news()
        if policy is OnStale.REFUSE:
            raise StaleNews(detail="stale")
        if self._told_of != known.born_at:
            self._told_of = known.born_at
            log.warning("issuer %s: the news is too old, and on_stale is %s", self.issuer, policy)
        if policy is OnStale.INTROSPECT:
            self._introspect()

    def _introspect(self) -> None:
        """Return if the issuer itself says that the token is good. There is no endpoint to ask yet (issue 4)."""
        raise StaleNews(detail="stale, and introspection is not available yet")

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fetch, rather than at the first request. Harmless when it runs already."""
        self._background.start()

    def stop(self) -> None:
        """Fetch no more; after `max_staleness` the policy for stale news holds."""
        self._background.stop()

    close = stop

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def refresh(self) -> None:
        """Ask the issuer now, in this thread: for tests and scripts."""
        self._sources.run_errands()
        self._sources.poll()

    def ready(self, timeout: float = 0.0) -> bool:
        """Whether fresh news is at hand, within `timeout` seconds."""
        return self._until(lambda: not self._sources.is_stale(), timeout)

    def wait_until(self, seq: int, timeout: float = 5.0) -> bool:
        """Whether change number `seq` of the feed has been applied here, within `timeout` seconds."""
        return self._until(lambda: (self._sources.known.seq or 0) >= seq, timeout)

    def _until(self, condition: Callable[[], bool], timeout: float) -> bool:
        if not self._background.running:
            self._background.attend()
        with self._sources.learned:
            return self._sources.learned.wait_for(condition, timeout)

    # --- telling ----------------------------------------------------------------------------------------------------

    def feed_age(self) -> float | None:
        """Seconds since the newest statement was signed; None before the first."""
        known = self._sources.known
        return None if known.seq is None else self._time.read(known)[1]

    @property
    def state(self) -> str:
        """`starting`, `fresh`, `stale` or `stopped`."""
        if self._background.stopped:
            return "stopped"
        age = self.feed_age()
        if age is None:
            return "starting"
        return "stale" if age > self.max_staleness else "fresh"

    def health(self) -> dict[str, Any]:
        """`Health` as a dict: for a health check or a metric. Holds no token and no address."""
        known = self._sources.known
        return asdict(
            Health(
                state=self.state,
                feed_age=self.feed_age(),
                seq=known.seq,
                keys=len(known.keys),
                not_believed=self._sources.not_believed,
                proven_tokens=len(self._proven),
                last_errors=dict(self._sources.failures),
            )
        )
