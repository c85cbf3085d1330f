"""What holds for every answer, whichever door gives it."""

from __future__ import annotations

import pytest
from flask import url_for

from tests.support.server import serving


@pytest.fixture(scope="module")
def served(installed, tmp_path_factory):
    """A server that is only looked at."""
    with serving(installed, tmp_path_factory.mktemp("served")) as server:
        yield server


PATHS = [
    "/v1",
    "/v1/",
    "/v1/credentials/",
    "/v1/credentials/x/y/z",
    "/v1/unknown",
    "//v1/credentials",
    "/v1//credentials",
    "/V1/credentials",
    "/v1/credentials/../roles",
    "/healthz/",
    "/static/x",
    "/favicon.ico",
    "/<script>alert(1)</script>",
    "/%0d%0aX-Injected:%20yes",
    "/\u00e9\u00e8\u00ea\u00eb\u00e9\u00e8",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leads_nowhere_gets_a_problem_document(served, path):
    answer = served.call("GET", path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json() == {
        "type": "urn:tokenserver:problem:not_found",
        "title": "There is nothing at this address.",
        "status": 404,
        "code": "not_found",
        "request_id": answer.headers["X-Request-Id"],
    }
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("path", ["/oauth/", "/oauth/unknown", "/oauth/token/", "/.well-known/openid-configuration"])
def test_where_oauth_clients_knock_failures_are_oauths(served, path):
    answer = served.call("GET", path, token=None)
    assert (answer.status_code, answer.content_type) == (404, "application/json")
    assert answer.get_json() == {"error": "not_found", "error_description": "There is nothing at this address."}


@pytest.mark.parametrize(
    ("path", "allowed"),
    {
        "/v1/credentials": "GET, HEAD, POST",
        "/v1/credentials/x": "DELETE, GET, HEAD, PATCH",
        "/v1/credentials/x/rotate": "POST",
        "/openapi.json": "GET, HEAD",
        "/healthz": "GET, HEAD",
        "/oauth/generations": "GET, HEAD",
        "/.well-known/jwks.json": "GET, HEAD",
    }.items(),
)
@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "BREW"])
def test_another_method_is_refused_with_those_that_are_taken(served, path, allowed, method):
    answer = served.call(method, path, token=None)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    document = answer.get_json()
    assert document.get("code", document.get("error")) == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/nothing", "/healthz", "/openapi.json", "/oauth/generations"])
def test_every_answer_has_its_headers(served, path):
    first, second = (served.call("GET", path) for _ in range(2))
    for answer in (first, second):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert len(answer.headers.getlist("Cache-Control")) == 1
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_a_view_that_may_be_cached_says_so_and_others_are_not(served):
    assert served.call("GET", "/.well-known/jwks.json").headers["Cache-Control"].startswith("public")
    assert served.call("GET", "/v1/credentials").headers["Cache-Control"] == "no-store"
    assert served.call("GET", "/healthz").headers["Cache-Control"] == "no-store"


def test_a_request_id_is_ours_and_never_the_callers(served):
    answer = served.call("GET", "/v1/nothing", headers={"X-Request-Id": "chosen-by-the-caller"})
    assert "chosen" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "host", ["", "a b", "évil.example.com", "evil.example.com:99999", "[::1", "x" * 5000, "a@b", "\t"]
)
def test_an_odd_host_changes_nothing_or_is_refused(served, host):
    answer = served.call("GET", "/v1/credentials", headers={"Host": host.encode().decode("latin-1")})
    assert answer.status_code in {200, 400}
    assert "json" in answer.content_type
    assert "evil" not in answer.text


def test_head_is_get_without_a_body(served):
    answer = served.call("HEAD", "/v1/credentials")
    assert (answer.status_code, answer.data) == (200, b"")


def test_a_failure_of_a_public_path_is_told_in_its_own_form(served, monkeypatch):
    def fail(_: object) -> None:
        raise RuntimeError("the words of the failure")

    monkeypatch.setattr("app.services.keys.SigningKeys.jwks", fail)
    monkeypatch.setattr("app.services.readiness.Readiness.check", fail)
    oauth, plain = served.call("GET", "/.well-known/jwks.json"), served.call("GET", "/readyz")
    assert (oauth.status_code, oauth.get_json()["error"]) == (500, "server_error")
    assert (plain.status_code, plain.get_json()["code"]) == (500, "server_error")
    assert "words" not in oauth.text + plain.text


def test_an_address_can_be_built_from_its_path_although_nothing_of_ours_does(served):
    with served.app.test_request_context():
        assert url_for("console.static", name="a b", more="c") == "/console/static/a%20b?more=c"
