"""What only WSGI has: an environ that others may have written into, and servers that are particular."""

from __future__ import annotations

import io
from wsgiref.validate import validator

import pytest

from tests.support.callers import ANYBODY
from tokenserver.resource import Require
from tokenserver.resource.wsgi import PRINCIPAL, TokenMiddleware


def environ(**more):
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/reports",
        "QUERY_STRING": "",
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **more,
    }


def start(middleware, environ):
    """What the middleware started the response with, and the response itself."""
    started = []
    answer = middleware(environ, lambda *args: started.append(args))
    return *started[0][:2], answer


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ[PRINCIPAL].client_id.encode()]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_middleware_keeps_to_the_letter_of_wsgi(method, issuer, verifier):
    guarded = validator(TokenMiddleware(validator(app), verifier, ANYBODY))
    for headers, expected in (
        ({}, "401 Unauthorized"),
        ({"HTTP_AUTHORIZATION": f"Bearer {issuer.token()}"}, "200 OK"),
    ):
        status, _, answer = start(guarded, environ(REQUEST_METHOD=method, **headers))
        list(answer)
        answer.close()
        assert status == expected


def test_a_principal_that_somebody_else_wrote_is_removed(verifier):
    spoofed = environ(**{PRINCIPAL: "an impostor", "HTTP_TOKENSERVER_PRINCIPAL": "another"})
    start(TokenMiddleware(app, verifier, ANYBODY), spoofed)
    assert PRINCIPAL not in spoofed


def test_a_refusal_has_a_piece_though_it_has_no_body_since_servers_start_an_answer_with_its_first(verifier):
    told = TokenMiddleware(app, verifier, ANYBODY)(environ(REQUEST_METHOD="HEAD"), lambda *_: lambda _: None)
    assert list(told) == [b""]


@pytest.mark.parametrize(
    "place",
    [
        {"QUERY_STRING": "access_token={token}"},
        {"HTTP_COOKIE": "access_token={token}"},
        {"HTTP_X_AUTHORIZATION": "Bearer {token}"},
        {"HTTP_PROXY_AUTHORIZATION": "Bearer {token}"},
        {"AUTHORIZATION": "Bearer {token}"},
    ],
)
def test_a_token_anywhere_else_is_no_token(place, issuer, verifier):
    token = issuer.token()
    asked = environ(**{name: text.format(token=token) for name, text in place.items()})
    status, headers, _ = start(TokenMiddleware(app, verifier, ANYBODY), asked)
    assert status == "401 Unauthorized"
    assert ("WWW-Authenticate", 'Bearer realm="https://api.example.com"') in headers


def test_a_middleware_inside_another_asks_for_more(issuer, verifier):
    inner = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}))
    outer = TokenMiddleware(inner, verifier, ANYBODY)
    for roles, expected in ((set(), "403 Forbidden"), ({"cloud_admin"}, "200 OK")):
        asked = environ(HTTP_AUTHORIZATION=f"Bearer {issuer.token(roles=roles)}")
        assert start(outer, asked)[0] == expected
