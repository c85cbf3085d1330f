"""Tokens for requests: `session.auth = TokenAuth(source, "https://api.example.com")`.

A body that was a file is wound back before it is sent again; one that was a generator cannot be.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase

from tokenserver.client.bearer import Bearer, header
from tokenserver.client.source import TokenSource


class TokenAuth(AuthBase):
    def __init__(self, source: TokenSource, api: str | Sequence[str]) -> None:
        self._bearer = Bearer(source, api)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        token = self._bearer.token_for(request.url)
        if token is not None:
            request.headers["Authorization"] = header(token)
            answered = functools.partial(self._answered, token, _position(request.body))
            request.register_hook("response", answered)  # type: ignore[no-untyped-call]
        return request

    def _answered(self, token: str, position: int | None, response: Response, **how: Any) -> Response:
        request = response.request
        if response.status_code != 401 or request.headers.get("Authorization") != header(token):
            return response
        fresh = self._bearer.instead(token, repeatable=position is not None)
        if fresh is None:
            return response
        response.content  # noqa: B018  read to its end, so that the connection can be used again
        response.close()
        again = request.copy()
        body: Any = again.body
        if hasattr(body, "seek"):
            body.seek(position)
        again.headers["Authorization"] = header(fresh)
        repeated: Response = response.connection.send(again, **how)
        repeated.history.append(response)
        repeated.request = again
        return repeated


def _position(body: Any) -> int | None:
    """Where the body begins, if it can be sent again."""
    if body is None or isinstance(body, bytes | str):
        return 0
    try:
        position: int = body.tell()
        body.seek(position)
    except (AttributeError, OSError, ValueError):
        return None
    return position
