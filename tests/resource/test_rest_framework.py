"""The Django REST framework classes with the real framework: who calls, and what a view requires."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import django_site

# Its settings first: the framework reads them when it is imported.
# isort: split
from django.core.cache import cache
from django.test import RequestFactory, override_settings
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from tests.support.adapter_conformance import GOOD, AdapterConformance, Answer
from tests.support.callers import ANYBODY, PEER
from tokenserver.resource.rest_framework import Caller, TokenAuthentication, requires


@pytest.fixture(autouse=True)
def site(verifier):
    with override_settings(TOKENSERVER={"verifier": verifier}):
        yield


def by(view=None):
    def call(path, headers=(), *, peer=PEER) -> Answer:
        extra = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in dict(headers).items()}
        request = RequestFactory().get(path, REMOTE_ADDR=peer, **extra)
        found = view or django_site.api(django_site.ROUTES[path.strip("/")])
        answer = found.as_view()(request).render()
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.items()}, answer.content)

    return call


class TestApiViews(AdapterConformance):
    @pytest.fixture
    def call(self):
        return by()


class Whoever(APIView):
    authentication_classes: Any = (TokenAuthentication,)
    permission_classes: Any = (AllowAny,)

    def get(self, request):
        return Response({"user": str(request.user), "authenticated": isinstance(request.user, Caller)})


class Known(Whoever):
    permission_classes = (IsAuthenticated,)


def test_who_sends_no_token_is_nobody_and_may_be_let_in_by_the_view(issuer):
    assert by(Whoever)("/").said["authenticated"] is False
    said = by(Whoever)("/", issuer.authorization()).said
    assert (said["authenticated"], said["user"][:4]) == (True, "tsc_")
    assert by(Whoever)("/", {"Authorization": "Bearer x.y.z"}).status == 401, "a bad token is refused by every view"


def test_a_caller_is_authenticated_and_has_no_permission_of_the_site(issuer):
    assert by(Known)("/", issuer.authorization()).status == 200
    assert by(Known)("/").status == 401
    caller = Caller(issuer.verifier().verify(issuer.token(), ANYBODY))
    assert not any([caller.is_staff, caller.is_superuser, caller.is_anonymous, caller.has_perm("app.add_thing")])
    assert caller.get_username() == caller.pk


def test_callers_are_throttled_one_by_one(issuer):
    class TwoADay(UserRateThrottle):
        rate = "2/day"

    class Slow(Known):
        throttle_classes = (TwoADay,)

    cache.clear()
    first, second = (issuer.authorization(client_id=f"tsc_{name}") for name in ("one", "two"))
    assert [by(Slow)("/", headers).status for headers in (first, first, first, second)] == [200, 200, 429, 200]
    cache.clear()


def test_stale_news_is_decided_before_permissions():
    with pytest.raises(ValueError, match="TokenAuthentication of your own"):
        requires(any_caller=True, on_stale="accept")


def test_what_another_class_has_authenticated_meets_no_requirement(issuer):
    class Session(TokenAuthentication):
        def authenticate(self, request):
            return object(), "a session"

    class Mixed(Whoever):
        authentication_classes = (Session,)
        permission_classes = (requires(any_caller=True),)

    assert by(Mixed)("/", issuer.authorization(**GOOD)).status == 403
