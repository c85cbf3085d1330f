"""What does a resource server hold on to? One `Verifier` per process, which puts the parts together.

`sources` are kept fresh by a `background` thread, `judge` decides by what they know, and `cache` remembers what was
proven. A verifier serves threads and event loops alike, starts by itself at the first request, and survives a fork.

No request talks to the network: that is the background thread's work. Only what was never heard of (the first news
after the start, a key that is new, a long list of addresses seen for the first time) lets a request wait for that
thread, in a way that suits its server, for at most `patience`; and only a few at once. With `on_stale="introspect"`,
and news that is too old, a request waits in the same way for what the issuer says of its token (`questions`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from tokenserver.clock import Clock, monotonic, utc_now
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.origins import checked_issuer
from tokenserver.errors import InvalidInput
from tokenserver.resource.background import Background
from tokenserver.resource.cache import MOST_TOKENS, ProvenTokens
from tokenserver.resource.fetching import Fetch, HttpFetch
from tokenserver.resource.introspection import Credential, Introspection
from tokenserver.resource.issuer import Issuer
from tokenserver.resource.judge import Judge, NotYetKnown
from tokenserver.resource.metrics import exposition_of
from tokenserver.resource.patience import Patience
from tokenserver.resource.posting import HttpPost, Post
from tokenserver.resource.principal import Principal
from tokenserver.resource.questions import Questions
from tokenserver.resource.require import OnStale, Require
from tokenserver.resource.sources import Sources
from tokenserver.resource.timekeeping import Timekeeper
from tokenserver.resource.usage import Usage, UsageReports

_QUOTABLE = re.compile(r"[!#-\[\]-~]+\Z")
"""What can stand between the quotation marks of a challenge."""


class Verifier:
    """Checks the tokens of one issuer for one audience.

    - `poll_interval`: seconds between two looks at the feed, and so between *regenerate* and the refusal.
    - `wait`: let the issuer hold a look for up to so many seconds until something changes, and know it within
      milliseconds (at most 25, and at most half of `max_staleness`); 0 does not.
    - `max_staleness`, `on_stale`: what to do (`refuse`, `introspect`, `accept`) when the news is older than this.
    - `credential`: this API's own, `("tsc_…", secret)`, with the scope `tokens:introspect` at it: `introspect` needs
      one. The secret is a text, the path of a file, or a function that gives it.
    - `trusted_proxies`: networks of your own proxies, whose `Forwarded` or `X-Forwarded-For` is believed.
    - `key_cooldown`: tokens that name unknown keys cause at most one fetch in so many seconds.
    - `patience`: how long a request may wait for what was never heard of; `timeout`: how long one fetch may take.
    - `most_tokens`: how many proven tokens are remembered, at some 5 KiB each.
    - `reports`: tell the issuer who calls what, and which changes are applied here (`usage`); None tells nothing.
    - `allow_http`: plain http to another machine than this one, where anybody on the way can forge keys.
    - `fetch`, `post`, `clock`, `monotonic`, `background`: other transports, another time; False runs no thread (for
      tests).
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        poll_interval: float = 1.0,
        max_staleness: float = 30.0,
        on_stale: str = "refuse",
        credential: Credential | None = None,
        trusted_proxies: str | Sequence[str] = (),
        wait: float = 0.0,
        key_cooldown: float = 5.0,
        patience: float = 3.0,
        timeout: float = 5.0,
        most_tokens: int = MOST_TOKENS,
        reports: UsageReports | None = None,
        allow_http: bool = False,
        fetch: Fetch | None = None,
        post: Post | None = None,
        clock: Clock = utc_now,
        monotonic: Clock = monotonic,
        background: bool = True,
    ) -> None:
        if not 0 < poll_interval < max_staleness:
            raise ValueError("poll_interval must be above 0 and below max_staleness")
        if min(timeout, key_cooldown) <= 0 or min(wait, patience) < 0:
            raise ValueError("timeout and key_cooldown must be above 0, wait and patience not below it")
        if not all(isinstance(text, str) for text in (issuer, audience)):
            raise TypeError("issuer and audience are texts, and one of them is not: is a setting missing?")
        if _QUOTABLE.match(audience) is None:
            raise ValueError("the audience must be one address, by which the token server knows this API")
        sends_secrets = credential is not None and post is None
        self.issuer = checked_issuer(issuer, allow_http=allow_http or (fetch is not None and not sends_secrets))
        self.audience = audience
        self.patience = Patience(patience)
        self._max_staleness, self._on_stale = max_staleness, OnStale.read(on_stale)
        self._proven = ProvenTokens(most_tokens)
        self._time = Timekeeper(clock, monotonic, max_staleness)
        asked = Issuer(issuer, fetch or HttpFetch(), monotonic, timeout)
        self._sources = Sources(
            asked,
            self._time,
            poll_interval=poll_interval,
            max_staleness=max_staleness,
            wait=wait,
            key_cooldown=key_cooldown,
        )
        try:
            proxies = TrustedProxies.parse(trusted_proxies or ())
        except InvalidInput as fault:
            fault.add_note("These are the trusted_proxies of a Verifier.")
            raise
        self.usage: Usage | None = None
        if reports is not None:
            self.usage = Usage(
                reports, issuer=issuer, audience=audience, sources=self._sources, proxies=proxies, ticks=monotonic
            )
        self._questions: Questions | None = None
        if credential is not None:
            about = Introspection(asked, credential, post or HttpPost(), timeout)
            self._questions = Questions(about.is_active, monotonic, lasting=poll_interval, threads=background)
        self.refuse_to_ask_without_credential(self._on_stale)
        parts = (self.patience, self.usage, self._questions)
        self._background = Background(
            self._sources,
            threads=background,
            and_after_fork=[part.after_fork for part in parts if part is not None],
            beside=None if self.usage is None else self.usage.attend,
            at_exit=None if self.usage is None else self.usage.leave,
        )
        self.judge = Judge(
            issuer,
            audience,
            sources=self._sources,
            background=self._background,
            time=self._time,
            proven=self._proven,
            proxies=proxies,
            max_staleness=max_staleness,
            on_stale=self._on_stale,
            questions=self._questions,
        )

    def __repr__(self) -> str:
        return f"Verifier(issuer={self.issuer!r}, audience={self.audience!r}, state={self.state!r})"

    def refuse_to_ask_without_credential(self, policy: OnStale | None) -> None:
        """Raise ValueError if this is to introspect, and there is nothing to do it with."""
        if policy is OnStale.INTROSPECT and self._questions is None:
            raise ValueError(
                'on_stale="introspect" asks the token server with a credential of this API\'s own, which holds the'
                ' scope tokens:introspect: give the Verifier credential=("tsc_…", secret)'
            )

    def verify(self, unverified_token: str, require: Require, *, address: str | None = None) -> Principal:
        """The caller, where there is no HTTP request at hand; raises Refused or Unavailable.

        May wait up to `patience` for what was never heard of: an event loop uses the ASGI middleware, or a thread.
        """
        try:
            return self._verify(unverified_token, require, address)
        except NotYetKnown as fault:
            if not self.patience.wait(fault.attempt):
                raise fault.settled from None
        try:
            return self._verify(unverified_token, require, address)
        except NotYetKnown as fault:
            raise fault.settled from None

    def _verify(self, unverified_token: str, require: Require, address: str | None) -> Principal:
        proven = self.judge.prove(unverified_token, require.on_stale)
        self.judge.refuse_address(proven, address, ())
        require.check(proven.principal)
        return proven.principal

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fetch, rather than at the first request. Harmless when it runs already."""
        self._background.start()

    def stop(self) -> None:
        """Fetch no more; once the news is too old, the policy for stale news holds. A last report says goodbye."""
        was_running = self._background.running
        self._background.stop()
        if was_running and self.usage is not None:
            self.usage.leave()

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
        return self._comes_true(lambda: not self._sources.is_stale(), timeout)

    def wait_until(self, seq: int, timeout: float = 5.0) -> bool:
        """Whether change number `seq` of the feed is applied here, within `timeout` seconds."""
        return self._comes_true(lambda: (self._sources.known.seq or 0) >= seq, timeout)

    def _comes_true(self, condition: Callable[[], bool], timeout: float) -> bool:
        if not self._background.running:
            self._background.attend()
        with self._sources.learned:
            return self._sources.learned.wait_for(condition, timeout if self._background.running else 0)

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
        return "stale" if age > self._max_staleness else "fresh"

    def health(self) -> dict[str, Any]:
        """For a health check. `last_errors` are in words, by subject; `decided_stale` counts the tokens that were
        judged while the news was too old, by the policy that held at their routes. Holds no token and no address.
        """
        known = self._sources.known
        parts = {"usage_reports": self.usage, "introspection": self._questions}
        return {
            "state": self.state,
            "feed_age": self.feed_age(),
            "seq": known.seq,
            "keys": len(known.keys),
            "statements_not_believed": self._sources.not_believed,
            "on_stale": str(self._on_stale),
            "stale_spells": self._sources.stale_spells,
            "decided_stale": {str(policy): count for policy, count in self.judge.decided_stale.items()},
            "proven_tokens": len(self._proven),
            "last_errors": dict(self._sources.failures),
            **{name: part.health() for name, part in parts.items() if part is not None},
        }

    def metrics(self) -> str:
        """The same for Prometheus, in its text format: serve it at `/metrics`, or append it to what is there."""
        return exposition_of(self.health(), self.audience)
