"""How is a verifier, told to Prometheus? Its health in the text format.

Each process tells of itself: where several share a port, let each be scraped by itself, or look at the worst of them.
`tokenserver_decided_stale_total{policy="accept"}` that grows is worth an alert: tokens pass that may have been ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenserver.domain.exposition import Metric, exposition


def exposition_of(health: Mapping[str, Any], audience: str) -> str:
    """`health` is that of `Verifier.health`."""
    return exposition(_metrics(health, {"audience": audience}))


def _metrics(health: Mapping[str, Any], of: Mapping[str, str]) -> Iterator[Metric]:
    numbers = {
        "feed_fresh": ("Whether the generation feed is fresh.", int(health["state"] == "fresh")),
        "feed_age_seconds": ("Seconds since the newest statement of the feed was signed.", health["feed_age"]),
        "feed_seq": ("The number of the last change that is applied here.", health["seq"]),
        "signing_keys": ("Keys that are published by the issuer.", health["keys"]),
        "proven_tokens": ("Tokens whose signature is remembered.", health["proven_tokens"]),
        "feed_stale_spells_total": ("Times that the feed became too old.", health["stale_spells"]),
        "statements_not_believed_total": ("Statements that broke a rule.", health["statements_not_believed"]),
    }
    if (asking := health.get("introspection")) is not None:
        numbers["introspections_total"] = ("Questions about single tokens.", asking["asked"])
        numbers["introspections_unanswered_total"] = ("Those without an answer.", asking["unanswered"])
    for name, (meaning, value) in numbers.items():
        yield Metric(name, meaning, [] if value is None else [(of, value)])
    decided = [({**of, "policy": policy}, count) for policy, count in health["decided_stale"].items()]
    yield Metric("decided_stale_total", "Tokens judged while the feed was too old, by policy.", decided)
