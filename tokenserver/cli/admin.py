"""What does the admin API say? Calls with a token that is fetched when it is needed and kept in memory only.

Every refusal becomes a `Problem`, with the exit code of its status. A POST carries an `Idempotency-Key`. Nothing is
repeated by itself, but for one thing: a token that has ended meanwhile is fetched anew, once.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tokenserver.cli.connection import Connection
from tokenserver.cli.failures import Problem, unavailable

if TYPE_CHECKING:  # the transport loads TLS, which is not for --help
    from tokenserver.cli.transport import Response, Send, Stream

AUDIENCE = "urn:tokenserver:admin"
ELSEWHERE = "Tokenserver-Organization"
LARGEST_PAGE = 200
Query = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A document, and the ETag of what it shows."""

    document: dict[str, Any]
    etag: str | None


def fetch_token(connection: Connection, form: Mapping[str, str], send: Send) -> dict[str, Any]:
    """What the token endpoint grants to the credential of the connection."""
    sent = {"grant_type": "client_credentials", **form}
    headers = {"Authorization": basic(connection), "Content-Type": "application/x-www-form-urlencoded"}
    answer = send("POST", f"{connection.url}/oauth/token", headers, urlencode(sent).encode())
    document = read(answer)
    if not isinstance(document.get("access_token"), str):
        raise unavailable("The token endpoint answered without a token: is the URL that of a tokenserver?")
    return document


def basic(connection: Connection) -> str:
    """RFC 6749 §2.3.1: both parts form-encoded first."""
    pair = f"{_quoted(connection.client_id)}:{_quoted(connection.secret.reveal())}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")  # what is no text is the server's to refuse


class AdminApi:
    def __init__(self, connection: Connection, send: Send, stream: Stream, organization: str | None = None) -> None:
        self.connection = connection
        self._elsewhere = {} if organization is None else {ELSEWHERE: organization}
        self._send, self._stream = send, stream
        self._token: str | None = None

    def get(self, path: str, query: Query | None = None) -> Answer:
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """One call of the admin API; raises Problem when the server says no."""
        headers = {**self._elsewhere, **({} if if_match is None else {"If-Match": if_match})}
        content = None
        if method in {"POST", "PATCH", "PUT"}:
            headers["Content-Type"] = "application/json"
            content = json.dumps({} if body is None else body).encode()
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        url = self.connection.url + path + _written(query)
        answer = self._send(method, url, {**headers, "Authorization": self._bearer()}, content)
        if answer.status == 401:
            self._token = None
            answer = self._send(method, url, {**headers, "Authorization": self._bearer()}, content)
        return Answer(read(answer), answer.headers.get("ETag"))

    def pages(self, path: str, query: Query | None = None, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Page after page, with at most `limit` items in all; None means all of them."""
        cursor: str | None = str(query["cursor"]) if query and query.get("cursor") else None
        left = limit
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            page = self.get(path, {**(query or {}), "limit": size, "cursor": cursor}).document
            if not isinstance(page.get("items"), list):
                raise unavailable("The server's answer is not a list: is the URL that of a tokenserver?")
            yield page
            cursor = page.get("next")
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])

    def export(self, path: str, query: Query) -> Iterator[bytes]:
        """A long answer, in pieces."""
        url = self.connection.url + path + _written(query)
        first = True
        for piece in self._stream(url, {**self._elsewhere, "Authorization": self._bearer(), "Accept": "*/*"}):
            if first and piece.status != 200:
                read(piece)
            first = False
            yield piece.body

    def _bearer(self) -> str:
        if self._token is None:
            self._token = fetch_token(self.connection, {"resource": AUDIENCE}, self._send)["access_token"]
        return f"Bearer {self._token}"


def _written(query: Query | None) -> str:
    asked = {name: value for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(asked)}" if asked else ""


def read(answer: Response) -> dict[str, Any]:
    """The document; raises Failure on a refusal, and on anything else than a document."""
    try:
        document = json.loads(answer.body) if answer.body else {}
    except (ValueError, RecursionError):
        document = None
    if answer.status >= 400:
        readable = document if isinstance(document, dict) else {}
        raise Problem(answer.status, readable, retry_after=answer.headers.get("Retry-After"))
    if not isinstance(document, dict):
        raise unavailable("The server's answer is not JSON: is the URL that of a tokenserver?")
    return document
