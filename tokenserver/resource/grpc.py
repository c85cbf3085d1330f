"""gRPC: an interceptor for a server of threads, and one for a server of asyncio.

    server = grpc.server(executor, interceptors=[TokenInterceptor(verifier, Require(scopes={"reports:read"}))])
    server = grpc.aio.server(interceptors=[AioTokenInterceptor(verifier, policy)])

The token comes in the metadata, as `authorization: Bearer …`. In a `Policy` the method is POST, as gRPC has it over
HTTP/2, and the path the full name of the procedure: `("POST", "/reports.Reports/Read", Require(...))`, or
`("POST", "/reports.Reports/**", ...)` for a service. A procedure that does not exist is UNIMPLEMENTED to everybody.

Inside a procedure, `current_principal()` is the caller; in a generator of responses too. A refusal ends the call with
UNAUTHENTICATED (401 and 400 over HTTP), PERMISSION_DENIED (403) or UNAVAILABLE (503), and the words that others get
over HTTP; the challenge is in the trailing metadata as `www-authenticate`.

A stream lives no longer than its token: it is looked at again with every message that a procedure takes from its
iterator of requests or yields. Procedures of asyncio that use `context.read` and `context.write` instead are looked at
when they begin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

import grpc
import grpc.aio

from tokenserver.resource.answers import Refusal
from tokenserver.resource.guard import Guard, Outcome, Presented
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, RequireOf
from tokenserver.resource.verifier import Verifier

__all__ = ["AioTokenInterceptor", "TokenInterceptor", "current_principal"]

_STATUS: Final = {
    400: grpc.StatusCode.UNAUTHENTICATED,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
}
_FORWARDING: Final = {"forwarded", "x-forwarded-for"}
_CALLER: ContextVar[Principal | None] = ContextVar("tokenserver.principal", default=None)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Details = grpc.HandlerCallDetails
Behaviour = Callable[[Any, Any], Any]


def current_principal() -> Principal:
    """The caller of the present procedure."""
    principal = _CALLER.get()
    if principal is None:
        raise RuntimeError("nobody has been let in here: the server has no TokenInterceptor, or the policy is open")
    return principal


class TokenInterceptor(grpc.ServerInterceptor):
    """For `grpc.server`."""

    def __init__(self, verifier: Verifier, require: Require | RequireOf, *, explain: bool = False) -> None:
        self._guard = Guard(verifier, require, explain=explain)

    def intercept_service(
        self, continuation: Callable[[Details], Handler | None], handler_call_details: Details
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        return None if handler is None else _in_threads(self._guard, handler, handler_call_details)


class AioTokenInterceptor(grpc.aio.ServerInterceptor):
    """For `grpc.aio.server`; procedures that are no coroutines run in threads there, and are guarded alike."""

    def __init__(self, verifier: Verifier, require: Require | RequireOf, *, explain: bool = False) -> None:
        self._guard = Guard(verifier, require, explain=explain)

    async def intercept_service(
        self, continuation: Callable[[Details], Awaitable[Handler | None]], handler_call_details: Details
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        behaviour = _behaviour_of(handler)
        if iscoroutinefunction(behaviour) or isasyncgenfunction(behaviour):
            return _in_loop(self._guard, handler, handler_call_details)
        return _in_threads(self._guard, handler, handler_call_details)


def _in_threads(guard: Guard, handler: Handler, details: Details) -> Handler:
    behaviour = _behaviour_of(handler)

    def admit(context: grpc.ServicerContext) -> None:
        outcome = guard.outcome(_presented(details, context.peer()))
        if isinstance(outcome, Refusal):
            context.set_trailing_metadata(_trailers(outcome))
            context.abort(_status(outcome), outcome.fault.public)
        _CALLER.set(_caller(outcome))

    def watched(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            admit(context)
            yield request

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        admit(context)
        return behaviour(watched(request, context) if handler.request_streaming else request, context)

    def answers(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        admit(context)
        for response in behaviour(watched(request, context) if handler.request_streaming else request, context):
            admit(context)
            yield response

    return _with(handler, answers if handler.response_streaming else answer)


def _in_loop(guard: Guard, handler: Handler, details: Details) -> Handler:
    behaviour = _behaviour_of(handler)

    async def admit(context: grpc.aio.ServicerContext[Any, Any]) -> None:
        outcome = await guard.outcome_in_loop(_presented(details, context.peer()))
        if isinstance(outcome, Refusal):
            await context.abort(_status(outcome), outcome.fault.public, _trailers(outcome))
        _CALLER.set(_caller(outcome))

    async def watched(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        async for request in requests:
            await admit(context)
            yield request

    async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await admit(context)
        return await behaviour(watched(request, context) if handler.request_streaming else request, context)

    async def answers(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        await admit(context)
        async for response in behaviour(watched(request, context) if handler.request_streaming else request, context):
            await admit(context)
            yield response

    return _with(handler, answers if isasyncgenfunction(behaviour) else answer)


def _behaviour_of(handler: Handler) -> Behaviour:
    return cast(
        "Behaviour", handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )


def _with(handler: Handler, behaviour: Behaviour) -> Handler:
    makers: dict[tuple[bool, bool], Callable[..., Handler]] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = makers[handler.request_streaming, handler.response_streaming]
    return make(behaviour, handler.request_deserializer, handler.response_serializer)


def _presented(details: Details, peer: str) -> Presented:
    sent = [(name.lower(), _text(value)) for name, value in cast("Sequence[Any]", details.invocation_metadata or ())]
    return Presented(
        [value for name, value in sent if name == "authorization"],
        _address(peer),
        [(name, value) for name, value in sent if name in _FORWARDING],
        "POST",
        _text(details.method),
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _address(peer: str) -> str | None:
    """`ipv4:192.0.2.1:50000` or `ipv6:%5B::1%5D:50000`; None where it is no address, as with `unix:`."""
    kind, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else None


def _status(refusal: Refusal) -> grpc.StatusCode:
    return _STATUS.get(refusal.status, grpc.StatusCode.UNAVAILABLE)


def _trailers(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    told = {"www-authenticate": refusal.challenge, "explanation": refusal.said.get("explanation", {}).get("reason")}
    return tuple((name, value) for name, value in told.items() if value)


def _caller(outcome: Outcome) -> Principal | None:
    return outcome if isinstance(outcome, Principal) else None
