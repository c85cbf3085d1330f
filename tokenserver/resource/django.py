"""Django: a middleware for the whole site, a decorator for one view, sync and async.

    # settings.py
    TOKENSERVER = {"issuer": "https://auth.example.com", "audience": "https://api.example.com"}

    # views.py
    @require(scopes={"reports:read"})
    def reports(request):
        return JsonResponse({"hello": principal_of(request).client_id})

`settings.TOKENSERVER` has the arguments of `Verifier`, or the verifier itself as `verifier`; further `policy`,
`metadata` and `explain`. `tokenserver.resource.django.TokenMiddleware` in `MIDDLEWARE` guards every path by the
`policy`, what no rule names included; put it first of those that do anything for a caller. The decorator `require`
takes what a `Require` is made of, or a `Require`, and goes on methods with Django's `method_decorator`. For Django REST
framework, see `rest_framework`.

The middleware serves the `metadata` itself. A site without it has the view of this name among its URLs, so that what a
challenge names is there.

Who has been let in by a token needs no CSRF token: no browser adds an `Authorization: Bearer` header by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, wraps
from threading import Lock
from typing import Any, TypeVar, Unpack, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from tokenserver.resource.answers import Answer
from tokenserver.resource.guard import Guard, Outcome, Presented
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, RequireOf, Terms, requirement
from tokenserver.resource.verifier import Verifier
from tokenserver.resource.wsgi import PRINCIPAL, presented_in

__all__ = ["TokenMiddleware", "metadata", "principal_of", "require"]

V = TypeVar("V", bound=Callable[..., Any])

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class TokenMiddleware:
    """By `settings.TOKENSERVER["policy"]`; without one, the site does not start."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        policy = _settings().get("policy")
        if policy is None:
            raise ImproperlyConfigured('TokenMiddleware needs settings.TOKENSERVER["policy"], or use @require on views')
        self._guard = guard_of(policy)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._answer_in_loop(request)
        return self._instead(request, self._guard.outcome(presented_by(request))) or self.get_response(request)

    async def _answer_in_loop(self, request: HttpRequest) -> HttpResponseBase:
        outcome = await self._guard.outcome_in_loop(presented_by(request))
        instead = self._instead(request, outcome)
        return instead or await cast("Awaitable[HttpResponseBase]", self.get_response(request))

    @staticmethod
    def _instead(request: HttpRequest, outcome: Outcome) -> HttpResponse | None:
        if isinstance(outcome, Answer):
            return _response(outcome)
        remember(request, outcome)
        if outcome is not None:
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # noqa: SLF001  Django's own
        return None


def require(given: Require | None = None, /, **terms: Unpack[Terms]) -> Callable[[V], V]:
    """Let only callers through that meet this."""
    required = requirement(given, terms)

    def decorate(view: V) -> V:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            outcome = guard_of(required).outcome(presented_by(request))
            return _admit(request, outcome) or view(request, *args, **kwargs)

        @wraps(view)
        async def guarded_in_loop(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            outcome = await guard_of(required).outcome_in_loop(presented_by(request))
            return _admit(request, outcome) or await view(request, *args, **kwargs)

        made: Any = guarded_in_loop if iscoroutinefunction(view) else guarded
        made.csrf_exempt = True
        return cast("V", made)

    return decorate


def principal_of(request: HttpRequest) -> Principal:
    """The caller of this request."""
    principal = request.META.get(PRINCIPAL)
    if isinstance(principal, Principal):
        return principal
    raise RuntimeError("nobody has been let in here: this view has no @require(...), and is open to all")


def metadata(request: HttpRequest) -> HttpResponse:
    """The view at `.well-known/oauth-protected-resource`: where callers find the token server (RFC 9728)."""
    given = _settings()
    resource = guard_of(given.get("policy") or Require(any_caller=True)).resource
    if resource is None:
        raise Http404('settings.TOKENSERVER["metadata"] is not set')
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return _response(resource.answer)


# --- for rest_framework as well ---------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def guard_of(required: Require | RequireOf) -> Guard:
    """By the settings of this site."""
    given = _settings()
    metadata: bool | Mapping[str, object] = given.get("metadata", False)
    return Guard(_verifier(), required, metadata=metadata, explain=given.get("explain", False))


def presented_by(request: HttpRequest) -> Presented:
    """`META` is a WSGI environ, or made to look like one; of the paths, those that Django has decoded."""
    presented = presented_in(request.META, routed=True)
    mount = request.path.removesuffix(request.path_info) if request.path_info else request.path
    return presented._replace(path=request.path_info, mount=mount)


def remember(request: HttpRequest, principal: Principal | None) -> None:
    """In `META`, where nothing with such a name comes from a caller, and where a WSGI middleware would put it."""
    request.META.pop(PRINCIPAL, None)
    if principal is not None:
        request.META[PRINCIPAL] = principal


def _admit(request: HttpRequest, outcome: Outcome) -> HttpResponse | None:
    """The response instead of the view's, unless it is a caller who was let in."""
    remember(request, outcome if isinstance(outcome, Principal) else None)
    return None if isinstance(outcome, Principal) else _response(cast("Answer", outcome))


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))


_making = Lock()
_OURS = ("verifier", "policy", "metadata", "explain")


def _verifier() -> Verifier:
    with _making:  # two first requests at once must not make two
        return _made()


@lru_cache(maxsize=1)
def _made() -> Verifier:
    given = _settings()
    made = given.get("verifier")
    if isinstance(made, Verifier):
        return made
    return Verifier(**{name: value for name, value in given.items() if name not in _OURS})


def _settings() -> dict[str, Any]:
    given = getattr(settings, "TOKENSERVER", None)
    if not isinstance(given, dict):
        raise ImproperlyConfigured("set settings.TOKENSERVER to the arguments of Verifier, as a dict")
    return given


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "TOKENSERVER":
        guard_of.cache_clear()
        _made.cache_clear()


setting_changed.connect(_forget, dispatch_uid=__name__)  # `override_settings` of Django's own tests
