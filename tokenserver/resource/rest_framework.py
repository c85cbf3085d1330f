"""Django REST framework: an authentication class, and a permission for what a view requires.

    class Reports(APIView):
        authentication_classes = [TokenAuthentication]
        permission_classes = [requires(scopes={"reports:read"})]

        def get(self, request):
            return Response({"hello": request.auth.client_id})

`request.auth` is the `Principal`, and `request.user` a `Caller`, who is authenticated and no user of the site. The
settings are those of `django`. Who sends no bearer token is left to the next authentication class; what is refused ends
there, with the answers and headers of every other adapter, as an `APIException`.

A policy for stale news is decided before permissions are looked at: it is an attribute of the authentication class,
`on_stale = "accept"` in a class of your own.
"""

from __future__ import annotations

from typing import Any, ClassVar, Unpack, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tokenserver.errors import MissingToken, TokenServerError
from tokenserver.resource.answers import Refusal
from tokenserver.resource.django import guard_of, presented_by, remember
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, Terms, requirement

__all__ = ["Caller", "TokenAuthentication", "requires"]


class Caller:
    """What the framework asks of a user."""

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.pk = self.id = principal.client_id
        """By which throttles count."""

    def get_username(self) -> str:
        return self.principal.client_id

    def has_perm(self, *_: object) -> bool:
        """No permission of the site: what callers may is in their tokens."""
        return False

    has_perms = has_module_perms = has_perm

    def __str__(self) -> str:
        return self.principal.client_id


class Refused(APIException):
    """The guard's refusal, as the framework says one."""

    def __init__(self, refusal: Refusal) -> None:
        self.status_code = refusal.status
        self.auth_header = refusal.challenge
        self.wait = refusal.retry_after
        super().__init__(detail=refusal.said, code=refusal.fault.code or None)


class TokenAuthentication(BaseAuthentication):
    """Who calls; may anybody with a live token."""

    on_stale: ClassVar[str | None] = None

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        guard = guard_of(Require(any_caller=True, on_stale=self.on_stale))
        outcome = guard.outcome(presented_by(request._request))  # noqa: SLF001  as the framework's own classes do
        remember(request._request, outcome if isinstance(outcome, Principal) else None)  # noqa: SLF001
        if isinstance(outcome, Principal):
            return Caller(outcome), outcome
        refusal = cast("Refusal", outcome)
        if isinstance(refusal.fault, MissingToken):
            return None
        raise Refused(refusal)

    def authenticate_header(self, _: Request) -> str:
        """What a 401 of the framework's own says: no token was there."""
        guard = guard_of(Require(any_caller=True))
        return guard.refusal(MissingToken()).challenge or "Bearer"


def requires(given: Require | None = None, /, **terms: Unpack[Terms]) -> type[BasePermission]:
    """A permission class: it is met by callers with a token that meets this, and by nobody else."""
    required = requirement(given, terms)
    if required.on_stale is not None:
        raise ValueError("on_stale is decided before permissions are: set it on a TokenAuthentication of your own")

    class Required(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  the framework's form
            if not isinstance(request.auth, Principal):
                return False
            try:
                required.check(request.auth)
            except TokenServerError as fault:
                raise Refused(guard_of(required).refusal(fault)) from None
            return True

    return Required
