"""The Flask adapter with a real Flask: sync and async views, blueprints, class-based views, factories, and a policy."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.test import EnvironBuilder

from tests.support.adapter_conformance import ADMIN, GOOD, PATIENT, REPORTS, AdapterConformance, Answer
from tests.support.callers import PEER
from tests.support.spellings import CLOSED_BELOW, METHODS, SPELLINGS
from tokenserver.resource import Policy, Require
from tokenserver.resource.flask import TokenGuard, current_principal, require


def by(app: Flask):
    def call(path, headers=(), *, method="GET", peer=PEER) -> Answer:
        # by the environ, because a client encodes as it should, and callers do not
        environ = {"REMOTE_ADDR": peer} | {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in dict(headers).items()
        }
        answer = app.test_client().open(path, method=method, environ_base=environ)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers}, answer.data)

    return call


def hello():
    return {"hello": current_principal.client_id}


async def hello_in_loop():
    return {"hello": current_principal.client_id}


def site(view) -> Flask:
    app = Flask(__name__)
    for path, required in {"/reports": REPORTS, "/admin": ADMIN, "/patient": PATIENT}.items():
        app.add_url_rule(path, path, require(required)(view))
    return app


class TestSync(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        app = site(hello)
        TokenGuard(app, verifier)
        return by(app)


class TestAsync(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        app = site(hello_in_loop)
        TokenGuard(app, verifier)
        return by(app)


class TestPolicy(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        app = Flask(__name__)
        rows = [("GET", "/reports", REPORTS), ("GET", "/admin", ADMIN), ("GET", "/patient", PATIENT)]
        for _, path, _ in rows:
            app.add_url_rule(path, path, hello)
        TokenGuard(app, verifier, Policy(rows))
        return by(app)


class TestClassBasedViewsOfABlueprint(AdapterConformance):
    @pytest.fixture
    def call(self, verifier):
        pages = Blueprint("pages", __name__)
        for path, required in {"/reports": REPORTS, "/admin": ADMIN, "/patient": PATIENT}.items():

            class Page(MethodView):
                decorators: ClassVar[Any] = (require(required),)

                def get(self):
                    return hello()

            pages.add_url_rule(path, view_func=Page.as_view(path.strip("/")))
        app = Flask(__name__)
        app.register_blueprint(pages)
        TokenGuard().init_app(app, verifier)
        return by(app)


def test_require_takes_what_a_requirement_is_made_of(issuer, verifier):
    app = Flask(__name__)
    TokenGuard(app, verifier)
    app.add_url_rule("/", "home", require(roles={"cloud_admin"})(hello))
    assert by(app)("/", issuer.authorization(roles={"cloud_admin"})).status == 200
    assert by(app)("/", issuer.authorization()).status == 403
    with pytest.raises(ValueError, match="any_caller=True"):
        require()
    with pytest.raises(TypeError, match="one Require"):
        require(REPORTS, roles={"cloud_admin"})


def test_two_apps_of_one_factory_have_verifiers_of_their_own(issuer):
    apps = []
    tokens = TokenGuard()
    for audience in ("https://one.example.com", "https://two.example.com"):
        apps.append(site(hello))
        tokens.init_app(apps[-1], issuer.verifier(audience=audience))
    headers = issuer.authorization(**GOOD, audience="https://one.example.com")
    assert [by(app)("/reports", headers).status for app in apps] == [200, 401]


def test_a_verifier_is_made_of_the_configuration(issuer):
    app = site(hello)
    app.config["TOKENSERVER"] = {
        "issuer": issuer.name,
        "audience": issuer.audience,
        "fetch": issuer.fetch,
        "clock": issuer.clock,
        "monotonic": issuer.clock.monotonic,
        "background": False,
    }
    TokenGuard(app)
    assert by(app)("/reports", issuer.authorization(**GOOD)).status == 200


def test_what_is_missing_is_said_when_the_app_is_made_or_the_view_is_called(verifier):
    with pytest.raises(TypeError, match="TOKENSERVER"):
        TokenGuard(Flask(__name__))
    app = site(hello)
    app.testing = True
    with pytest.raises(RuntimeError, match="no TokenGuard"):
        by(app)("/reports")
    app = site(hello)
    TokenGuard(app, verifier)
    with pytest.raises(RuntimeError, match="already"):
        TokenGuard(app, verifier)


def test_a_view_that_is_open_has_no_caller(issuer, verifier):
    app = Flask(__name__)
    app.testing = True
    TokenGuard(app, verifier)
    app.add_url_rule("/open", "open", hello)
    with pytest.raises(RuntimeError, match="open to all"):
        by(app)("/open", issuer.authorization())


def test_a_policy_covers_static_files_and_unknown_addresses_and_views_may_require_more(issuer, verifier):
    app = Flask(__name__)
    app.add_url_rule("/admin", "admin", require(roles={"cloud_admin"})(hello))
    app.add_url_rule("/healthz", "healthz", lambda: "well")
    TokenGuard(app, verifier, Policy([("GET", "/healthz", Policy.OPEN), ("*", "/admin", Require(any_caller=True))]))
    call = by(app)
    anybody = issuer.authorization()
    assert call("/healthz").status == 200
    assert [call(path).status for path in ("/static/x", "/nowhere", "/admin")] == [401] * 3
    assert [call(path, anybody).status for path in ("/static/x", "/nowhere", "/admin", "/healthz/")] == [403] * 4
    assert call("/admin", issuer.authorization(roles={"cloud_admin"})).status == 200


@pytest.mark.parametrize("policy", [None, Policy([("GET", "/admin", ADMIN)])])
def test_it_says_where_tokens_come_from(policy, verifier):
    app = site(hello)
    TokenGuard(app, verifier, policy, metadata={"resource_name": "Reports"})
    told = by(app)("/.well-known/oauth-protected-resource").said
    assert (told["authorization_servers"], told["resource_name"]) == ([verifier.issuer], "Reports")
    url = "https://api.example.com/.well-known/oauth-protected-resource"
    assert f'resource_metadata="{url}"' in by(app)("/admin").headers["www-authenticate"]


def test_it_explains_when_told_to(issuer, verifier):
    app = site(hello)
    TokenGuard(app, verifier, explain=True)
    said = by(app)("/reports", issuer.authorization()).said
    assert said["explanation"] == {"check": "4. it has what is required here", "reason": "lacks the scope reports:read"}


def test_an_answer_to_head_has_no_body(verifier):
    app = site(hello)
    TokenGuard(app, verifier)
    answer = by(app)("/reports", method="HEAD")
    assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize("mount", ["", "/up"])
@pytest.mark.parametrize("method", METHODS)
def test_no_spelling_reaches_a_closed_route(method, mount, issuer, verifier):
    """Through Flask's own router, as lenient as it can be made."""
    where: list[str] = []

    def reach(name: str, rest: str = "") -> str:
        where.append(name)
        return rest

    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes, app.url_map.redirect_defaults = False, False
    for name, rules in {"admin": ("/admin", "/admin/<path:rest>"), "page": ("/", "/<path:rest>")}.items():
        for rule in rules:
            for verb in {method.upper(), "GET"}:
                view = partial(reach, name)
                app.add_url_rule(rule, f"{rule} {verb}", view, methods=[verb], provide_automatic_options=False)
    TokenGuard(app, verifier, CLOSED_BELOW)
    authorization = issuer.authorization()["Authorization"]
    for path in (*SPELLINGS, "/page"):
        environ = {
            **EnvironBuilder().get_environ(),
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": mount,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "HTTP_AUTHORIZATION": authorization,
            "REMOTE_ADDR": PEER,
        }
        list(app(environ, lambda *_: lambda _: None))
    assert "admin" not in where
    assert "page" in where or method == "get"


# --- what Flask answers before a view has a say -----------------------------------------------------------------------

SLASHED = ("/reports", "//reports", "/reports//", "//reports/", "/%72eports", "/api/../reports")


def slashed(verifier, policy=None) -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/reports/", "reports", require(ADMIN)(hello))
    app.add_url_rule("/open/", "open", lambda: "open to all")
    TokenGuard(app, verifier, policy)
    return app


@pytest.mark.parametrize("path", SLASHED)
def test_a_redirect_to_a_guarded_view_is_told_only_to_those_who_may_see_it(path, issuer, verifier):
    call = by(slashed(verifier))
    for headers in ({}, {"Authorization": "Bearer x"}, issuer.authorization(roles={"reader"})):
        answer = call(path, headers)
        assert answer.status in {401, 403, 404}, path
        assert "location" not in answer.headers
    assert call(path, issuer.authorization(roles={"cloud_admin"})).status in {200, 308, 404}


def test_who_may_see_it_is_redirected_as_flask_does_and_so_is_everybody_to_what_is_open(issuer, verifier):
    call = by(slashed(verifier))
    answer = call("/reports", issuer.authorization(roles={"cloud_admin"}))
    assert (answer.status, answer.headers["location"].rpartition("/reports/")[1]) == (308, "/reports/")
    assert call("/open").status == 308


def test_a_redirect_of_an_app_below_a_mount_is_kept_as_well(verifier):
    app = slashed(verifier)
    with app.test_client() as client:
        asked = {"base_url": "http://localhost/below"}
        assert client.get("/reports", **asked).status_code == 401
        assert client.get("/open", **asked).status_code == 308


@pytest.mark.parametrize("path", [*SLASHED, "/reports/", "/open", "/open/", "/nowhere", *SPELLINGS])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_with_a_policy_strangers_are_told_nothing_that_flask_would_say_first(path, method, verifier):
    policy = Policy([("GET", "/reports/", ADMIN), ("GET", "/open/", Policy.OPEN)])
    answer = by(slashed(verifier, policy))(path, method=method)
    if (method, path) == ("GET", "/open/"):
        assert answer.status == 200
    else:
        assert answer.status == 401, answer
        assert not {"location", "allow"} & answer.headers.keys()
