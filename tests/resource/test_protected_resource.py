"""From the 401 of an API a client finds the token server (RFC 9728), and everybody may read where."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.callers import ANYBODY, CALLS, Request, bearer
from tokenserver.resource import Guard, Policy, Require
from tokenserver.resource.asgi import presented_in as presented_by_asgi
from tokenserver.resource.guard import Presented
from tokenserver.resource.protected_resource import ProtectedResource
from tokenserver.resource.wsgi import presented_in as presented_by_wsgi

WELL_KNOWN = "/.well-known/oauth-protected-resource"
READ = Require(scopes={"reports:read"})


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def answer_to(request, verifier):
    def ask(method, path, authorization=(), require=READ):
        asked = Request(authorization, method=method, path=path)
        return request.param(verifier, require, asked, metadata={"resource_name": "Reports"})

    return ask


def test_a_client_finds_the_token_server_from_a_401(answer_to, issuer):
    challenge = answer_to("GET", "/reports").headers["www-authenticate"]
    found = re.search(r'resource_metadata="([^"]+)"', challenge)
    assert found is not None
    assert found[1] == f"https://api.example.com{WELL_KNOWN}"
    document = answer_to("GET", WELL_KNOWN)
    assert (document.status, document.headers["content-type"]) == (200, "application/json")
    assert json.loads(document.body) == {
        "resource": "https://api.example.com",
        "authorization_servers": [issuer.name],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["reports:read"],
        "resource_name": "Reports",
    }


def test_every_challenge_says_where(answer_to, issuer):
    for authorization in ((), ("Bearer x y",), ("Bearer x",), (f"Bearer {issuer.token()}",)):
        assert "resource_metadata=" in answer_to("GET", "/", authorization).headers["www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", WELL_KNOWN), ("GET", f"{WELL_KNOWN}/"), ("GET", f"/x{WELL_KNOWN}")]
)
def test_only_that_one_address_is_open(answer_to, method, path):
    assert answer_to(method, path).status == 401


def test_head_is_answered_without_a_body(answer_to):
    answer = answer_to("HEAD", WELL_KNOWN)
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_policy_lists_the_scopes_of_all_its_routes(answer_to):
    policy = Policy([("GET", "/a", READ), ("POST", "/a", Require(scopes={"reports:write"}))])
    assert json.loads(answer_to("GET", WELL_KNOWN, require=policy).body)["scopes_supported"] == [
        "reports:read",
        "reports:write",
    ]


def test_without_being_asked_to_an_api_says_nothing(verifier, call):
    assert call(verifier, ANYBODY, Request(path=WELL_KNOWN)).status == 401
    assert "resource_metadata" not in call(verifier, ANYBODY, bearer("x")).headers["www-authenticate"]


def test_the_path_of_the_audience_stands_behind(issuer):
    audience = "https://api.example.com/v1/"
    guard = Guard(issuer.verifier(audience=audience), ANYBODY, metadata=True)
    outcome = guard.check(Presented((), None, (), "GET", f"{WELL_KNOWN}/v1"))
    assert getattr(outcome, "status", None) == 200
    assert guard.resource is not None
    assert guard.resource.url == f"https://api.example.com{WELL_KNOWN}/v1"


def test_an_app_that_is_mounted_at_the_well_known_path_finds_itself(verifier):
    guard = Guard(verifier, ANYBODY, metadata=True)
    mount, path = WELL_KNOWN.rsplit("/", 1)
    by_wsgi = presented_by_wsgi({"SCRIPT_NAME": mount, "PATH_INFO": f"/{path}", "REQUEST_METHOD": "GET"}, routed=True)
    by_asgi = presented_by_asgi({"root_path": mount, "path": WELL_KNOWN, "method": "GET"}, routed=True)
    assert [getattr(guard.check(presented), "status", None) for presented in (by_wsgi, by_asgi)] == [200, 200]


@pytest.mark.parametrize("audience", ["urn:api", "reports"])
def test_an_audience_that_is_no_address_cannot_be_published(audience, issuer):
    with pytest.raises(ValueError, match="address of this API"):
        Guard(issuer.verifier(audience=audience), ANYBODY, metadata=True)


def test_what_is_known_already_cannot_be_said_otherwise():
    with pytest.raises(ValueError, match="known already: resource"):
        ProtectedResource("https://api.example.com", "https://auth.example.com", (), {"resource": "https://x.example"})
