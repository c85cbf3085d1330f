"""The same request by each HTTP library that `tokenserver.client` has an adapter for."""

from __future__ import annotations

import asyncio
import io
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import httpx
import httpx2
import requests

from tokenserver.client import TokenSource
from tokenserver.client.aiohttp import TokenMiddleware
from tokenserver.client.httpx import TokenAuth as HttpxAuth
from tokenserver.client.httpx2 import TokenAuth as Httpx2Auth
from tokenserver.client.requests import TokenAuth as RequestsAuth
from tokenserver.client.urllib import TokenHandler

Call = Callable[..., list[tuple[int, bytes]]]
"""Source, API and URL, with a body and a number of times; what was answered each time, redirects followed."""


def by_requests(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    with requests.Session() as session:
        session.auth = RequestsAuth(source, api)
        answers = [session.request("POST" if body else "GET", url, data=body, timeout=20) for _ in range(times)]
    return [(answer.status_code, answer.content) for answer in answers]


def by_httpx(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    with httpx.Client(auth=HttpxAuth(source, api), follow_redirects=True, timeout=20) as client:
        return _by_httpx(client, url, body, times)


def by_httpx2(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    with httpx2.Client(auth=Httpx2Auth(source, api), follow_redirects=True, timeout=20) as client:
        return _by_httpx(client, url, body, times)


def by_httpx_async(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    client = httpx.AsyncClient(auth=HttpxAuth(source, api), follow_redirects=True, timeout=20)
    return asyncio.run(_by_httpx_async(client, url, body, times))


def by_httpx2_async(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    client = httpx2.AsyncClient(auth=Httpx2Auth(source, api), follow_redirects=True, timeout=20)
    return asyncio.run(_by_httpx_async(client, url, body, times))


def by_aiohttp(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    async def call() -> Any:
        async with aiohttp.ClientSession(middlewares=[TokenMiddleware(source, api)]) as session:
            answers = []
            for _ in range(times):
                async with session.request("POST" if body else "GET", url, data=body) as answer:
                    answers.append((answer.status, await answer.read()))
            return answers

    return asyncio.run(call())


def by_urllib(source: TokenSource, api: str | Sequence[str], url: str, body: Any = None, times: int = 1) -> Any:
    opener = urllib.request.build_opener(TokenHandler(source, api))
    answers = []
    for _ in range(times):
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "text/plain"} if body else {})
        try:
            with opener.open(request, timeout=20) as answer:
                answers.append((answer.status, answer.read()))
        except urllib.error.HTTPError as refused:
            with refused:
                answers.append((refused.code, refused.read()))
    return answers


def _by_httpx(client: Any, url: str, body: Any, times: int) -> Any:
    answers = [client.request("POST" if body else "GET", url, content=body) for _ in range(times)]
    return [(answer.status_code, answer.content) for answer in answers]


async def _by_httpx_async(client: Any, url: str, body: Any, times: int) -> Any:
    async with client:
        answers = [await client.request("POST" if body else "GET", url, content=body) for _ in range(times)]
    return [(answer.status_code, answer.content) for answer in answers]


CALLS: dict[str, Call] = {
    "requests": by_requests,
    "httpx": by_httpx,
    "httpx, async": by_httpx_async,
    "httpx2": by_httpx2,
    "httpx2, async": by_httpx2_async,
    "aiohttp": by_aiohttp,
    "urllib": by_urllib,
}


async def _pieces() -> Any:
    yield b"a "
    yield b"body"


STREAMS: dict[str, Callable[[], Any]] = {
    "requests": lambda: iter([b"a ", b"body"]),
    "httpx": lambda: iter([b"a ", b"body"]),
    "httpx, async": _pieces,
    "httpx2": lambda: iter([b"a ", b"body"]),
    "httpx2, async": _pieces,
    "aiohttp": _pieces,
    "urllib": lambda: iter([b"a ", b"body"]),
}
"""A body for each that can be sent once only."""


def a_file() -> io.BytesIO:
    """A body that can be wound back, of which some was read already."""
    file = io.BytesIO(b"skip this: a body")
    file.seek(11)
    return file
