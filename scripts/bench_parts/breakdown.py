"""Where do the microseconds of a token go? Its path, taken apart and run in process on SQLite, one thread, no HTTP.

Processor time, and beside it the time that passed, which for a commit includes waiting for the disk. For whoever tunes:
the pieces are not asked for by anybody, and have no bars.
"""

from __future__ import annotations

import io
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Flask

from app import create_app
from app.oauth.reading import read_form, token_request
from app.services import Services
from app.services.group import Place
from app.services.issuing import IssuedToken, Issuing, TokenRequest
from app.services.limits import Limits
from app.settings import Settings, load
from app.store.issuing import IssuingStore
from scripts.bench_parts.figures import Figure
from scripts.bench_parts.installing import UNREACHED, Client, install, opened
from scripts.bench_parts.plan import FEW, Plan
from scripts.bench_parts.servers import token_requests
from tokenserver.clock import utc_now
from tokenserver.domain.audit import Entry, Event, Head, chained
from tokenserver.domain.secret import digest, looks_like_secret
from tokenserver.tokens.claims import new_token_id

_GROUPS = (1, 4, 16, 64)
_PEER = "127.0.0.1"


def measure(plan: Plan) -> list[Figure]:
    installation = install(plan.folder("breakdown"), FEW)
    times = 30 if plan.smoke else 400
    environ = {"TOKENSERVER_HOME": str(installation.home), "TOKENSERVER_DATABASE_URL": installation.database_url}
    settings = load({**environ, "TOKENSERVER_RATE_LIMITS": UNREACHED}, dotenv=None)
    with opened(installation.home, installation.database_url) as services:
        figures = [*_pieces(services, installation.clients, settings, times)]
        figures += [_transaction(services, installation.clients, size, times) for size in _GROUPS]
        figures += [_transaction(services, installation.clients, size, times, with_uses=True) for size in _GROUPS]
        known = (services.store, services.high_water, services.keys, services.peppers)
        limits = Limits(services.store, settings, utc_now)
        issuing = Issuing(*known, settings, utc_now, limits=limits)
        figures += [_group(issuing, installation.clients, size, times) for size in _GROUPS]
        figures.append(_door(create_app(settings), installation.clients, times))
    return figures


def _pieces(services: Services, clients: Sequence[Client], settings: Settings, times: int) -> Iterator[Figure]:
    environs = itertools.cycle(_environs(clients))
    yield _figure("reading the request: form, Basic header", times, lambda: _read(next(environs)))
    client_id, secret = clients[0]
    pepper = services.peppers[0]
    yield _figure("proving the secret: checksum and HMAC", times, lambda: _prove(client_id, secret, pepper))
    signer, claims = services.keys.ring().access, _claims(client_id, settings.issuer)
    yield _figure("signing: JSON, ES256, base64", times, lambda: signer.sign(claims))
    entry, head = _entry(client_id), Head("issued-bench", 1000)
    yield _figure("an audit line: JSON and SHA-256", times, lambda: chained(entry, head))


def _transaction(
    services: Services, clients: Sequence[Client], size: int, times: int, *, with_uses: bool = False
) -> Figure:
    """Reading credentials and writing audit lines, without anything between the two. `with_uses`: last uses as well.

    The server writes a last use once a second for each secret: always where many credentials are used now and then.
    """
    store = IssuingStore(services.store, services.high_water)
    drawn, moments = itertools.cycle([client_id for client_id, _ in clients]), itertools.count(1_800_000_000)

    def once() -> None:
        chosen = sorted({next(drawn) for _ in range(size)})
        with store.group(chosen, utc_now()) as work:
            work.entries.extend(_entry(client_id) for client_id in chosen)
            if with_uses:
                used = (next(moments), _PEER)
                work.uses.update({known.credential.secrets[0].id: used for known in work.known.values()})

    what = "the group transaction with last uses" if with_uses else "the group transaction"
    return _figure(f"{what}, {size} together: each", times // _effort(size), once, shared_by=size)


def _group(issuing: Issuing, clients: Sequence[Client], size: int, times: int) -> Figure:
    """The whole use case for a group: the five steps, and the transaction around them."""
    requests = itertools.cycle([_read(environ) for environ in _environs(clients)])

    def once() -> None:
        places: list[Place[TokenRequest, IssuedToken]] = [Place(next(requests)) for _ in range(size)]
        issuing._answer(places)  # noqa: SLF001  how large a group is, is up to the threads that come: not here
        fault = next((place.fault for place in places if place.fault is not None), None)
        if fault is not None:
            raise fault

    return _figure(f"issuing, {size} together: each", times // _effort(size), once, shared_by=size)


def _door(app: Flask, clients: Sequence[Client], times: int) -> Figure:
    """From the WSGI environment to the answer's bytes, alone in its group."""
    environs = itertools.cycle(_environs(clients))

    def once() -> None:
        for chunk in app.wsgi_app(next(environs).copy(), _started):
            chunk.decode()

    return _figure("the token door, one request alone", times, once)


def _started(status: str, headers: object, exc_info: object = None, /) -> Any:
    if not status.startswith("200"):
        raise ValueError(f"{status} {headers} {exc_info}")


def _figure(what: str, times: int, work: Callable[[], object], shared_by: int = 1) -> Figure:
    """Medians over `times`, after a warm-up; each of those that share the work gets its part of it."""
    for _ in range(max(3, times // 10)):
        work()
    spent, passed = [], []
    for _ in range(max(3, times)):
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        work()
        spent.append(time.thread_time_ns() - cpu)
        passed.append(time.perf_counter_ns() - wall)
    processor, clock = (statistics.median(taken) / 1000 / shared_by for taken in (spent, passed))
    return Figure("breakdown", what, processor, "µs", also=f"{clock:.1f} µs passed")


def _effort(size: int) -> int:
    return max(1, size // 4)


def _environs(clients: Sequence[Client]) -> list[dict[str, Any]]:
    found = []
    for request in token_requests(clients[:200], 8000):
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        found.append(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": "/oauth/token",
                "QUERY_STRING": "",
                "REMOTE_ADDR": _PEER,
                "CONTENT_TYPE": headers["Content-Type"],
                "CONTENT_LENGTH": headers["Content-Length"],
                "HTTP_AUTHORIZATION": headers["Authorization"],
                "wsgi.input": _Body(body),
            }
        )
    return found


class _Body:
    """An input that can be read again by the next request."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        return io.BytesIO(self._body).read(size)


def _read(environ: dict[str, Any]) -> TokenRequest:
    return token_request(environ, read_form(environ), _PEER, "0123456789abcdef")


def _prove(client_id: str, secret: str, pepper: Any) -> object:
    return looks_like_secret(secret) and digest(client_id, secret, pepper)


def _claims(client_id: str, issuer: str) -> dict[str, Any]:
    return {
        "iss": issuer,
        "sub": client_id,
        "client_id": client_id,
        "aud": "https://api.example.com",
        "iat": 1_800_000_000,
        "nbf": 1_800_000_000,
        "exp": 1_800_000_900,
        "jti": new_token_id(),
        "scope": "reports:read",
        "roles": ["cloud_admin"],
        "gen": 1,
        "org": "org_0123456789abcdef",
        "org_gen": 1,
        "allowed_ips": ["127.0.0.0/8", "192.0.2.1-192.0.3.254", "2001:db8::/32"],
    }


def _entry(client_id: str) -> Entry:
    return Entry(
        event=Event.TOKEN_ISSUED,
        at=utc_now(),
        actor=f"credential:{client_id}",
        organization="org_0123456789abcdef",
        credential=client_id,
        address=_PEER,
        request_id="0123456789abcdef",
        detail={
            "jti": "0123456789abcdefghijkl",
            "secret": "sec_0123456789abcdef",
            "audience": "https://api.example.com",
            "scopes": ("reports:read",),
            "generation": 1,
            "expires_at": 1_800_000_900,
        },
    )
