"""FastAPI: dependencies that show their lock in the generated documentation.

    tokens = TokenGuard(Verifier(issuer="https://auth.example.com", audience="https://api.example.com"))

    @app.get("/reports")
    async def reports(caller: Annotated[Principal, tokens.require(scopes={"reports:read"})]):
        return {"hello": caller.client_id}

`tokens.require(...)` takes what a `Require` is made of, or a `Require`, and stands wherever a dependency may: in
`Annotated`, and in `dependencies=[...]` of a route, a router or the app; it guards WebSockets too, when they open. The
scopes appear at each operation in the OpenAPI document, with the token endpoint where the documentation's *Authorize*
gets a token. What is refused is an `HTTPException`, so that the app's own handlers apply.

`TokenGuard(verifier, metadata=True)` names in each challenge where the API says where tokens come from, and
`app.include_router(tokens.metadata)` says it there.

For a whole app that denies by default, take `asgi.TokenMiddleware` with a `Policy`, by
`app.add_middleware(TokenMiddleware, verifier=verifier, require=policy)`. What Starlette has is here as well: see
`starlette`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack, cast

from fastapi import APIRouter, HTTPException, Response, Security, WebSocketException
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from tokenserver.resource.answers import Refusal
from tokenserver.resource.asgi import POLICY_VIOLATION, presented_in
from tokenserver.resource.guard import Guard
from tokenserver.resource.principal import Principal
from tokenserver.resource.protected_resource import ProtectedResource
from tokenserver.resource.require import Require, Terms, requirement
from tokenserver.resource.starlette import Caller, TokenBackend, refused
from tokenserver.resource.verifier import Verifier

__all__ = ["Caller", "TokenBackend", "TokenGuard", "refused"]

_SAID_BY_THE_FRAMEWORK = {"content-type", "content-length"}


class TokenGuard:
    """Makes dependencies. `token_url`: where the documentation gets tokens; by default that of this token server."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        token_url: str | None = None,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        self.verifier = verifier
        self._metadata, self._explain = metadata, explain
        self._flow = OAuthFlowClientCredentials(tokenUrl=token_url or f"{verifier.issuer.rstrip('/')}/oauth/token")
        self._model = OAuth2(flows=OAuthFlows(clientCredentials=self._flow))

    def require(self, given: Require | None = None, /, **terms: Unpack[Terms]) -> Any:
        """A dependency whose value is the `Principal`."""
        required = requirement(given, terms)
        scopes = sorted(required.all_scopes())
        self._flow.scopes.update((scope, "") for scope in scopes)
        guard = Guard(self.verifier, required, metadata=self._metadata, explain=self._explain)
        return Security(_Lock(guard, self._model), scopes=scopes)

    @property
    def metadata(self) -> APIRouter:
        """Where callers find the token server (RFC 9728), with the scopes of all that is required by then."""
        if self._metadata is False:
            raise ValueError("say TokenGuard(verifier, metadata=True)")
        router = APIRouter(include_in_schema=False)
        router.add_api_route(self._resource().path, self._told, methods=["GET", "HEAD"])
        return router

    def _resource(self) -> ProtectedResource:
        more = self._metadata if isinstance(self._metadata, Mapping) else {}
        return ProtectedResource(self.verifier.audience, self.verifier.issuer, self._flow.scopes, more)

    async def _told(self) -> Response:
        answer = self._resource().answer
        return Response(answer.body, answer.status, dict(answer.headers))


class _Lock(SecurityBase):
    """One dependency. FastAPI finds `model` and `scheme_name`, and draws the lock."""

    scheme_name = "tokenserver"

    def __init__(self, guard: Guard, model: OAuth2) -> None:
        self.model = model
        self._guard = guard

    async def __call__(self, connection: HTTPConnection) -> Principal:
        outcome = await self._guard.outcome_in_loop(presented_in(connection.scope, routed=False))
        if isinstance(outcome, Principal):
            return outcome
        refusal = cast("Refusal", outcome)
        if connection.scope["type"] == "websocket":
            raise WebSocketException(POLICY_VIOLATION, "refused")
        raise HTTPException(refusal.status, refusal.said, _headers_beside_the_body(refusal))


def _headers_beside_the_body(refusal: Refusal) -> dict[str, str]:
    return {name: value for name, value in refusal.headers if name.lower() not in _SAID_BY_THE_FRAMEWORK}
