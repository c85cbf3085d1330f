"""A Django site for tests: the settings of this process, once, and the addresses of every test of the adapters."""

from __future__ import annotations

import re

import django
from django.conf import settings

if not settings.configured:  # before the imports below
    settings.configure(
        SECRET_KEY="not a secret: signs nothing here",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="tests.support.django_site",
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        INSTALLED_APPS=["rest_framework"],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        DEFAULT_CHARSET="utf-8",
        USE_TZ=True,
    )
    django.setup()

from django.http import HttpRequest, JsonResponse
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.support.adapter_conformance import ADMIN, PATIENT, REPORTS
from tokenserver.resource import Require
from tokenserver.resource.django import metadata, principal_of, require
from tokenserver.resource.rest_framework import TokenAuthentication, requires

ROUTES = {"reports": REPORTS, "admin": ADMIN, "patient": PATIENT}


def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": principal_of(request).client_id})


async def hello_in_loop(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": principal_of(request).client_id})


class Page(View):
    @method_decorator(require(REPORTS))
    def get(self, request: HttpRequest) -> JsonResponse:
        return hello(request)


class Patient(TokenAuthentication):
    on_stale = "accept"


def api(required: Require) -> type[APIView]:
    patient = required.on_stale is not None

    class Guarded(APIView):
        authentication_classes = (Patient if patient else TokenAuthentication,)
        permission_classes = (requires(any_caller=True) if patient else requires(required),)

        def get(self, request):
            assert principal_of(request._request) is request.auth
            assert request.user.is_authenticated
            return Response({"hello": request.auth.client_id})

        post = get

    return Guarded


REACHED: list[str] = []


@csrf_exempt
def everything(request: HttpRequest, rest: str = "") -> JsonResponse:
    REACHED.append("admin" if re.match(r"/admin(?:/|$)", request.path_info) else "page")
    return JsonResponse({})


urlpatterns = [
    *(path(f"sync/{name}", require(required)(hello)) for name, required in ROUTES.items()),
    *(path(f"async/{name}", require(required)(hello_in_loop)) for name, required in ROUTES.items()),
    *(path(f"api/{name}", api(required).as_view()) for name, required in ROUTES.items()),
    *(path(f"bare/{name}", hello) for name in ROUTES),
    *(path(f"bare-async/{name}", hello_in_loop) for name in ROUTES),
    path("page", Page.as_view()),
    path("slashed/", require(ADMIN)(hello)),
    path("bare-slashed/", hello),
    re_path(r"^admin(?:/(?P<rest>.*))?$", everything),
    re_path(r"^anything$", everything),
    path(".well-known/oauth-protected-resource", metadata),
    path("healthz", lambda _: JsonResponse({"well": True})),
]
