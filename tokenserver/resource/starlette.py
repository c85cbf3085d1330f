"""Starlette: who calls, for its authentication middleware and its `@requires`.

    app = Starlette(routes=routes, middleware=[
        Middleware(AuthenticationMiddleware, backend=TokenBackend(verifier), on_error=refused),
    ])

    @requires("reports:read")
    async def reports(request):
        return JSONResponse({"hello": request.user.principal.client_id})

The backend says who calls, and what they may is for `@requires`: each scope by its name, each role as `role NAME`. (No
scope has a space in it, so none can be taken for a role.) Who sends no token is not authenticated, and goes on; a token
that is not good is refused. With `metadata=True` each such challenge names where the API says where tokens come from,
and `backend.metadata` among the app's routes says it there. For a whole app that denies by default, take
`asgi.TokenMiddleware` with a `Policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from tokenserver.errors import MissingToken
from tokenserver.resource.answers import Answer, Refusal
from tokenserver.resource.asgi import presented_in
from tokenserver.resource.guard import Guard
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require
from tokenserver.resource.verifier import Verifier

__all__ = ["Caller", "TokenBackend", "refused"]


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
    """`require`: what every caller must meet who shows a token; any live one by default."""

    def __init__(
        self,
        verifier: Verifier,
        require: Require | None = None,
        *,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        self._guard = Guard(verifier, require or Require(any_caller=True), metadata=metadata, explain=explain)

    @property
    def metadata(self) -> Route:
        """Where callers find the token server (RFC 9728): one of the app's routes."""
        resource = self._guard.resource
        if resource is None:
            raise ValueError("say TokenBackend(verifier, metadata=True)")
        return Route(resource.path, _told(resource.answer), methods=["GET"])

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        outcome = await self._guard.outcome_in_loop(presented_in(conn.scope, routed=self._guard.routed))
        if isinstance(outcome, Principal):
            roles = [f"role {role}" for role in sorted(outcome.roles)]
            return AuthCredentials(["authenticated", *sorted(outcome.scopes), *roles]), Caller(outcome)
        if not isinstance(outcome, Refusal) or isinstance(outcome.fault, MissingToken):  # the metadata is for everybody
            return None
        raise _RefusedToken(outcome)


def _told(answer: Answer) -> Callable[[Request], Response]:
    return lambda _: Response(answer.body, answer.status, dict(answer.headers))


class _RefusedToken(AuthenticationError):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.fault.public)


def refused(_: HTTPConnection, fault: AuthenticationError) -> Response:
    """`on_error` of Starlette's `AuthenticationMiddleware`; without it every refusal would be a plain 400."""
    if isinstance(fault, _RefusedToken):
        refusal = fault.refusal
        return Response(refusal.body, refusal.status, dict(refusal.headers))
    return Response(status_code=401)
