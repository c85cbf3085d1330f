"""Who may read how the installation does? `/metrics`, for the networks of TOKENSERVER_METRICS_FROM; to all others there
is no such path.

The client's address is determined as at every door. But a proxy on this machine that nobody has told us to trust makes
every stranger look like 127.0.0.1: what bears the mark of a proxy, and not the client's address from one of ours, is
from nobody.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from app.http import client_address
from app.services.measures import Measures
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.exposition import CONTENT_TYPE, exposition
from tokenserver.errors import NotFound

_NAME_THE_CLIENT = {"HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR"}
_MARKS = {"HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP"}
_MARK = "HTTP_X_FORWARDED_"


class Metrics:
    def __init__(self, measures: Measures, settings: Settings) -> None:
        self._measures = measures
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        self._from = settings.metrics_networks

    def mount(self, app: Flask) -> None:
        app.add_url_rule("/metrics", "metrics", self.metrics)

    def metrics(self) -> Response:
        if not self._may_read(request.environ):
            raise NotFound
        return Response(exposition(self._measures.all()), content_type=CONTENT_TYPE)

    def _may_read(self, environ: dict[str, Any]) -> bool:
        if self._from is None or (_was_passed_on(environ) and not self._names_the_client(environ)):
            return False
        return self._from.admits(client_address(environ, self._proxies))

    def _names_the_client(self, environ: dict[str, Any]) -> bool:
        return not _NAME_THE_CLIENT.isdisjoint(environ) and self._proxies.trusts(environ.get("REMOTE_ADDR"))


def _was_passed_on(environ: dict[str, Any]) -> bool:
    return any(key in _MARKS or key.startswith(_MARK) for key in environ)
