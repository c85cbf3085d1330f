"""The Starlette adapter with a real Starlette: who calls, and what they may, for `@requires`."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.adapter_conformance import GOOD, REPORTS, by_asgi
from tokenserver.resource.starlette import TokenBackend, refused


@requires("reports:read")
async def reports(request):
    assert request.user.is_authenticated
    return JSONResponse({"hello": request.user.identity, "name": request.user.display_name})


@requires(["authenticated", "role cloud_admin"])
def admin(request):
    return JSONResponse({"hello": request.user.principal.client_id})


def starlette(verifier, **more: Any):
    backend = AuthenticationMiddleware
    return by_asgi(
        Starlette(
            routes=[Route("/reports", reports), Route("/admin", admin)],
            middleware=[Middleware(backend, backend=TokenBackend(verifier, **more), on_error=refused)],
        )
    )


def test_starlette_knows_the_scopes_and_roles_of_a_caller(issuer, verifier):
    call = starlette(verifier)
    assert call("/reports", issuer.authorization(**GOOD)).said["name"].startswith("tsc_")
    assert call("/admin", issuer.authorization(roles={"cloud_admin"})).status == 200
    for headers in ({}, {"Authorization": "Basic eA=="}, issuer.authorization(roles={"reports:read"})):
        assert call("/reports", headers).status == 403
    assert call("/admin", issuer.authorization(scopes={"cloud_admin", "role"})).status == 403


def test_starlette_answers_what_is_refused_as_all_others_do(issuer, clock, verifier):
    call = starlette(verifier)
    headers = issuer.authorization(**GOOD)
    assert call("/reports", headers).status == 200
    issuer.regenerate()
    clock.advance(1)
    answer = call("/reports", headers)
    assert (answer.status, answer.said["error"]) == (401, "invalid_token")
    assert "invalid_token" in answer.headers["www-authenticate"]
    assert starlette(verifier, require=REPORTS)("/reports", issuer.authorization()).status == 403
    assert call("/reports", {"Authorization": "Bearer a b"}).status == 400


def test_a_fault_of_another_backend_is_a_401_without_words():
    answer = refused(HTTPConnection({"type": "http"}), AuthenticationError("a secret thing"))
    assert (answer.status_code, answer.body) == (401, b"")


def test_it_says_where_tokens_come_from_to_everybody(issuer, verifier):
    backend = TokenBackend(verifier, metadata={"scopes_supported": ["reports:read"]})
    app = Starlette(
        routes=[Route("/reports", reports), backend.metadata],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend, on_error=refused)],
    )
    call, place = by_asgi(app), "/.well-known/oauth-protected-resource"
    bad = {"Authorization": "Bearer x"}
    assert f'resource_metadata="{issuer.audience}{place}"' in call("/reports", bad).headers["www-authenticate"]
    for headers in ({}, bad, issuer.authorization(**GOOD)):
        told = call(place, headers).said
        assert (told["resource"], told["authorization_servers"]) == (issuer.audience, [issuer.name])
        assert told["scopes_supported"] == ["reports:read"]
    assert (call(place, method="HEAD").status, call(place, method="POST").status) == (200, 405)
    assert call("/reports", issuer.authorization(**GOOD)).status == 200
    with pytest.raises(ValueError, match="metadata=True"):
        _ = TokenBackend(verifier).metadata
