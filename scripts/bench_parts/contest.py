"""Which of several servers answers more? They take turns, so that what disturbs the machine disturbs all of them.

All are up at the same time on the same core, and only the one whose turn it is has work. Every second round goes the
other way round. What is reported is the median of the rounds, without those in which strangers used the server's core
(unless they did so in every round); a ratio is the median of the ratios of each round. Some hundred answers of each are
looked at closely afterwards: all different, and signed by the key that the server publishes.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

import jwt

from scripts.bench_parts.load import TOKEN, Broken, Load, drive
from scripts.bench_parts.plan import Plan
from scripts.bench_parts.shares import Shares, Watch

_LOOKED_AT = 200
_DISTURBED = 0.05
"""Share of the server's core that others may use in a round that counts."""


@dataclass(frozen=True)
class Contestant:
    """An endpoint that is up. `keys` is the path of its key set; without one its tokens are opaque.

    `shows` is what each of its answers must hold; only those of a token endpoint are looked at closely.
    """

    name: str
    port: int
    pid: int
    requests: Sequence[bytes] = field(repr=False)
    keys: str | None = "/.well-known/jwks.json"
    shows: bytes = TOKEN


@dataclass(frozen=True)
class Outcome:
    """The rounds of one contestant."""

    loads: Sequence[Load]
    shares: Sequence[Shares | None]

    @property
    def undisturbed(self) -> frozenset[int]:
        """Which rounds count."""
        quiet = {place for place, one in enumerate(self.shares) if one is None or one.others <= _DISTURBED}
        return frozenset(quiet or range(len(self.loads)))

    @property
    def counted(self) -> list[Load]:
        return [self.loads[place] for place in sorted(self.undisturbed)]

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return statistics.median(load.rate for load in self.counted)

    def ratio_to(self, other: Outcome) -> float:
        """The median ratio of the rates, round by round: those that count for both, or all if there is none."""
        rounds = self.undisturbed & other.undisturbed or range(len(self.loads))
        return statistics.median(self.loads[place].rate / other.loads[place].rate for place in rounds)

    def milliseconds(self, share: float) -> float:
        return 1000 * statistics.median(load.latency(share) for load in self.counted)

    @property
    def answered(self) -> int:
        return sum(load.answered for load in self.loads)

    @property
    def middle(self) -> Shares | None:
        """Who used the server's core in the median of the rounds that count; None where nothing is known."""
        known = [one for place in sorted(self.undisturbed) if (one := self.shares[place]) is not None]
        return sorted(known, key=lambda shares: shares.ours)[len(known) // 2] if known else None

    @property
    def rate_of_its_own(self) -> float | None:
        """Answers for a second of the server's processor time."""
        return self.rate / self.middle.ours if self.middle is not None and self.middle.ours else None

    def in_words(self) -> str:
        """What limited it."""
        generator = f"generator {statistics.median(load.own_share for load in self.counted):.0%} of its core"
        middle, of_its_own = self.middle, ""
        if middle is None:
            return generator
        rounds = f"{len(self.undisturbed)} of {len(self.loads)} rounds count"
        if middle.others > _DISTURBED:
            rounds = "EVERY ROUND WAS DISTURBED"
        if self.rate_of_its_own is not None:
            of_its_own = f"{self.rate_of_its_own:,.0f} answers for a second of its processor time; "
        return f"{of_its_own}server's core: {middle.in_words()}; {generator}; {rounds}"

    def detail(self) -> dict[str, Any]:
        return {
            "rates": [round(load.rate, 1) for load in self.loads],
            "milliseconds": {
                name: [round(1000 * load.latency(share), 3) for load in self.loads]
                for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
            },
            "not_tokens": sum(load.not_tokens for load in self.loads),
            "reconnected": sum(load.reconnected for load in self.loads),
            "limits": self.in_words(),
            "generator_share": [round(load.own_share, 3) for load in self.loads],
            "server_core": [
                None if one is None else {"server": one.ours, "others": one.others, "idle": one.idle}
                for one in self.shares
            ],
        }


def in_turn(plan: Plan, contestants: Sequence[Contestant], connections: int) -> dict[str, Outcome]:
    """By name, what each did; raises Broken when what was answered were not tokens."""
    loads: dict[str, list[Load]] = {one.name: [] for one in contestants}
    shares: dict[str, list[Shares | None]] = {one.name: [] for one in contestants}
    for one in contestants:  # caches fill, pools grow, the collector finds its pace
        drive(one.port, one.requests, connections, min(1.0, plan.seconds), one.shows)
    for number in range(plan.rounds):
        for one in contestants if number % 2 == 0 else reversed(contestants):
            watch = Watch(plan.placing.server, [one.pid])
            load = drive(one.port, one.requests, connections, plan.seconds, one.shows)
            shares[one.name].append(watch.shares())
            loads[one.name].append(load)
            plan.say(f"{one.name}, {connections} connections: {load.rate:,.0f}/s, {one_of(shares[one.name][-1])}")
    for one in contestants:
        _look_closely(one, loads[one.name])
    return {name: Outcome(found, shares[name]) for name, found in loads.items()}


def one_of(shares: Shares | None) -> str:
    return "" if shares is None else f"server's core: {shares.in_words()}"


def _look_closely(contestant: Contestant, loads: Sequence[Load]) -> None:
    odd = next((load for load in loads if load.not_tokens), None)
    if odd is not None:
        raise Broken(
            f"{contestant.name} gave {odd.not_tokens} answers that are not what was asked: {odd.an_odd_answer!r}"
        )
    if contestant.shows != TOKEN:
        return
    tokens = [json.loads(body)["access_token"] for load in loads for body in load.bodies]
    if not tokens or len(set(tokens)) != len(tokens):
        raise Broken(f"{contestant.name} gave {len(tokens)} sampled tokens, {len(set(tokens))} of them different")
    if contestant.keys is None:
        return
    with urlopen(f"http://127.0.0.1:{contestant.port}{contestant.keys}", timeout=10) as answer:
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.load(answer)).keys}
    for token in tokens[:: max(1, len(tokens) // _LOOKED_AT)]:
        kid = jwt.get_unverified_header(token)["kid"]
        options: Any = {"verify_aud": False}
        jwt.decode(token, keys[kid], algorithms=["ES256"], options=options)
