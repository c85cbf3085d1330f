"""The Django adapter with a real Django: sync and async views, by WSGI and by ASGI, decorated and behind a policy."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from werkzeug.test import Client, EnvironBuilder

from tests.support import django_site
from tests.support.adapter_conformance import GOOD, AdapterConformance, Answer, Call
from tests.support.adapter_conformance import by_asgi as calls_of
from tests.support.callers import ANYBODY, PEER
from tests.support.spellings import CLOSED_BELOW, METHODS, SPELLINGS, spelled
from tokenserver.resource import Policy, asgi
from tokenserver.resource.django import TokenMiddleware, principal_of, require

MIDDLEWARE = ["tokenserver.resource.django.TokenMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]


def by_wsgi(prefix: str = ""):
    def call(path, headers=(), *, method="GET", peer=PEER) -> Answer:
        environ = {"REMOTE_ADDR": peer} | {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in dict(headers).items()
        }
        answer = Client(get_wsgi_application()).open(prefix + path, method=method, environ_base=environ)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers}, answer.data)

    return call


def by_asgi(prefix: str = "") -> Call:
    async def site(scope: Any, receive: Any, send: Any) -> None:
        await get_asgi_application()(scope, receive, send)  # by the settings of the moment

    return calls_of(site, prefix)


@pytest.fixture(autouse=True)
def site(verifier):
    with override_settings(TOKENSERVER={"verifier": verifier}):
        yield


@pytest.fixture
def guarded_site(verifier):
    """The views are bare, and the middleware stands in front."""
    rows = [
        ("GET", f"{prefix}/{name}", required)
        for prefix in ("/bare", "/bare-async")
        for name, required in django_site.ROUTES.items()
    ]
    policy = Policy([*rows, ("POST", "/bare/reports", ANYBODY), ("*", "/healthz", Policy.OPEN)])
    given = {"verifier": verifier, "policy": policy, "metadata": True}
    with override_settings(TOKENSERVER=given, MIDDLEWARE=MIDDLEWARE):
        yield


class TestSyncViewsByWsgi(AdapterConformance):
    @pytest.fixture
    def call(self):
        return by_wsgi("/sync")


class TestAsyncViewsByWsgi(AdapterConformance):
    @pytest.fixture
    def call(self):
        return by_wsgi("/async")


class TestSyncViewsByAsgi(AdapterConformance):
    @pytest.fixture
    def call(self):
        return by_asgi("/sync")


class TestAsyncViewsByAsgi(AdapterConformance):
    @pytest.fixture
    def call(self):
        return by_asgi("/async")


class TestPolicyByWsgi(AdapterConformance):
    @pytest.fixture
    def call(self, guarded_site):
        return by_wsgi("/bare")


class TestPolicyByAsgi(AdapterConformance):
    @pytest.fixture
    def call(self, guarded_site):
        return by_asgi("/bare-async")


BOTH = pytest.mark.parametrize("call", [by_wsgi(), by_asgi()], ids=["WSGI", "ASGI"])


@BOTH
def test_a_policy_covers_the_whole_site(call, guarded_site, issuer):
    anybody = issuer.authorization()
    assert call("/healthz").status == 200
    assert [call(path).status for path in ("/nowhere", "/bare/reports", "/sync/reports")] == [401] * 3
    assert [call(path, anybody).status for path in ("/nowhere", "/sync/reports", "/bare//reports")] == [403] * 3


@BOTH
def test_a_caller_with_a_token_needs_no_csrf_token(call, guarded_site, issuer):
    assert call("/bare/reports", issuer.authorization(), method="POST").status == 200
    assert call("/healthz", method="POST").status == 403, "what is open to all is Django's to protect"


def test_a_decorated_view_needs_no_csrf_token_either(issuer):
    assert by_wsgi()("/sync/reports", issuer.authorization(**GOOD), method="POST").status == 200


@BOTH
def test_it_says_where_tokens_come_from(call, guarded_site, issuer):
    told = call("/.well-known/oauth-protected-resource").said
    assert (told["resource"], told["authorization_servers"]) == (issuer.audience, [issuer.name])
    assert told["scopes_supported"] == ["keys:write", "reports:read"]
    assert "resource_metadata=" in call("/nowhere").headers["www-authenticate"]


@BOTH
@pytest.mark.parametrize("prefix", ["/sync", "/api"])
def test_a_site_without_the_middleware_says_it_by_a_view(prefix, call, verifier, issuer):
    place = "/.well-known/oauth-protected-resource"
    assert call(place).status == 404, "nothing was said of it"
    with override_settings(TOKENSERVER={"verifier": verifier, "metadata": {"resource_name": "Reports"}}):
        told = call(place).said
        assert (told["authorization_servers"], told["resource_name"]) == ([issuer.name], "Reports")
        assert f'resource_metadata="{issuer.audience}{place}"' in call(f"{prefix}/reports").headers["www-authenticate"]
        assert (call(place, method="HEAD").status, call(place, method="OPTIONS").status) == (200, 405)


@BOTH
def test_a_header_that_asks_for_another_method_closes(call, guarded_site, issuer):
    headers = issuer.authorization(**GOOD)
    assert call("/bare/reports", headers).status == 200
    assert call("/bare/reports", {**headers, "X-HTTP-Method-Override": "DELETE"}).status == 403


def test_methods_of_classes_are_guarded(issuer):
    assert by_wsgi()("/page", issuer.authorization(**GOOD)).status == 200
    assert by_wsgi()("/page", issuer.authorization()).status == 403


def test_a_view_that_is_open_has_no_caller(issuer):
    with pytest.raises(RuntimeError, match="open to all"):
        django_site.hello(RequestFactory().get("/", headers=issuer.authorization()))


def test_the_settings_may_be_the_arguments_of_a_verifier(issuer):
    given = {
        "issuer": issuer.name,
        "audience": issuer.audience,
        "fetch": issuer.fetch,
        "clock": issuer.clock,
        "monotonic": issuer.clock.monotonic,
        "background": False,
        "explain": True,
    }
    with override_settings(TOKENSERVER=given):
        assert by_wsgi()("/sync/reports", issuer.authorization(**GOOD)).status == 200
        assert by_wsgi()("/sync/reports").said["explanation"]["check"] == "1. a token is presented"


def test_what_is_missing_in_the_settings_is_said():
    with pytest.raises(ImproperlyConfigured, match="policy"):
        TokenMiddleware(lambda _: HttpResponse())
    with override_settings(TOKENSERVER=None), pytest.raises(ImproperlyConfigured, match="arguments of Verifier"):
        require(ANYBODY)(django_site.hello)(RequestFactory().get("/"))
    with pytest.raises(ValueError, match="any_caller=True"):
        require()


def test_what_somebody_else_wrote_is_no_principal(guarded_site):
    impostor = {"tokenserver.principal": "an impostor", "HTTP_TOKENSERVER_PRINCIPAL": "another"}
    request = RequestFactory().get("/healthz", **impostor)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="nobody"):
        principal_of(request)
    TokenMiddleware(lambda _: HttpResponse())(request)
    assert "tokenserver.principal" not in request.META


@pytest.mark.parametrize("mount", ["", "/up"])
@pytest.mark.parametrize("method", METHODS)
def test_no_spelling_reaches_a_closed_route(method, mount, issuer, verifier):
    """Through Django's own router, by WSGI."""
    django_site.REACHED.clear()
    authorization = issuer.authorization()["Authorization"]
    with override_settings(TOKENSERVER={"verifier": verifier, "policy": CLOSED_BELOW}, MIDDLEWARE=MIDDLEWARE):
        site = get_wsgi_application()
        for path in (*SPELLINGS, "/anything"):
            environ = {
                **EnvironBuilder().get_environ(),
                "REQUEST_METHOD": method,
                "SCRIPT_NAME": mount,
                "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
                "HTTP_AUTHORIZATION": authorization,
                "REMOTE_ADDR": PEER,
            }
            list(site(environ, lambda *_: lambda _: None))
    assert "admin" not in django_site.REACHED
    assert "page" in django_site.REACHED or method == "get"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("forced", [None, "/up"], ids=["no name is forced", "a name is forced"])
@pytest.mark.parametrize("root", ["", "/up"], ids=["at the root", "below a root path"])
@pytest.mark.parametrize("where", ["inside", "around"])
def test_no_spelling_reaches_a_closed_route_of_an_asgi_site_below_a_prefix(
    where, root, forced, method, issuer, verifier
):
    """Django takes the prefix off by itself: the policy must be asked about what is left, inside the site or around."""
    django_site.REACHED.clear()
    anybody = issuer.authorization()["Authorization"]
    given = {"verifier": verifier, "policy": CLOSED_BELOW}
    stands = MIDDLEWARE if where == "inside" else []
    with override_settings(TOKENSERVER=given, MIDDLEWARE=stands, FORCE_SCRIPT_NAME=forced):
        site: Any = get_asgi_application()
        if where == "around":
            site = asgi.TokenMiddleware(site, verifier, CLOSED_BELOW)
        for path in SPELLINGS:
            for before in ("", "/up", "/up/", "/upadmin/..", "/x/up"):
                spelled(site, method, before + path, anybody, root)
        assert "admin" not in django_site.REACHED
        spelled(site, method, f"{root or forced or ''}/anything", anybody, root)
    assert "page" in django_site.REACHED


# --- a slash that Django adds ---------------------------------------------------------------------------------------

COMMON = "django.middleware.common.CommonMiddleware"


@BOTH
def test_a_redirect_to_a_guarded_view_says_no_more_than_its_refusal(call, issuer):
    """Which views there are, strangers can tell anyway: 401 where there is one, else 404. Unless there is a policy."""
    with override_settings(MIDDLEWARE=[COMMON]):
        answers = {path: call(path) for path in ("/slashed", "/slashed/", "/nowhere", "/nowhere/")}
        assert {path: answer.status for path, answer in answers.items()} == {
            "/slashed": 301,
            "/slashed/": 401,
            "/nowhere": 404,
            "/nowhere/": 404,
        }
        assert answers["/slashed"].headers["location"] == "/slashed/"
        assert call("/slashed/", issuer.authorization(roles={"cloud_admin"})).status == 200
        with override_settings(APPEND_SLASH=False):
            assert call("/slashed").status == 404


WITH_COMMON = {
    "before Django's": (["tokenserver.resource.django.TokenMiddleware", COMMON], False),
    "before Django's, which prepends www as well": (["tokenserver.resource.django.TokenMiddleware", COMMON], True),
    "after Django's": ([COMMON, "tokenserver.resource.django.TokenMiddleware"], False),
}


@BOTH
@pytest.mark.parametrize(("middleware", "prepend"), WITH_COMMON.values(), ids=WITH_COMMON.keys())
def test_with_a_policy_strangers_are_told_nothing_that_django_would_say_first(
    call, middleware, prepend, issuer, verifier
):
    rows = [("GET", f"/{name}{slash}", ANYBODY) for name in ("bare-slashed", "nowhere") for slash in ("", "/")]
    given = {"verifier": verifier, "policy": Policy(rows)}
    with override_settings(TOKENSERVER=given, MIDDLEWARE=middleware, PREPEND_WWW=prepend):
        for path in ("/bare-slashed", "/bare-slashed/", "/slashed", "/nowhere", "/nowhere/", *SPELLINGS):
            for headers in ({}, {"Authorization": "Bearer x"}):
                answer = call(path, headers)
                assert answer.status == 401, path
                assert not {"location", "allow"} & answer.headers.keys()
        answer = call("/bare-slashed", issuer.authorization())
        assert (answer.status, answer.headers["location"][-14:]) == (301, "/bare-slashed/"), (
            "who may pass is redirected"
        )


@BOTH
def test_who_prepends_www_before_the_policy_tells_strangers_where_slashes_belong(call, verifier):
    """Hence the order in the documentation."""
    given = {"verifier": verifier, "policy": Policy([("GET", "/bare-slashed/", ANYBODY)])}
    middleware = [COMMON, "tokenserver.resource.django.TokenMiddleware"]
    with override_settings(TOKENSERVER=given, MIDDLEWARE=middleware, PREPEND_WWW=True):
        assert call("/bare-slashed").headers["location"].endswith("/bare-slashed/")
        assert call("/nowhere").headers["location"].endswith("/nowhere")
