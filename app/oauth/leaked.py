"""`POST /oauth/leaked`: whoever finds a secret ends it by showing it. `POST /oauth/leaked/github`: GitHub's scanners.

The first answers everybody with the same bytes after the same time, so that nobody learns from it what is a secret of
ours: not from the answer, and not by the clock, since it comes no sooner than an ending takes. A request that waits
costs a thread, so that few may wait at a time.

The second follows GitHub's secret scanning partner program. Who has signed as GitHub is told which of its findings were
ours, by the SHA-256 of each.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request, Response, request

from app.http import LARGEST_BODY, address_of, request_id_of, respond
from app.oauth.reading import read_form
from app.services.github_keys import GithubKeys
from app.services.leaks import LeakReport, Leaks
from app.settings import Settings
from tokenserver.clock import monotonic
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.secret import Secret
from tokenserver.errors import InvalidRequest, TooLarge, Unavailable

ANSWER_SECONDS = 0.05
"""An ending takes a tenth of it, where the database is not in a hurry."""
MOST_AT_A_TIME = 8
MOST_FINDINGS = 1000
_THANKS = {"message": "Thank you. If this was a secret of this server, it works no more."}
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")


class Leaked:
    def __init__(
        self, leaks: Leaks, keys: GithubKeys, settings: Settings, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._leaks = leaks
        self._keys = keys
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        self._pause = pause
        self._places = threading.BoundedSemaphore(MOST_AT_A_TIME)

    def mount(self, app: Flask) -> None:
        app.add_url_rule("/oauth/leaked", "leaked", self.leaked, methods=["POST"])
        app.add_url_rule("/oauth/leaked/github", "leaked_github", self.github, methods=["POST"])

    def leaked(self) -> Response:
        leak = _read(request)
        if not self._places.acquire(blocking=False):
            raise Unavailable(detail="too many reports of leaks at a time")
        try:
            answer_at = monotonic() + ANSWER_SECONDS
            self._leaks.report(leak, *self._asker())
            self._pause(max(0.0, answer_at - monotonic()))
        finally:
            self._places.release()
        return respond(_THANKS)

    def github(self) -> Response:
        request.max_content_length = LARGEST_BODY + 1
        body = request.get_data(cache=False)
        if len(body) > LARGEST_BODY:
            raise TooLarge
        told = request.headers
        self._keys.refuse_unsigned(
            body, told.get("Github-Public-Key-Identifier", ""), told.get("Github-Public-Key-Signature", "")
        )
        return respond_list([self._finding(finding) for finding in _findings(body)])

    def _finding(self, finding: Mapping[str, str]) -> dict[str, str]:
        secret = finding["token"]
        leak = LeakReport(Secret(secret), url=finding["url"], source=f"github {finding['source']}".strip())
        ours = self._leaks.report(leak, *self._asker())
        return {
            "token_hash": hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest(),
            "token_type": finding["type"],
            "label": "true_positive" if ours else "false_positive",
        }

    def _asker(self) -> tuple[str, str]:
        return address_of(request, self._proxies), request_id_of(request.environ)


def respond_list(items: list[dict[str, str]]) -> Response:
    return Response(json.dumps(items, separators=(",", ":")), 200, content_type="application/json")


def _read(request: Request) -> LeakReport:
    environ = {name: value for name, value in request.environ.items() if name != "HTTP_AUTHORIZATION"}
    form = read_form(environ)  # without that header, nothing of the body is remembered
    if any(len(form.get(name, ())) > 1 for name in ("secret", "client_id", "url", "source")):
        raise InvalidRequest("A parameter is repeated.")
    if "secret" not in form:
        raise InvalidRequest("The parameter secret is missing: send the secret that you found.")
    client_id, url, source = (form.get(name, [""])[0] for name in ("client_id", "url", "source"))
    return LeakReport(Secret(form["secret"][0]), client_id, url, source)


def _findings(body: bytes) -> list[dict[str, str]]:
    try:
        told: Any = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON in UTF-8.") from None
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise InvalidRequest("The body is a list of objects with token, type, url and source.")
    if len(told) > MOST_FINDINGS:
        raise TooLarge(f"Report at most {MOST_FINDINGS} findings at a time.")
    findings = [{name: one.get(name) or "" for name in ("token", "type", "url", "source")} for one in told]
    if any(not isinstance(text, str) for one in findings for text in one.values()):
        raise InvalidRequest("token, type, url and source are texts.")
    if any(_TYPE.match(one["type"]) is None for one in findings):
        raise InvalidRequest("type is the name under which GitHub knows the pattern.")
    return findings
