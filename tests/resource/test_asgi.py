"""What only ASGI has: WebSockets, lifespan, and a scope that others may have written into."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.callers import ANYBODY
from tokenserver.resource import Policy, Require
from tokenserver.resource.asgi import PRINCIPAL, TokenMiddleware


def drive(verifier, scope, *, require=ANYBODY, incoming=()):
    """What the server was sent, and the scope that the app was called with (None: it was not)."""
    sent, called, messages = [], [], list(incoming)

    async def app(scope, receive, send):
        called.append(dict(scope))

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(TokenMiddleware(app, verifier, require)(scope, receive, send))
    return sent, called[0] if called else None


def websocket(token=None, **more):
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {"type": "websocket", "path": "/live", "headers": headers, "client": ("192.0.2.1", 1), **more}


CONNECT = [{"type": "websocket.connect"}]


def test_a_websocket_opens_with_a_token_that_meets_the_requirement(issuer, verifier):
    require = Require(roles={"cloud_admin"})
    sent, scope = drive(verifier, websocket(issuer.token(roles={"cloud_admin"})), require=require, incoming=CONNECT)
    assert (sent, scope[PRINCIPAL].roles) == ([], {"cloud_admin"})


@pytest.mark.parametrize("roles", [None, set()])
def test_a_websocket_is_closed_before_it_is_accepted(roles, issuer, verifier):
    token = None if roles is None else issuer.token(roles=roles)
    sent, scope = drive(verifier, websocket(token), require=Require(roles={"cloud_admin"}), incoming=CONNECT)
    assert (sent, scope) == ([{"type": "websocket.close", "code": 1008, "reason": "refused"}], None)


def test_a_websocket_is_refused_over_http_where_the_server_can_do_that(verifier):
    scope = websocket(extensions={"websocket.http.response": {}})
    sent, called = drive(verifier, scope, incoming=CONNECT)
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 401
    assert called is None


def test_a_websocket_that_is_gone_already_is_left_alone(verifier):
    assert drive(verifier, websocket(), incoming=[{"type": "websocket.disconnect"}]) == ([], None)


def test_lifespan_passes_and_starts_the_verifier(issuer, verifier):
    verifier = issuer.verifier(background=True)
    sent, scope = drive(verifier, {"type": "lifespan"})
    assert (sent, scope) == ([], {"type": "lifespan"})
    assert verifier.ready(10)
    verifier.stop()


@pytest.mark.parametrize("kind", ["http3", "HTTP", "mail", ""])
def test_a_scope_of_an_unknown_type_never_reaches_the_app(kind, issuer, verifier):
    headers = [(b"authorization", f"Bearer {issuer.token()}".encode())]
    with pytest.raises(ValueError, match="http and websocket"):
        drive(verifier, {"type": kind, "headers": headers, "path": "/"})


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_principal_that_somebody_else_wrote_is_removed(kind, verifier):
    scope = {**websocket(), "type": kind, PRINCIPAL: "an impostor"}
    drive(verifier, scope, incoming=CONNECT)
    assert PRINCIPAL not in scope


@pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
def test_servers_that_do_not_lower_the_case_of_names_are_understood(name, issuer, verifier):
    scope = {**websocket(), "type": "http", "headers": [(name, f"Bearer {issuer.token()}".encode())]}
    assert drive(verifier, scope)[1] is not None
    twice = {**scope, "headers": [*scope["headers"], (b"authorization", b"Bearer x")]}
    assert drive(verifier, twice)[1] is None


@pytest.mark.parametrize(
    ("path", "root", "inside"),
    [
        ("/api/me", "/api", "/me"),
        ("/api", "/api", ""),
        ("/api/api/me", "/api", "/api/me"),
        ("/apis/me", "/api", "*"),
        ("/x/api/me", "/api", "*"),
        ("/me", "/api", "/me"),
        ("/me", "/", "/me"),
        ("/me", "", "/me"),
    ],
)
def test_a_function_is_asked_about_the_path_inside_the_app_if_it_is_certain(path, root, inside, issuer, verifier):
    asked = []
    scope = {**websocket(issuer.token()), "type": "http", "method": "GET", "path": path, "root_path": root}
    drive(verifier, scope, require=lambda *route: asked.append(route))
    assert asked == [("GET", inside)]


# --- an open WebSocket ------------------------------------------------------------------------------------------------


async def echo(scope, receive, send):
    """What a WebSocket app does, by the letter of ASGI."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    scope["left with"] = message


def converse(verifier, token, *steps, app=echo):
    """What the server was sent while the peer said each text, and each function was called between two of them."""
    sent, scope = [], websocket(token)
    coming: list[Any] = [*CONNECT]
    coming += [step if callable(step) else {"type": "websocket.receive", "text": step} for step in steps]

    async def receive():
        while coming and callable(coming[0]):
            coming.pop(0)()
        return coming.pop(0) if coming else {"type": "websocket.disconnect", "code": 1000}

    async def send(message):
        sent.append((message["type"].removeprefix("websocket."), message.get("text", message.get("code"))))

    asyncio.run(TokenMiddleware(app, verifier, ANYBODY)(scope, receive, send))
    return sent, scope.get("left with")


def test_an_open_websocket_goes_on_while_its_token_is_live(issuer, verifier):
    sent, left = converse(verifier, issuer.token(), "one", lambda: issuer.clock.advance(1), "two")
    assert sent == [("accept", None), ("send", "one"), ("send", "two")]
    assert left == {"type": "websocket.disconnect", "code": 1000}


def ended(issuer):
    issuer.regenerate()
    issuer.clock.advance(1)


def expired(issuer):
    issuer.clock.advance(901)


def unknown(issuer):
    issuer.goes_down()
    issuer.clock.advance(31)


@pytest.mark.parametrize(("end", "code"), [(ended, 1008), (expired, 1008), (unknown, 1013)])
def test_an_open_websocket_is_closed_when_its_token_is_not_live_any_more(end, code, issuer, verifier):
    sent, left = converse(verifier, issuer.token(), "one", lambda: end(issuer), "two", "three")
    assert sent == [("accept", None), ("send", "one"), ("close", code)]
    assert left == {"type": "websocket.disconnect", "code": code, "reason": "refused"}


def test_nothing_is_sent_to_a_caller_whose_token_has_ended(issuer, verifier):
    failed = []

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for text in ("one", "two", "three"):
            try:
                await send({"type": "websocket.send", "text": text})
            except OSError as fault:  # as ASGI has it when the peer is gone
                failed.append(type(fault))
            ended(issuer)
        await send({"type": "websocket.close"})

    sent, _ = converse(verifier, issuer.token(), app=push)
    assert sent == [("accept", None), ("send", "one"), ("close", 1008)]
    assert failed == [ConnectionAbortedError] * 2


def test_a_websocket_that_is_open_to_all_is_not_watched(issuer, verifier):
    scope, sent = websocket(), []
    coming = [*CONNECT, {"type": "websocket.receive", "text": "one"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message["type"])

    policy = Policy([("GET", "/live", Policy.OPEN)])
    asyncio.run(TokenMiddleware(echo, verifier, policy)(scope, receive, send))
    assert sent == ["websocket.accept", "websocket.send"]
