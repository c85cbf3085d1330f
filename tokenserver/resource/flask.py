"""Flask: an extension, a decorator, and the caller.

    tokens = TokenGuard(app, Verifier(issuer="https://auth.example.com", audience="https://api.example.com"))

    @app.get("/reports")
    @require(scopes={"reports:read"})
    def reports():
        return {"hello": current_principal.client_id}

`require` takes what a `Require` is made of, or a `Require`; it stands below the route, and works on async views and in
`View.decorators` alike. Only decorated views are guarded: with a `Policy`, `TokenGuard(app, verifier, policy)`, the
whole app is, static files and unknown addresses included, and views may require more.

Flask answers some requests before a view has a say: `/reports` by a redirect (308) where the rule is `/reports/`, a
wrong method by 405, OPTIONS by the methods. With a `Policy` none of that is told to strangers. Without one, a redirect
to a guarded view is kept from them too; methods are not.

An app factory makes `tokens = TokenGuard()` once and calls `tokens.init_app(app)`; where no verifier is given, one is
made of `app.config["TOKENSERVER"]`, the arguments of `Verifier` as a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, Unpack, cast
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, current_app, request  # noqa: TID251  the way of Flask's extensions: one per app
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import MapAdapter, RequestRedirect

from tokenserver.resource.answers import Answer
from tokenserver.resource.guard import Guard
from tokenserver.resource.policy import Policy
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, Terms, requirement
from tokenserver.resource.verifier import Verifier
from tokenserver.resource.wsgi import PRINCIPAL, TokenMiddleware, presented_in

__all__ = ["TokenGuard", "current_principal", "require"]

_NAME = "tokenserver"
_REQUIRED = "_tokenserver_required"
_MOST_REDIRECTS = 5

P = ParamSpec("P")
R = TypeVar("R")


class TokenGuard:
    """Guards the views of one app or more, each by its own verifier."""

    def __init__(
        self,
        app: Flask | None = None,
        verifier: Verifier | None = None,
        policy: Policy | None = None,
        *,
        metadata: bool | Mapping[str, object] = False,
        explain: bool = False,
    ) -> None:
        self._verifier, self._policy = verifier, policy
        self._metadata, self._explain = metadata, explain
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, verifier: Verifier | None = None, policy: Policy | None = None) -> None:
        if _NAME in app.extensions:
            raise RuntimeError("this app has a TokenGuard already")
        guards = _Guards(verifier or self._verifier or _configured(app), metadata=self._metadata, explain=self._explain)
        app.extensions[_NAME] = guards
        app.before_request(_refuse_before_a_redirect)
        policy = policy or self._policy
        if policy is not None:
            guarded = TokenMiddleware(
                app.wsgi_app, guards.verifier, policy, metadata=self._metadata, explain=self._explain
            )
            app.wsgi_app = guarded  # type: ignore[method-assign]  # the way Flask's documentation has it
        elif (resource := guards.of(Require(any_caller=True)).resource) is not None:
            app.add_url_rule(resource.path, f"{_NAME}.metadata", lambda: _response(resource.answer))


class _Guards:
    """What an app keeps: one guard for each requirement of its views."""

    def __init__(self, verifier: Verifier, *, metadata: bool | Mapping[str, object], explain: bool) -> None:
        self.verifier = verifier
        self._metadata, self._explain = metadata, explain
        self._made: dict[Require, Guard] = {}

    def of(self, required: Require) -> Guard:
        if required not in self._made:
            self._made[required] = Guard(self.verifier, required, metadata=self._metadata, explain=self._explain)
        return self._made[required]


def require(given: Require | None = None, /, **terms: Unpack[Terms]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only callers through that meet this."""
    required = requirement(given, terms)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            request.environ.pop(PRINCIPAL, None)
            outcome = _guards().of(required).outcome(presented_in(request.environ, routed=True))
            if not isinstance(outcome, Principal):
                return _response(cast("Answer", outcome))
            request.environ[PRINCIPAL] = outcome
            return current_app.ensure_sync(view)(*args, **kwargs)

        setattr(guarded, _REQUIRED, required)
        return cast("Callable[P, R]", guarded)

    return decorate


def _refuse_before_a_redirect() -> Response | None:
    """Whoever may not see a view is not told how it is spelled, either. Nobody is let in here."""
    required = _required_behind(request.routing_exception)
    if required is None:
        return None
    outcome = _guards().of(required).outcome(presented_in(request.environ, routed=True))
    return None if isinstance(outcome, Principal) else _response(cast("Answer", outcome))


def _required_behind(met: object) -> Require | None:
    """What the view requires to which Flask is about to redirect, if it is guarded."""
    adapter = current_app.create_url_adapter(request)
    for _ in range(_MOST_REDIRECTS):
        if not isinstance(met, RequestRedirect) or adapter is None:
            return None
        try:
            endpoint, _ = adapter.match(_path_in(met.new_url, adapter), method=request.method)
        except HTTPException as fault:
            met = fault
        else:
            return getattr(current_app.view_functions.get(endpoint), _REQUIRED, None)
    return None


def _path_in(url: str, adapter: MapAdapter) -> str:
    """The path inside the app."""
    return unquote(urlsplit(url).path).removeprefix(adapter.script_name.rstrip("/"))


def _guards() -> _Guards:
    try:
        return cast("_Guards", current_app.extensions[_NAME])
    except KeyError:
        raise RuntimeError("this app has no TokenGuard: call TokenGuard(app, verifier) where it is made") from None


def _configured(app: Flask) -> Verifier:
    settings = app.config.get("TOKENSERVER")
    if not isinstance(settings, dict):
        raise TypeError('give a verifier, or set app.config["TOKENSERVER"] to the arguments of one, as a dict')
    return Verifier(**settings)


def _response(answer: Answer) -> Response:
    return current_app.response_class(answer.body, answer.status, headers=list(answer.headers))


def _caller() -> Principal:
    principal = request.environ.get(PRINCIPAL)
    if isinstance(principal, Principal):
        return principal
    raise RuntimeError("nobody has been let in here: this view has no @require(...), and is open to all")


current_principal = cast("Principal", LocalProxy(_caller))
"""The caller of the present request."""
