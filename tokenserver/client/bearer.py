"""Which token goes with this request, and is it repeated after a 401? The one brain of all adapters.

- A token is sent to the APIs that it is for (`api`: one or more origins) and to nobody else: a redirect to another
  host, or another host called through the same session, gets none.
- 401 means that the request was not carried out (RFC 9110 §15.5.2). It is repeated once with another token, if there
  is one and the body can be sent again; otherwise the API's answer stands. If the token server cannot be asked, the
  API's answer stands as well: the next request will say why.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenserver.client.failures import NoToken
from tokenserver.client.source import TokenSource
from tokenserver.domain.origins import Origin, origin_of


class Bearer:
    def __init__(self, source: TokenSource, api: str | Sequence[str]) -> None:
        apis = [api] if isinstance(api, str) else [*api]
        if not apis:
            raise ValueError('say which API the tokens are for, as in "https://api.example.com"')
        self._source = source
        self._origins = frozenset(_origin(one) for one in apis)

    def token_for(self, url: object) -> str | None:
        """The token for a request to `url`; None: it gets none. Raises NoToken."""
        return self._source.token() if self._is_api(url) else None

    async def token_for_async(self, url: object) -> str | None:
        return await self._source.token_async() if self._is_api(url) else None

    def instead(self, token: str, *, repeatable: bool) -> str | None:
        """The token to repeat the request with, after a 401 to `token`; None: the answer stands."""
        if not repeatable:
            self._source.rejected(token)
            return None
        try:
            fresh = self._source.token(instead_of=token)
        except NoToken:
            return None
        return None if fresh == token else fresh

    async def instead_async(self, token: str, *, repeatable: bool) -> str | None:
        if not repeatable:
            self._source.rejected(token)
            return None
        try:
            fresh = await self._source.token_async(instead_of=token)
        except NoToken:
            return None
        return None if fresh == token else fresh

    def _is_api(self, url: object) -> bool:
        try:
            return origin_of(str(url).partition("#")[0]) in self._origins
        except ValueError:
            return False


def header(token: str) -> str:
    """The value of `Authorization`."""
    return f"Bearer {token}"


def _origin(api: str) -> Origin:
    try:
        return origin_of(api)
    except ValueError as fault:
        raise ValueError(f'the API must be an address such as "https://api.example.com": {fault}') from None
