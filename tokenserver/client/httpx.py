"""Tokens for httpx: `httpx.Client(auth=TokenAuth(source, "https://api.example.com"))`, and AsyncClient alike.

A body in memory is sent again; one that is a stream cannot be.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence

import httpx

from tokenserver.client.bearer import Bearer, header
from tokenserver.client.source import TokenSource


class TokenAuth(httpx.Auth):
    def __init__(self, source: TokenSource, api: str | Sequence[str]) -> None:
        self._bearer = Bearer(source, api)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._bearer.token_for(request.url)
        if token is None:
            yield request
            return
        request.headers["Authorization"] = header(token)
        response = yield request
        if _is_refused(response, token):
            fresh = self._bearer.instead(token, repeatable=_is_repeatable(request))
            if fresh is not None:
                request.headers["Authorization"] = header(fresh)
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._bearer.token_for_async(request.url)
        if token is None:
            yield request
            return
        request.headers["Authorization"] = header(token)
        response = yield request
        if _is_refused(response, token):
            fresh = await self._bearer.instead_async(token, repeatable=_is_repeatable(request))
            if fresh is not None:
                request.headers["Authorization"] = header(fresh)
                yield request


def _is_refused(response: httpx.Response, token: str) -> bool:
    """Whether the token was refused: after a redirect to another host it was not sent."""
    return response.status_code == 401 and response.request.headers.get("Authorization") == header(token)


def _is_repeatable(request: httpx.Request) -> bool:
    return isinstance(request.stream, httpx.ByteStream)
