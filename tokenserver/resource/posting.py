"""How is something posted to the issuer? One request, bounded; and how a report is handed in by a token and a POST.

Each request is bounded in time as a whole, and its answer in size; nothing but a thread of the background waits for
either. As in `fetching`: certificates are verified, redirects not followed, and the proxies of the environment not
used. What fails is `NotTaken`, in words of our own; a secret or a token is in none of them.
"""

from __future__ import annotations

import json
import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from tokenserver import __version__
from tokenserver.clock import Clock, monotonic
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.resource.fetching import connected, hurry, read_within
from tokenserver.resource.forking import prepared

LONGEST_ANSWER: Final = 64 * 1024
RENEWED_BEFORE: Final = 30.0
"""Seconds before its end that a token is fetched anew."""
SCOPE: Final = "usage:write"

Post = Callable[[str, Mapping[str, str], bytes, float], tuple[int, bytes]]
"""URL, headers, body and a timeout in seconds to status and body. It may raise whatever it likes."""


GivenSecret = str | os.PathLike[str] | Callable[[], str]
"""A secret: the text itself, the path of a file with it, or a function that gives it. The last two are asked each time,
so that a secret that changes is picked up.
"""


class NotTaken(Exception):
    """The report was not taken. `for_good`: the same report never will be."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


class HttpPost:
    """The standard library's HTTP client; `context` for a private CA."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = prepared(context)

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> tuple[int, bytes]:
        deadline, parts = monotonic() + timeout, urlsplit(url)
        connection = connected(url, self._context, timeout)
        try:
            hurry(connection, deadline)
            connection.request("POST", parts.path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return response.status, read_within(connection, response, LONGEST_ANSWER, deadline)
        finally:
            connection.close()


class Desk:
    """Where reports of one issuer's credentials are handed in. Used by one thread at a time."""

    def __init__(
        self, issuer: str, client_id: str, secret: Callable[[], str], post: Post, ticks: Clock, timeout: float
    ) -> None:
        base = issuer.rstrip("/")
        self._token_url, self._reports_url = f"{base}/oauth/token", f"{base}/v1/usage-reports"
        self._client_id, self._secret = client_id, secret
        self._post, self._ticks, self._timeout = post, ticks, timeout
        self._token, self._renew_at = "", 0.0

    def hand_in(self, report: Mapping[str, object]) -> Mapping[str, Any]:
        """What the server says of it; raises NotTaken. A token that was ended meanwhile is fetched anew, once."""
        body = json.dumps(report, separators=(",", ":")).encode()
        status, answer = self._send(body)
        if status == 401:
            self._token = ""
            status, answer = self._send(body)
        if status != 200:
            raise NotTaken(f"the report was answered {status}", for_good=status in {400, 413, 415, 422})
        return object_in(answer)

    def _send(self, body: bytes) -> tuple[int, bytes]:
        if not self._token or self._ticks() >= self._renew_at:
            self._fetch_token()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return send(self._post, self._reports_url, headers, body, self._timeout)

    def _fetch_token(self) -> None:
        headers = {
            "Authorization": basic(self._client_id, self._secret()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = {"grant_type": "client_credentials", "resource": ADMIN_AUDIENCE, "scope": SCOPE}
        status, answer = send(self._post, self._token_url, headers, urlencode(form).encode(), self._timeout)
        if status != 200:
            raise NotTaken(f"no token for the reporter: answered {status}")
        granted = object_in(answer)
        token, lifetime = granted.get("access_token"), granted.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not isinstance(lifetime, int):
            raise NotTaken("no token for the reporter: the answer cannot be read")
        self._token, self._renew_at = token, self._ticks() + lifetime - RENEWED_BEFORE


def secret_reader(given: GivenSecret) -> Callable[[], str]:
    """Raises TypeError or ValueError on what can be no secret."""
    if isinstance(given, os.PathLike):
        return lambda: _text_in(given)
    if callable(given):
        return given
    if not isinstance(given, str):
        raise TypeError("the secret is a text, the path of a file (pathlib.Path), or a function that gives it")
    if not given:
        raise ValueError("the secret is empty")
    return lambda: given


def _text_in(path: os.PathLike[str]) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib is 2 ms of every import
        return file.read()


def basic(client_id: str, secret: str) -> str:
    """The proof of a credential, for `Authorization` (RFC 6749 §2.3.1). A file with the secret may end its line."""
    proof = f"{quote_plus(client_id)}:{quote_plus(secret.strip())}"
    return f"Basic {b64encode(proof.encode()).decode()}"


def send(post: Post, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> tuple[int, bytes]:
    """Status and body, whatever they are; raises NotTaken where there are none."""
    said = {"Accept": "application/json", "User-Agent": f"tokenserver-resource/{__version__}", **headers}
    try:
        return post(url, said, body, timeout)
    except TimeoutError:
        raise NotTaken("the issuer did not answer in time") from None
    except OSError:
        raise NotTaken("the issuer cannot be reached") from None
    except Exception as fault:  # noqa: BLE001  a transport of somebody else's may raise anything
        raise NotTaken(f"the issuer's answer cannot be read ({type(fault).__name__})") from None


def object_in(answer: bytes) -> Mapping[str, Any]:
    """The JSON object that was answered; raises NotTaken."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotTaken("the issuer's answer is not JSON") from None
    if not isinstance(found, dict):
        raise NotTaken("the issuer's answer is not a JSON object")
    return found
