"""Where do nodes count together? In Redis, through `limits`: keys that count up and expire by themselves.

One pipeline for all counts of an exchange. No call waits longer than `TIMEOUT` for a connection or an answer, and none
is repeated: whoever calls goes on without, and asks again later. The address of a Redis may hold a password, so that
nothing of it is in an error.

The wiring imports this module where a Redis is named, and not at each start: `limits` costs an eighth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.settings import InvalidSettings
from tokenserver.errors import Unavailable

TIMEOUT = 0.05
"""Seconds."""
_PREFIX = "tokenserver"


class SharedCounts:
    def __init__(self, url: str) -> None:
        options: dict[str, object] = {
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
        }
        try:
            self._redis = RedisStorage(_as_limits_has_it(url), key_prefix=_PREFIX, **options)  # type: ignore[arg-type]
        except (ValueError, RedisError):
            raise InvalidSettings("TOKENSERVER_REDIS_URL: cannot be read as a URL") from None

    def add(self, told: Iterable[tuple[str, int, int]]) -> Mapping[str, int]:
        """Add to each count, which lives for so many seconds; what each has come to. Raises Unavailable."""
        names = []
        client: Any = self._redis.get_connection()
        try:
            with client.pipeline(transaction=False) as pipeline:
                for name, amount, seconds in told:
                    names.append(name)
                    self._redis.lua_incr_expire([self._redis.prefixed_key(name)], [seconds, amount], client=pipeline)
                totals = pipeline.execute()
        except (RedisError, OSError) as fault:
            raise Unavailable(detail=f"Redis: {type(fault).__name__}") from None
        return dict(zip(names, map(int, totals), strict=True))


def _as_limits_has_it(url: str) -> str:
    return "redis+" + url if url.startswith("unix:") else url
