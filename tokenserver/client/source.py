"""What does an app hold on to? One `TokenSource` per credential and API: it always has a token that can be used.

It serves threads and event loops alike, fetches one token at a time for all of them (`renewing`), renews it before it
expires, keeps it in memory only, and survives a fork. It speaks plain OAuth 2.0 (RFC 6749 §4.4), to any server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from tokenserver.client.access_token import AccessToken
from tokenserver.client.asking import Asking, Outcome
from tokenserver.client.claiming import Claiming, Writable
from tokenserver.client.endpoint import Endpoint
from tokenserver.client.failures import NoToken, TokenUnavailable
from tokenserver.client.renewing import Attempt, Renewing
from tokenserver.client.secret_sources import GivenSecret, file_of, secret_source
from tokenserver.client.timekeeping import Timekeeper
from tokenserver.client.token_request import BASIC, token_request
from tokenserver.client.transport import HttpTransport, Transport
from tokenserver.clock import Clock, monotonic, utc_now
from tokenserver.domain.origins import checked, checked_issuer

SLACK: Final = 5.0
"""Seconds beyond its own bounds after which an attempt is no longer waited for (it hangs in the resolver, say)."""


class TokenSource:
    """Access tokens of one credential.

    - `token_endpoint`, or `issuer`, whose metadata (RFC 8414) names it.
    - `client_secret`: text, a path (`pathlib.Path`), a callable, or nothing: then `TOKENSERVER_CLIENT_SECRET` or the
      file that `TOKENSERVER_CLIENT_SECRET_FILE` names. Read anew for each token: a secret that changes is picked up.
    - `scope`, `resource`: what the token is for (RFC 6749 §3.3, RFC 8707); `extra`: parameters of other servers.
    - `auth_method`: `client_secret_basic`, or `client_secret_post`.
    - `claim_rotation`: fetch the new secret of a scheduled rotation by itself, and write it to `new_secret_to` (a path
      or a callable; by default the file that the secret is read from) before it is used.
    - `patience`: for how many seconds a token is asked for again and again before callers are told that there is none;
      `timeout`: how long one request may take.
    - `allow_http`: plain http to another machine than this one, where everybody on the way reads the secret.
    - `transport`, `clock`, `monotonic`, `sleep`: another transport, another time.
    """

    def __init__(
        self,
        token_endpoint: str | None = None,
        *,
        issuer: str | None = None,
        client_id: str,
        client_secret: GivenSecret = None,
        scope: str | Iterable[str] | None = None,
        resource: str | Sequence[str] | None = None,
        extra: Mapping[str, str] | None = None,
        auth_method: str = BASIC,
        claim_rotation: bool = False,
        new_secret_to: Writable | None = None,
        patience: float = 30.0,
        timeout: float = 10.0,
        allow_http: bool = False,
        transport: Transport | None = None,
        clock: Clock = utc_now,
        monotonic: Clock = monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if token_endpoint is None and issuer is None:
            raise ValueError("pass token_endpoint, or issuer, whose metadata names it")
        if patience < 0 or timeout <= 0:
            raise ValueError("timeout must be above 0, patience not below it")
        write_to = new_secret_to if new_secret_to is not None else file_of(client_secret)
        if claim_rotation and (issuer is None or write_to is None):
            raise ValueError("claim_rotation needs issuer, and new_secret_to where the secret is not read from a file")
        time = Timekeeper(clock, monotonic) if sleep is None else Timekeeper(clock, monotonic, sleep)
        endpoint = Endpoint(
            token_request(client_id, auth_method=auth_method, scope=scope, resource=resource, extra=extra or {}),
            token_endpoint=token_endpoint and checked(token_endpoint, "token_endpoint", allow_http=allow_http),
            issuer=issuer and checked_issuer(issuer, allow_http=allow_http),
            transport=transport or HttpTransport(),
            time=time,
            timeout=timeout,
            allow_http=allow_http,
        )
        self._claiming = Claiming(secret_source(client_secret), endpoint.waiting_secret, write_to)
        asking = Asking(endpoint.token, self._claiming.secret, time, patience)
        self._renewing = Renewing(asking, time, self._claiming.claim_if_waiting if claim_rotation else _nothing)
        self._longest_wait = patience + 3 * timeout + SLACK  # the last request may have to look at the metadata first
        self._shown = f"TokenSource({token_endpoint or issuer!r}, client_id={client_id!r})"

    def __repr__(self) -> str:
        return self._shown

    def __reduce__(self) -> str:
        raise TypeError("a token source holds secrets and is not pickled: make one in each process")

    def token(self, *, instead_of: str | None = None) -> str:
        """A token that can be used now; raises NoToken.

        `instead_of`: a token that an API has just refused (401). If it is still ours, it is renewed, unless that was
        done a few seconds ago: then it comes back, and there is no point in repeating the request.
        """
        found = self._renewing.now_or_later(instead_of)
        if isinstance(found, AccessToken | NoToken):
            return _text(found)
        try:
            return _text(found.result(self._longest_wait))
        except TimeoutError:
            self._renewing.give_up(found)
        raise TokenUnavailable("The token server did not answer in time.")

    async def token_async(self, *, instead_of: str | None = None) -> str:
        """The same for an event loop (asyncio), which goes on meanwhile."""
        found = self._renewing.now_or_later(instead_of)
        if isinstance(found, AccessToken | NoToken):
            return _text(found)
        outcome = await _in_loop(found, self._longest_wait)
        if outcome is None:
            self._renewing.give_up(found)
            raise TokenUnavailable("The token server did not answer in time.")
        return _text(outcome)

    def authorization(self) -> dict[str, str]:
        """The header for a request: `{"Authorization": "Bearer eyJ…"}`."""
        return {"Authorization": f"Bearer {self.token()}"}

    def rejected(self, token: str) -> None:
        """An API has refused this token (401), and the request cannot be repeated: have another one for the next."""
        self._renewing.now_or_later(token)

    def claim(self) -> bool:
        """Fetch the new secret of a scheduled rotation now; whether there was one. Raises NoToken.

        It has been written to `new_secret_to` when this returns, and is used from the next token on.
        """
        try:
            return self._claiming.claim()
        except NoToken as fault:
            told = fault.anew()
        raise told


def _text(outcome: Outcome) -> str:
    if isinstance(outcome, AccessToken):
        return outcome.text
    raise outcome.anew()


async def _in_loop(attempt: Attempt, seconds: float) -> Outcome | None:
    import asyncio  # noqa: PLC0415  20 ms at import, and many an app never needs it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("token_async needs asyncio; with another event loop, run token() in a thread") from None
    outcome = asyncio.wrap_future(attempt)
    await asyncio.wait([outcome], timeout=seconds)
    if outcome.done():
        return outcome.result()
    outcome.cancel()  # our waiting, not the attempt
    return None


def _nothing(_token: AccessToken) -> None:
    """What happens after a renewal where rotations are not claimed."""
