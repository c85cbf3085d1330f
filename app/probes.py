"""Is this node alive, and ready? `/healthz` never touches the database; `/readyz` asks it and the keys."""

from __future__ import annotations

from flask import Flask, Response

from app.http import respond
from app.services.readiness import Readiness


class Probes:
    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def mount(self, app: Flask) -> None:
        app.add_url_rule("/healthz", "healthz", self.healthz)
        app.add_url_rule("/readyz", "readyz", self.readyz)

    def healthz(self) -> Response:
        return respond({"status": "alive"})

    def readyz(self) -> Response:
        self._readiness.check()
        return respond({"status": "ready"})
