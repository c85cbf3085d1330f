"""The gRPC adapter with real servers on real ports: threads and asyncio, all four kinds of procedure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.support.adapter_conformance import ADMIN, PATIENT, REPORTS
from tests.support.forgeries import FORGERIES
from tests.support.world import eventually
from tokenserver.resource import Policy
from tokenserver.resource.grpc import AioTokenInterceptor, TokenInterceptor, current_principal
from tokenserver.resource.testing import CLIENT_ID

POLICY = Policy(
    [
        ("POST", "/reports.Reports/Read", REPORTS),
        ("POST", "/reports.Reports/Admin", ADMIN),
        ("POST", "/reports.Reports/Patient", PATIENT),
        ("POST", "/reports.Reports/Open", Policy.OPEN),
        ("POST", "/reports.Streams/**", REPORTS),
    ]
)


def hello() -> bytes:
    return current_principal().client_id.encode()


TAKEN: list[bytes] = []
GO_ON = threading.Event()


class Threads:
    """Behaviours for `grpc.server`."""

    def unary(self, request, context):
        return hello()

    def open(self, request, context):
        with pytest.raises(RuntimeError, match="nobody"):
            current_principal()
        return b"open"

    def responses(self, request, context):
        for _ in range(3):
            yield hello()

    def slow(self, request, context):
        yield hello()
        assert GO_ON.wait(20)
        yield hello()

    def requests(self, requests, context):
        TAKEN.extend(requests)
        return hello() + b"".join(TAKEN)

    def both(self, requests, context):
        for request in requests:
            yield hello() + request


class Loop:
    """The same for `grpc.aio.server`; one of them is no coroutine, and runs in a thread there."""

    async def unary(self, request, context):
        return hello()

    def open(self, request, context):
        return b"open"

    async def responses(self, request, context):
        for _ in range(3):
            yield hello()

    async def slow(self, request, context):
        yield hello()
        assert await asyncio.to_thread(GO_ON.wait, 20)
        yield hello()

    async def requests(self, requests, context):
        async for request in requests:
            TAKEN.append(request)  # noqa: PERF401  it is looked at meanwhile
        return hello() + b"".join(TAKEN)

    async def both(self, requests, context):
        async for request in requests:
            await context.write(hello() + request)  # the other way of asyncio


def handlers(does: Any) -> list[grpc.GenericRpcHandler]:
    unary = grpc.unary_unary_rpc_method_handler
    return [
        grpc.method_handlers_generic_handler(
            "reports.Reports",
            {
                **dict.fromkeys(("Read", "Admin", "Patient", "Unnamed"), unary(does.unary)),
                "Open": unary(does.open),
            },
        ),
        grpc.method_handlers_generic_handler(
            "reports.Streams",
            {
                "Responses": grpc.unary_stream_rpc_method_handler(does.responses),
                "Slow": grpc.unary_stream_rpc_method_handler(does.slow),
                "Requests": grpc.stream_unary_rpc_method_handler(does.requests),
                "Both": grpc.stream_stream_rpc_method_handler(does.both),
            },
        ),
    ]


@contextmanager
def threads(verifier, **more) -> Iterator[str]:
    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, interceptors=[TokenInterceptor(verifier, POLICY, **more)])
        server.add_generic_rpc_handlers(handlers(Threads()))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait(10)


@contextmanager
def loop(verifier, **more) -> Iterator[str]:
    ready: futures.Future[str] = futures.Future()

    async def serve() -> None:
        stopped = asyncio.Event()
        server = grpc.aio.server(interceptors=[AioTokenInterceptor(verifier, POLICY, **more)])
        server.add_generic_rpc_handlers(handlers(Loop()))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stop.append((asyncio.get_running_loop(), stopped))
        ready.set_result(f"127.0.0.1:{port}")
        await stopped.wait()
        await server.stop(0)

    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    with futures.ThreadPoolExecutor(1) as pool:
        serving = pool.submit(asyncio.run, serve())
        try:
            yield ready.result(10)
        finally:
            for running, stopped in stop:
                running.call_soon_threadsafe(stopped.set)
            serving.result(10)


@pytest.fixture(params=[threads, loop], ids=["threads", "asyncio"])
def serve(request):
    return request.param


@pytest.fixture
def channel(serve, verifier):
    with serve(verifier) as address, grpc.insecure_channel(address) as channel:
        yield channel


def call(channel, name, headers=None, *more):
    """The response; raises grpc.RpcError."""
    metadata = [(key.lower(), value) for key, value in (headers or {}).items()]
    return channel.unary_unary(f"/reports.Reports/{name}")(b"", metadata=[*metadata, *more], timeout=20)


def refused(channel, name, headers=None, *more) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(grpc.RpcError) as raised:
        call(channel, name, headers, *more)
    fault: Any = raised.value
    return fault.code(), fault.details(), dict(fault.trailing_metadata())


UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


def test_a_caller_who_meets_the_requirement_comes_through_and_is_known(issuer, channel):
    assert call(channel, "Read", issuer.authorization(scopes={"reports:read"})) == CLIENT_ID.encode()


def test_without_a_token_or_with_a_bad_one_a_caller_is_unauthenticated(issuer, channel):
    code, words, trailers = refused(channel, "Read")
    assert (code, words) == (UNAUTHENTICATED, "An access token is required.")
    assert trailers["www-authenticate"] == 'Bearer realm="https://api.example.com"'
    for forge in FORGERIES.values():
        token = forge(issuer)
        if token.isascii() and token.isprintable() and len(token) < 4000:  # the rest gRPC itself sends nowhere
            assert refused(channel, "Read", {"authorization": f"Bearer {token}"})[0] is UNAUTHENTICATED
    twice = issuer.authorization(scopes={"reports:read"})
    assert refused(channel, "Read", twice, ("authorization", "Bearer x"))[0] is UNAUTHENTICATED


def test_requirements_and_the_table_hold(issuer, channel):
    code, _, trailers = refused(channel, "Read", issuer.authorization())
    assert (code, 'scope="reports:read"' in trailers["www-authenticate"]) == (DENIED, True)
    assert refused(channel, "Admin", issuer.authorization(roles={"reader"}))[0] is DENIED
    assert call(channel, "Admin", issuer.authorization(scopes={"keys:write"}, environment="production"))
    assert refused(channel, "Unnamed", issuer.authorization(roles={"cloud_admin"}))[0] is DENIED
    assert refused(channel, "Nowhere", issuer.authorization())[0] is grpc.StatusCode.UNIMPLEMENTED
    assert call(channel, "Open") == b"open"


def test_an_address_restriction_holds(issuer, channel):
    inside = issuer.authorization(scopes={"reports:read"}, allowed_ips="127.0.0.0/8")
    outside = issuer.authorization(scopes={"reports:read"}, allowed_ips="198.51.100.0/24")
    assert call(channel, "Read", inside)
    assert refused(channel, "Read", outside)[0] is DENIED
    assert refused(channel, "Read", outside, ("x-forwarded-for", "198.51.100.7"))[0] is DENIED


def test_behind_a_trusted_proxy_the_forwarded_address_counts(serve, issuer):
    restricted = issuer.authorization(scopes={"reports:read"}, allowed_ips="198.51.100.0/24")
    with serve(issuer.verifier(trusted_proxies=["127.0.0.0/8"])) as address, grpc.insecure_channel(address) as channel:
        assert call(channel, "Read", restricted, ("x-forwarded-for", "198.51.100.7"))
        assert refused(channel, "Read", restricted)[0] is DENIED


def test_regenerating_the_secret_ends_the_token(issuer, clock, channel):
    headers = issuer.authorization(scopes={"reports:read"})
    assert call(channel, "Read", headers)
    issuer.regenerate()
    clock.advance(1)
    assert refused(channel, "Read", headers)[0] is UNAUTHENTICATED


def test_old_news_refuses_unless_the_procedure_accepts_it(issuer, clock, channel):
    headers = issuer.authorization(scopes={"reports:read"})
    assert call(channel, "Patient", headers)
    issuer.goes_down()
    clock.advance(31)
    assert refused(channel, "Read", headers)[0] is grpc.StatusCode.UNAVAILABLE
    assert call(channel, "Patient", headers)


def test_streams_know_their_caller_and_are_refused_alike(issuer, channel):
    ways = [
        lambda metadata: list(channel.unary_stream("/reports.Streams/Responses")(b"", metadata=metadata, timeout=20)),
        lambda metadata: [
            channel.stream_unary("/reports.Streams/Requests")(iter([b""]), metadata=metadata, timeout=20)
        ],
        lambda metadata: list(
            channel.stream_stream("/reports.Streams/Both")(iter([b"", b""]), metadata=metadata, timeout=20)
        ),
    ]
    good = issuer.authorization(scopes={"reports:read"})["Authorization"]
    for way, many in zip(ways, (3, 1, 2), strict=True):
        assert way([("authorization", good)]) == [CLIENT_ID.encode()] * many
        with pytest.raises(grpc.RpcError) as raised:
            way([])
        fault: Any = raised.value
        assert fault.code() is UNAUTHENTICATED


@pytest.mark.parametrize("kind", ["Both", "Responses", "Requests"])
def test_an_open_stream_ends_with_its_token(kind, issuer, clock, channel):
    ended = threading.Event()

    def requests():
        yield b"one"
        assert ended.wait(20)
        yield b"two"

    metadata: Any = [("authorization", issuer.authorization(scopes={"reports:read"})["Authorization"])]
    if kind == "Both":
        answers = channel.stream_stream("/reports.Streams/Both")(requests(), metadata=metadata, timeout=20)
        assert next(answers) == CLIENT_ID.encode() + b"one"
    elif kind == "Responses":
        answers = channel.unary_stream("/reports.Streams/Slow")(b"", metadata=metadata, timeout=20)
        assert next(answers) == CLIENT_ID.encode()
    else:
        answers = channel.stream_unary("/reports.Streams/Requests").future(requests(), metadata=metadata, timeout=20)
        assert eventually(lambda: TAKEN, "the first request was taken")
    issuer.regenerate()
    clock.advance(1)
    ended.set()
    GO_ON.set()
    with pytest.raises(grpc.RpcError) as raised:
        answers.result() if kind == "Requests" else list(answers)
    fault: Any = raised.value
    assert fault.code() is UNAUTHENTICATED


@pytest.fixture(autouse=True)
def nothing_taken():
    TAKEN.clear()
    GO_ON.clear()


def test_a_caller_leaves_nothing_behind_for_the_next(issuer, channel):
    for number in range(8):
        headers = issuer.authorization(scopes={"reports:read"}, client_id=f"tsc_{number}")
        assert call(channel, "Read", headers) == f"tsc_{number}".encode()
        assert call(channel, "Open") == b"open"


def test_it_explains_when_told_to(serve, issuer, verifier):
    with serve(verifier, explain=True) as address, grpc.insecure_channel(address) as channel:
        assert refused(channel, "Read", issuer.authorization())[2]["explanation"] == "lacks the scope reports:read"
