"""Does a gateway hear the truth about a request, and can nothing in the request bend it?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from app.oauth.forward_auth import LONGEST_REQUIREMENT, told
from app.store.database import Store, StoreUnavailable
from tests.oauth.conftest import Door
from tests.support.workshop import REPORTS, allowed
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.resource.principal import Principal

PATH = "/forward-auth"
GATEWAY = "10.0.0.1"


class Gateway:
    def __init__(self, door: Door) -> None:
        self.door = door
        self.token = door.server.token(door.client_id, door.secret)

    def ask(self, token: str | None = None, *, path: str = PATH, headers: Any = (), **more: Any) -> Any:
        query = more.pop("query", None)
        if query is None:
            query = urlencode({"aud": REPORTS, "scope": "reports:read", **more.pop("require", {})}, doseq=True)
        sent = [("Authorization", f"Bearer {token or self.token}"), *headers]
        method = more.pop("method", "GET")
        return self.door.send(method=method, path=f"{path}?{query}", headers=sent, kind=None, **more)

    def anonymous(self) -> Any:
        query = urlencode({"aud": REPORTS, "any_caller": "true"})
        return self.door.send(method="GET", path=f"{PATH}?{query}", kind=None)

    def token_of(self, **terms: Any) -> str:
        made = self.door.credential(**terms)
        return self.door.server.token(made.view.credential.client_id, made.secret.reveal())


@pytest.fixture(params=[True, False], ids=["in front of Flask", "by Flask"])
def in_front(request):
    return request.param


@pytest.fixture
def gateway(own_door, in_front):
    own_door.in_front = in_front
    return Gateway(own_door)


@pytest.fixture
def trusted(door_with, in_front):
    door = door_with(trusted_proxies="10.0.0.0/8")
    door.in_front = in_front
    return Gateway(door)


def test_a_good_request_may_pass_and_the_api_is_told_who_is_calling(gateway):
    answer = gateway.ask(require={"role": "auditor"})
    assert (answer.status, answer.body) == (200, b"")
    said = {name: value for name, value in answer.headers if name.startswith("X-Auth-")}
    assert said.pop("X-Auth-Token-Id")
    assert said == {
        "X-Auth-Client-Id": gateway.door.client_id,
        "X-Auth-Roles": "auditor",
        "X-Auth-Scopes": "reports:read",
        "X-Auth-Organization": gateway.door.caller.organization_id,
        "X-Auth-Project": "",
        "X-Auth-Environment": "",
    }
    assert answer.header("Cache-Control") == "no-store"


def test_without_a_token_one_is_asked_for(gateway):
    answer = gateway.anonymous()
    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == f'Bearer realm="{REPORTS}"'


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer x, Bearer y", "Bearer ü"])
def test_a_malformed_header_is_401_since_nginx_knows_no_other_refusal(header, gateway):
    query = urlencode({"aud": REPORTS, "any_caller": "true"})
    sent = [("Authorization", header.encode())]
    answer = gateway.door.send(method="GET", path=f"{PATH}?{query}", headers=sent, kind=None)
    assert answer.status == 401
    assert "x" not in answer.json["error_description"].split()


LACKING = [
    {"role": "cloud_admin"},
    {"role": ["auditor", "cloud_admin"]},
    {"scope": ["reports:read", "reports:write"]},
    {"scope": "reports:read reports:write"},
    {"organization": "org_other"},
    {"project": "billing"},
    {"environment": "production"},
]


@pytest.mark.parametrize("require", LACKING)
def test_who_lacks_any_of_what_is_required_is_refused(require, gateway):
    answer = gateway.ask(require=require)
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.header("WWW-Authenticate")
    assert not [name for name, _ in answer.headers if name.startswith("X-Auth-")]


def test_a_token_for_another_api_is_refused(gateway):
    assert gateway.ask(require={"aud": "urn:vault"}).status == 401


def test_what_was_ended_is_refused_from_that_moment_on(gateway):
    services = gateway.door.server.services
    assert gateway.ask().status == 200
    services.credentials.regenerate(gateway.door.caller, gateway.door.client_id)
    answer = gateway.ask()
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.header("WWW-Authenticate")


def test_a_token_that_was_revoked_by_itself_is_refused(gateway):
    form = urlencode(
        {"client_id": gateway.door.client_id, "client_secret": gateway.door.secret, "token": gateway.token}
    )
    assert gateway.ask().status == 200
    assert gateway.door.send(form, path="/oauth/revoke").status == 200
    assert gateway.ask().status == 401


def test_an_expired_token_is_refused_on_the_second(gateway):
    gateway.door.server.clock.advance(899)
    assert gateway.ask().status == 200
    gateway.door.server.clock.advance(1)
    assert gateway.ask().status == 401


def test_a_token_whose_key_was_revoked_is_refused(gateway):
    services = gateway.door.server.services
    assert gateway.ask().status == 200
    services.keys.revoke(gateway.door.caller, services.keys.ring().access.key.kid)
    assert gateway.ask().status == 401


LISTS = {
    "carried in the token": allowed("198.51.100.0/24"),
    "by reference": AllowedIPs.parse([f"198.51.{number}.0/24" for number in range(0, 140, 2)]),
}


@pytest.mark.parametrize("networks", LISTS)
def test_the_callers_address_counts_as_a_trusted_gateway_tells_it(networks, trusted):
    made = trusted.door.credential(allowed_ips=LISTS[networks])
    client_id, secret = made.view.credential.client_id, made.secret.reveal()
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    token = trusted.door.send(urlencode(form), peer="198.51.100.7").json["access_token"]

    def ask(says: str, gateway: str) -> Any:
        return trusted.ask(token, headers=[("X-Forwarded-For", says)], peer=gateway)

    assert ask("198.51.100.7", GATEWAY).status == 200
    assert ask("203.0.113.9, 198.51.100.7", GATEWAY).status == 200, "what stands further left, the caller wrote"
    for outside in ("203.0.113.9", "198.51.100.7, 203.0.113.9", "unknown", ""):
        answer = ask(outside, GATEWAY)
        assert (answer.status, answer.json["error"]) == (403, "address_not_allowed"), outside
    assert ask("198.51.100.7", "203.0.113.5").status == 403, "a gateway that is not trusted is not believed"


FAULTY = [
    "",
    "aud=",
    f"aud={REPORTS}",
    "scope=reports:read",
    "aud=reports&scope=reports:read",
    'aud=urn:a"b&scope=x',
    f"aud={REPORTS}&aud={REPORTS}&scope=x",
    f"aud={REPORTS}&roles=auditor",
    f"aud={REPORTS}&role=",
    f"aud={REPORTS}&role=a,b",
    f"aud={REPORTS}&any_caller=yes",
    f"aud={REPORTS}&any_caller=true&role=auditor",
    f"aud={REPORTS}&organization=",
    f"aud={REPORTS}&scope=%ff",
    f"aud={REPORTS}&scope=a%0d%0ab",
    f"aud={REPORTS}&scope=" + "x" * LONGEST_REQUIREMENT,
    "&".join(["aud=urn:x", *["role=x"] * 70]),
]


@pytest.mark.parametrize("query", FAULTY)
def test_a_gateway_that_requires_nothing_clear_is_told_so_and_nobody_passes(query, gateway):
    answer = gateway.ask(query=query)
    assert answer.status == 400
    assert answer.json["code"] == "invalid_request"


def test_with_any_caller_every_valid_token_passes(gateway):
    assert gateway.ask(query=urlencode({"aud": REPORTS, "any_caller": "true"})).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_whatever_the_method_the_url_says_what_is_required_and_no_header_does(method, gateway):
    weaker = [("X-Auth-Require", f"aud={REPORTS}&any_caller=true")]
    assert gateway.ask(method=method, require={"role": "auditor"}).status == 200
    assert gateway.ask(method=method, require={"role": "cloud_admin"}, headers=weaker).status == 403


def test_an_unknown_method_is_refused_rather_than_redirected(gateway):
    assert gateway.ask(method="PROPFIND").status == 405
    assert gateway.ask(method="PROPFIND", path=f"{PATH}/").status == 405


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/forward-auth/", "/forward-auth/reports/7"])
def test_below_the_path_the_header_says_what_is_required_and_the_url_does_not(method, path, gateway):
    required = [("X-Auth-Require", f"aud={REPORTS}&scope=reports:write")]
    weaker = f"aud={REPORTS}&any_caller=true"
    assert gateway.ask(path=path, method=method, query=weaker, headers=required).status == 403
    required = [("X-Auth-Require", f"aud={REPORTS}&scope=reports:read")]
    assert gateway.ask(path=path, method=method, query="a=b&c", headers=required).status == 200
    assert gateway.ask(path=path, method=method, query=weaker).status == 400, "without the header nobody passes"


def test_what_is_told_can_break_no_header():
    odd = "Zürich\r\nX-Auth-Roles: cloud_admin\0%\x7f"
    principal = Principal("tsc_x", odd, odd, None, frozenset({"a", odd}), frozenset({odd}), 1, odd, 0.0, {})
    for name, value in told(principal).items():
        assert value.isascii(), name
        assert value.isprintable(), name
    assert told(principal)["X-Auth-Project"].startswith("Z%C3%BCrich%0D%0AX-Auth-Roles: cloud_admin%00%25%7F")


def test_a_database_that_is_away_is_503_and_nobody_passes(gateway, monkeypatch):
    def away(_: object) -> None:
        raise StoreUnavailable(detail="away")

    assert gateway.ask().status == 200
    monkeypatch.setattr(Store, "reading", away)
    answer = gateway.ask()
    assert answer.status == 503
    assert answer.header("Retry-After")
    assert not [name for name, _ in answer.headers if name.startswith("X-Auth-")]
