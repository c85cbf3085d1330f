"""Tokens for urllib: `urllib.request.build_opener(TokenHandler(source, "https://api.example.com")).open(url)`.

A body in memory is sent again; one that is a file or an iterable cannot be.
"""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPMessage
from typing import IO, Any
from urllib.request import BaseHandler, Request
from weakref import WeakKeyDictionary, WeakSet

from tokenserver.client.bearer import Bearer, header
from tokenserver.client.source import TokenSource


class TokenHandler(BaseHandler):
    def __init__(self, source: TokenSource, api: str | Sequence[str]) -> None:
        self._bearer = Bearer(source, api)
        self._sent: WeakKeyDictionary[Request, str] = WeakKeyDictionary()
        self._repeated: WeakSet[Request] = WeakSet()

    def http_request(self, request: Request) -> Request:
        if request in self._repeated:  # with the header that `http_error_401` has set
            return request
        token = self._bearer.token_for(request.full_url)
        if token is not None:
            self._sent[request] = token
            request.add_unredirected_header("Authorization", header(token))
        return request

    https_request = http_request

    def http_error_401(
        self, request: Request, response: IO[bytes], _code: int, _message: str, _headers: HTTPMessage
    ) -> Any:
        """The answer to the repeated request; None leaves the 401 to the next handler, which raises it."""
        token = self._sent.get(request)
        if token is None or request in self._repeated:
            return None
        fresh = self._bearer.instead(token, repeatable=request.data is None or isinstance(request.data, bytes))
        if fresh is None:
            return None
        response.close()
        request.add_unredirected_header("Authorization", header(fresh))
        self._repeated.add(request)
        try:
            return self.parent.open(request, timeout=request.timeout)
        finally:
            self._repeated.discard(request)
