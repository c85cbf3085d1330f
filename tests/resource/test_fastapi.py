"""The FastAPI adapter with a real FastAPI: sync and async routes, the lock in the documentation, no path around it."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.support.adapter_conformance import ADMIN, GOOD, PATIENT, REPORTS, AdapterConformance, by_asgi
from tests.support.callers import ANYBODY, PEER
from tests.support.spellings import CLOSED_BELOW, METHODS, SPELLINGS, spelled
from tokenserver.resource import Policy, Principal
from tokenserver.resource.asgi import TokenMiddleware
from tokenserver.resource.fastapi import TokenGuard


def guarded(verifier, how: str, **more: Any) -> FastAPI:
    """An API whose routes say how they are guarded in one of the ways there are."""
    app, tokens = FastAPI(), TokenGuard(verifier, **more)
    for path, required in {"/reports": REPORTS, "/admin": ADMIN, "/patient": PATIENT}.items():
        lock = tokens.require(required)

        async def in_loop(caller: Annotated[Principal, lock]):
            return {"hello": caller.client_id}

        def in_thread(caller: Principal = lock):
            return {"hello": caller.client_id}

        app.get(path)(in_loop if how == "async" else in_thread)
    return app


class TestAsync(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        return by_asgi(guarded(verifier, "async"))


class TestSync(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        return by_asgi(guarded(verifier, "sync"))


class TestPolicy(AdapterConformance):
    """The ASGI middleware inside FastAPI."""

    @pytest.fixture
    def call(self, verifier):
        app = FastAPI()
        rows = [("GET", "/reports", REPORTS), ("GET", "/admin", ADMIN), ("GET", "/patient", PATIENT)]
        for _, path, _ in rows:
            app.add_route(
                path, lambda request: JSONResponse({"hello": request.scope["tokenserver.principal"].client_id})
            )
        app.add_middleware(TokenMiddleware, verifier=verifier, require=Policy(rows))
        return by_asgi(app)


def test_the_documentation_shows_the_lock_the_scopes_and_where_tokens_come_from(verifier):
    app = guarded(verifier, "async")
    app.get("/healthz")(lambda: "well")
    document = app.openapi()
    scheme = document["components"]["securitySchemes"]["tokenserver"]
    assert scheme["flows"]["clientCredentials"] == {
        "tokenUrl": "https://auth.example.com/oauth/token",
        "scopes": {"reports:read": "", "keys:write": ""},
    }
    security = {path: item["get"].get("security") for path, item in document["paths"].items()}
    assert security == {
        "/reports": [{"tokenserver": ["reports:read"]}],
        "/admin": [{"tokenserver": ["keys:write"]}],
        "/patient": [{"tokenserver": []}],
        "/healthz": None,
    }


def test_a_router_may_be_guarded_as_a_whole(issuer, verifier):
    tokens = TokenGuard(verifier, token_url="https://login.example.com/token")
    router = APIRouter(dependencies=[tokens.require(roles={"cloud_admin"})])
    router.get("/inside")(lambda: "in")
    app = FastAPI()
    app.include_router(router)
    call = by_asgi(app)
    assert [call("/inside", issuer.authorization(roles=roles)).status for roles in ({"cloud_admin"}, {"r"})] == [
        200,
        403,
    ]
    assert app.openapi()["paths"]["/inside"]["get"]["security"] == [{"tokenserver": []}]
    assert "login.example.com" in str(app.openapi()["components"])


def test_it_says_where_tokens_come_from(issuer, verifier):
    tokens = TokenGuard(verifier, metadata={"resource_name": "Reports"})
    app = FastAPI()
    app.include_router(tokens.metadata)
    app.get("/reports", dependencies=[tokens.require(scopes={"reports:read"})])(lambda: "in")
    call, place = by_asgi(app), "/.well-known/oauth-protected-resource"
    told = call(place).said
    assert (told["resource"], told["authorization_servers"]) == (issuer.audience, [issuer.name])
    assert (told["scopes_supported"], told["resource_name"]) == (["reports:read"], "Reports")
    assert f'resource_metadata="{issuer.audience}{place}"' in call("/reports").headers["www-authenticate"]
    assert (call(place, method="HEAD").status, call(place, method="POST").status) == (200, 405)
    assert place not in app.openapi()["paths"]
    with pytest.raises(ValueError, match="metadata=True"):
        _ = TokenGuard(verifier).metadata


def test_it_explains_when_told_to(issuer, verifier):
    call = by_asgi(guarded(verifier, "async", explain=True))
    said = call("/reports", issuer.authorization()).said
    assert said["explanation"]["reason"] == "lacks the scope reports:read"


def test_a_websocket_opens_with_a_token_and_not_without(issuer, verifier):
    app, tokens = FastAPI(), TokenGuard(verifier)

    @app.websocket("/live")
    async def live(socket: WebSocket, caller: Annotated[Principal, tokens.require(scopes={"reports:read"})]):
        await socket.accept()
        await socket.send_text(caller.client_id)

    client = TestClient(app, client=(PEER, 50_000))
    with client.websocket_connect("/live", headers=issuer.authorization(**GOOD)) as socket:
        assert socket.receive_text().startswith("tsc_")
    refused: list[dict[str, str]] = [{}, issuer.authorization()]
    for headers in refused:
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/live", headers=headers):
            pass
        assert closed.value.code == 1008


# --- paths, as these frameworks route them ----------------------------------------------------------------------------


def everything(where: list[str]):
    async def admin(request):
        where.append("admin")
        return JSONResponse({})

    async def page(request):
        where.append("page")
        return JSONResponse({})

    return [Route("/admin", admin), Route("/admin/{rest:path}", admin), Route("/{rest:path}", page)]


@pytest.mark.filterwarnings("ignore:The `root_path` parameter")
@pytest.mark.parametrize("root", ["", "/up"])
@pytest.mark.parametrize("how", ["inside", "around", "around another", "mounted"])
@pytest.mark.parametrize("method", METHODS)
def test_no_spelling_reaches_a_closed_route(method, how, root, issuer, verifier):
    where: list[str] = []
    app: Any = FastAPI(root_path=root, routes=everything(where))
    for route in app.routes:
        route.methods = None
    if how == "inside":
        app.add_middleware(TokenMiddleware, verifier=verifier, require=CLOSED_BELOW)
    elif how == "around another":
        app = TokenMiddleware(TokenMiddleware(app, verifier, ANYBODY), verifier, CLOSED_BELOW)
    elif how == "mounted":
        inner = Starlette(routes=everything(where))
        app = Starlette(routes=[Mount(root or "/in", TokenMiddleware(inner, verifier, CLOSED_BELOW)), *everything([])])
    else:
        app = TokenMiddleware(app, verifier, CLOSED_BELOW)
    mount, anybody = root or ("/in" if how == "mounted" else ""), issuer.authorization()["Authorization"]
    for path in SPELLINGS:
        spelled(app, method, path, anybody)
        spelled(app, method, mount + path, anybody)
    assert "admin" not in where
    spelled(app, "GET", f"{mount}/page", anybody)
    assert "page" in where


# --- a slash that the router adds or takes away -----------------------------------------------------------------------

ELSEWHERE = {"/slashed": "/slashed/", "/plain/": "/plain"}


def slashed(verifier, policy: Policy | None = None, **more: Any):
    app, tokens = FastAPI(openapi_url=None, **more), TokenGuard(verifier)
    for path in ELSEWHERE.values():
        app.get(path, dependencies=[tokens.require(ADMIN)])(lambda: {"hello": "there"})
    if policy is not None:
        app.add_middleware(TokenMiddleware, verifier=verifier, require=policy)
    return by_asgi(app)


@pytest.mark.parametrize(("path", "there"), ELSEWHERE.items())
def test_a_redirect_to_a_guarded_route_says_no_more_than_its_refusal(path, there, issuer, verifier):
    """Which routes there are, strangers can tell anyway: 401 where there is one, else 404. Unless there is a policy."""
    call = slashed(verifier)
    answer = call(path)
    assert (answer.status, answer.headers["location"]) == (307, f"http://api{there}")
    assert call(there).status == 401
    assert [call(nowhere).status for nowhere in ("/nowhere", "/nowhere/")] == [404, 404]
    assert call(there, issuer.authorization(roles={"cloud_admin"})).status == 200
    assert slashed(verifier, redirect_slashes=False)(path).status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_with_a_policy_strangers_are_told_nothing_that_the_router_would_say_first(method, issuer, verifier):
    rows = [("GET", path, ANYBODY) for path in (*ELSEWHERE, *ELSEWHERE.values(), "/nowhere")]
    call = slashed(verifier, Policy(rows))
    for path in (*ELSEWHERE, *ELSEWHERE.values(), "/nowhere", "/nowhere/", *SPELLINGS):
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer = call(path, headers, method=method)
            assert answer.status == 401, path
            assert not {"location", "allow"} & answer.headers.keys()
    assert call("/slashed", issuer.authorization()).status == 307, "who may pass is redirected"
