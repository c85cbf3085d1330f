"""Tokens for aiohttp (3.12 or newer): `aiohttp.ClientSession(middlewares=[TokenMiddleware(source, API)])`.

A body in memory is sent again; one that is a file or a stream cannot be.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.payload import BytesPayload

from tokenserver.client.bearer import Bearer, header
from tokenserver.client.source import TokenSource


class TokenMiddleware:
    def __init__(self, source: TokenSource, api: str | Sequence[str]) -> None:
        self._bearer = Bearer(source, api)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        token = await self._bearer.token_for_async(request.url)
        if token is None:
            return await handler(request)
        request.headers["Authorization"] = header(token)
        response = await handler(request)
        if response.status != 401:
            return response
        fresh = await self._bearer.instead_async(token, repeatable=_is_repeatable(request))
        if fresh is None:
            return response
        response.release()
        request.headers["Authorization"] = header(fresh)
        return await handler(request)


def _is_repeatable(request: ClientRequest) -> bool:
    return not request.body or isinstance(request.body, BytesPayload)
