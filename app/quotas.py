"""How are limits written? `off`, or a list such as `address=500/minute, credential=1000/hour`.

`address` counts requests of one source address at `/oauth/*` and `/v1/*`. `feed` counts those for the generation feed
and its lists of networks apart: a resource server asks every second, and a dozen of them behind one address must
neither be shut out, which would make them refuse everybody, nor use up what the apps beside them need. `credential` and
`organization` count tokens that are issued. What is not named is not limited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("address", "feed", "credential", "organization")
LARGEST_AMOUNT = 1_000_000_000
LONGEST_SECONDS = 86400
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_QUOTA = re.compile(
    r"(?P<name>[a-z]+) *= *(?P<amount>[0-9]{1,10}) */ *(?:(?P<many>[0-9]{1,5}) *)?(?P<unit>second|minute|hour|day)s?\Z"
)


@dataclass(frozen=True, slots=True)
class Quota:
    """So many in so many seconds."""

    name: str
    amount: int
    seconds: int


def parse_quotas(text: str) -> Mapping[str, Quota]:
    """By name; empty for `off`. Raises ValueError with a hint that repeats nothing of `text`."""
    if text.strip().lower() == "off":
        return {}
    quotas: dict[str, Quota] = {}
    for item in text.split(","):
        found = _QUOTA.match(item.strip())
        if found is None or found["name"] not in NAMES:
            raise ValueError(f"must be off, or a list such as address=500/minute; known are {', '.join(NAMES)}")
        amount, seconds = int(found["amount"]), int(found["many"] or 1) * _SECONDS[found["unit"]]
        if not (0 < amount <= LARGEST_AMOUNT and 0 < seconds <= LONGEST_SECONDS):
            raise ValueError("must allow at least one, in a period of at least a second and at most a day")
        if found["name"] in quotas:
            raise ValueError("must name each limit once")
        quotas[found["name"]] = Quota(found["name"], amount, seconds)
    return quotas
