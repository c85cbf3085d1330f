"""What only WSGI has: an environ that others may have written into, and servers that are particular."""

from __future__ import annotations

from wsgiref.validate import validator

import pytest

from tests.support.callers import ANYBODY
from tokenserver.resource.wsgi import PRINCIPAL, TokenMiddleware


def environ(**more):
    import io

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


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ[PRINCIPAL].client_id.encode()]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_middleware_keeps_to_the_letter_of_wsgi(method, issuer, verifier):
    guarded = validator(TokenMiddleware(validator(app), verifier, ANYBODY))
    started = []
    for headers in ({}, {"HTTP_AUTHORIZATION": f"Bearer {issuer.token()}"}):
        answer = guarded(environ(REQUEST_METHOD=method, **headers), lambda *args: started.append(args[0]))
        list(answer)
        answer.close()
    assert started == ["401 Unauthorized", "200 OK"]


def test_a_principal_that_somebody_else_wrote_is_removed(verifier):
    spoofed = environ(**{PRINCIPAL: "an impostor", "HTTP_TOKENSERVER_PRINCIPAL": "another"})
    TokenMiddleware(app, verifier, ANYBODY)(spoofed, lambda *_: None)
    assert PRINCIPAL not in spoofed


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
    started = []
    TokenMiddleware(app, verifier, ANYBODY)(asked, lambda *args: started.append(args))
    assert started[0][0] == "401 Unauthorized"
    assert ("WWW-Authenticate", 'Bearer realm="https://api.example.com"') in started[0][1]


def test_a_middleware_inside_another_asks_for_more(issuer, verifier):
    from tokenserver.resource import Require

    inner = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}))
    outer = TokenMiddleware(inner, verifier, ANYBODY)
    started = []
    for roles in (set(), {"cloud_admin"}):
        asked = environ(HTTP_AUTHORIZATION=f"Bearer {issuer.token(roles=roles)}")
        outer(asked, lambda *args: started.append(args[0]))
    assert started == ["403 Forbidden", "200 OK"]
