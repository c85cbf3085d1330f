"""How is a verifier, told to Prometheus? Its health in the text format 0.0.4, without a library.

Each process tells of itself: where several share a port, let each be scraped by itself, or look at the worst of them.
`tokenserver_decided_stale_total{policy="accept"}` that grows is worth an alert: tokens pass that may have been ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def exposition(health: Mapping[str, Any], audience: str) -> str:
    """`health` is that of `Verifier.health`. An audience has no character that would have to be escaped."""
    return "".join(f"{line}\n" for line in _lines(health, f'audience="{audience}"'))


def _lines(health: Mapping[str, Any], of: str) -> Iterator[str]:
    gauges = {
        "feed_fresh": ("Whether the generation feed is fresh.", int(health["state"] == "fresh")),
        "feed_age_seconds": ("Seconds since the newest statement of the feed was signed.", health["feed_age"]),
        "feed_seq": ("The number of the last change that is applied here.", health["seq"]),
        "signing_keys": ("Keys that are published by the issuer.", health["keys"]),
        "proven_tokens": ("Tokens whose signature is remembered.", health["proven_tokens"]),
    }
    for name, (meaning, value) in gauges.items():
        if value is not None:
            yield from _head(name, "gauge", meaning)
            yield f"tokenserver_{name}{{{of}}} {value}"
    counters = {
        "feed_stale_spells_total": ("Times that the feed became too old.", health["stale_spells"]),
        "statements_not_believed_total": ("Statements that broke a rule.", health["statements_not_believed"]),
    }
    if (asking := health.get("introspection")) is not None:
        counters["introspections_total"] = ("Questions about single tokens.", asking["asked"])
        counters["introspections_unanswered_total"] = ("Those without an answer.", asking["unanswered"])
    for name, (meaning, value) in counters.items():
        yield from _head(name, "counter", meaning)
        yield f"tokenserver_{name}{{{of}}} {value}"
    yield from _head("decided_stale_total", "counter", "Tokens judged while the feed was too old, by policy.")
    for policy, count in health["decided_stale"].items():
        yield f'tokenserver_decided_stale_total{{{of},policy="{policy}"}} {count}'


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP tokenserver_{name} {meaning}"
    yield f"# TYPE tokenserver_{name} {kind}"
