"""`GET /oauth/generations` and `GET /oauth/networks/<sha256>`: what resource servers need to know.

The feed is public: it names credentials by a hash of their ID only. It is fresh for one second, so that caches may
share it without adding more than that.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request

from app.services.feed import Feed
from app.services.networks import Networks
from tokenserver.domain.generation import LARGEST
from tokenserver.errors import InvalidRequest

_NUMBER = re.compile(r"[0-9]{1,16}\Z")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?\Z")


class GenerationFeed:
    def __init__(self, feed: Feed, networks: Networks) -> None:
        self._feed = feed
        self._networks = networks

    def mount(self, app: Flask) -> None:
        app.add_url_rule("/oauth/generations", "generations", self.generations)
        app.add_url_rule("/oauth/networks/<digest>", "networks", self.networks)

    def generations(self) -> Response:
        after, wait = request.args.get("after", "0"), request.args.get("wait", "0")
        if _NUMBER.match(after) is None or int(after) > LARGEST:
            raise InvalidRequest("after is the seq of the last statement that you have.")
        if _SECONDS.match(wait) is None:
            raise InvalidRequest("wait is a number of seconds; more than 25 count as 25.")
        held = float(wait) if "after" in request.args else 0.0  # who knows nothing yet has nothing to wait for
        statement = self._feed.statement(int(after), held)
        response = Response(statement, content_type="application/jwt")
        response.headers["Cache-Control"] = "no-store" if float(wait) else "public, max-age=1"
        return response

    def networks(self, digest: str) -> Response:
        response = Response(self._networks.document(digest), content_type="application/json")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
