"""FastAPI and Starlette: dependencies that show their lock in the generated documentation, and a backend.

    tokens = TokenGuard(Verifier(issuer="https://auth.example.com", audience="https://api.example.com"))

    @app.get("/reports")
    async def reports(caller: Annotated[Principal, tokens.require(scopes={"reports:read"})]):
        return {"hello": caller.client_id}

`tokens.require(...)` takes what a `Require` is made of, or a `Require`, and stands wherever a dependency may: in
`Annotated`, and in `dependencies=[...]` of a route, a router or the app; it guards WebSockets too, when they open. The
scopes appear at each operation in the OpenAPI document, with the token endpoint where the documentation's *Authorize*
gets a token. What is refused is an `HTTPException`, so that the app's own handlers apply.

For a whole app that denies by default, take `asgi.TokenMiddleware` with a `Policy`, by
`app.add_middleware(TokenMiddleware, verifier=verifier, require=policy)`. For Starlette's `@requires`, there is
`TokenBackend`: `app.add_middleware(AuthenticationMiddleware, backend=TokenBackend(verifier), on_error=refused)`.
"""

from __future__ import annotations

from typing import Any, Unpack, cast

from fastapi import HTTPException, Security, WebSocketException
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.requests import HTTPConnection
from starlette.responses import Response

from tokenserver.errors import MissingToken
from tokenserver.resource.answers import Answer, Refusal
from tokenserver.resource.asgi import POLICY_VIOLATION, presented_in
from tokenserver.resource.guard import Guard
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, Terms, requirement
from tokenserver.resource.verifier import Verifier

__all__ = ["Caller", "TokenBackend", "TokenGuard", "refused"]

_SAID_BY_THE_FRAMEWORK = {"content-type", "content-length"}


class TokenGuard:
    """Makes dependencies. `token_url`: where the documentation gets tokens; by default that of this token server."""

    def __init__(self, verifier: Verifier, *, token_url: str | None = None, explain: bool = False) -> None:
        self.verifier = verifier
        self._explain = explain
        self._flow = OAuthFlowClientCredentials(tokenUrl=token_url or f"{verifier.issuer.rstrip('/')}/oauth/token")
        self._model = OAuth2(flows=OAuthFlows(clientCredentials=self._flow))

    def require(self, given: Require | None = None, /, **terms: Unpack[Terms]) -> Any:
        """A dependency whose value is the `Principal`."""
        required = requirement(given, terms)
        scopes = sorted(required.all_scopes())
        self._flow.scopes.update((scope, "") for scope in scopes)
        guard = Guard(self.verifier, required, explain=self._explain)
        return Security(_Lock(guard, self._model), scopes=scopes)


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


class Caller(BaseUser):
    """`request.user` behind a `TokenBackend`."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.principal.client_id

    @property
    def identity(self) -> str:
        return self.principal.client_id


class TokenBackend(AuthenticationBackend):
    """Says who calls; what they may is for `@requires`: each scope by its name, each role as `role NAME`.

    (No scope has a space in it, so none can be taken for a role.) Who sends no token is not authenticated, and goes on.
    """

    def __init__(self, verifier: Verifier, require: Require | None = None, *, explain: bool = False) -> None:
        self._guard = Guard(verifier, require or Require(any_caller=True), explain=explain)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        outcome = await self._guard.outcome_in_loop(presented_in(conn.scope, routed=False))
        if isinstance(outcome, Principal):
            roles = [f"role {role}" for role in sorted(outcome.roles)]
            return AuthCredentials(["authenticated", *sorted(outcome.scopes), *roles]), Caller(outcome)
        refusal = cast("Refusal", outcome)
        if isinstance(refusal.fault, MissingToken):
            return None
        raise _RefusedToken(refusal)


class _RefusedToken(AuthenticationError):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.fault.public)


def refused(_: HTTPConnection, fault: AuthenticationError) -> Response:
    """`on_error` of Starlette's `AuthenticationMiddleware`; without it every refusal would be a plain 400."""
    if isinstance(fault, _RefusedToken):
        return _response(fault.refusal)
    return Response(status_code=401)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _headers_beside_the_body(refusal: Refusal) -> dict[str, str]:
    return {name: value for name, value in refusal.headers if name.lower() not in _SAID_BY_THE_FRAMEWORK}
