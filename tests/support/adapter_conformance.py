"""What every adapter must do, whatever its framework. A subclass has a fixture `call` that reaches its own app.

Each app has the same routes: `/reports` requires the scope `reports:read`; `/admin` requires the role `cloud_admin`, or
the scope `keys:write` in production; `/patient` takes any caller, by old news as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import httpx

from tests.support.callers import PEER
from tests.support.forgeries import FORGERIES
from tokenserver.resource import Require, all_of, any_of
from tokenserver.resource.testing import CLIENT_ID

REPORTS = Require(scopes={"reports:read"})
ADMIN = any_of(
    Require(roles={"cloud_admin"}), all_of(Require(scopes={"keys:write"}), Require(environment="production"))
)
PATIENT = Require(any_caller=True, on_stale="accept")
GOOD: dict[str, Any] = {"scopes": {"reports:read"}}


class Answer(NamedTuple):
    """Names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.body)
        return members.get("detail", members)


class Call(Protocol):
    def __call__(
        self, path: str, headers: Mapping[str, str] = {}, *, method: str = "GET", peer: str = PEER
    ) -> Answer: ...


def by_asgi(app: Any, prefix: str = "") -> Call:
    """Calls of an ASGI app, by a real client."""

    def call(path, headers=(), *, method="GET", peer=PEER) -> Answer:
        sent = [(name.encode(), value.encode("latin-1")) for name, value in dict(headers).items()]

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(peer, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, prefix + path, headers=sent)

        answer = asyncio.run(send())
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    return call


class AdapterConformance:
    def test_a_caller_who_meets_the_requirement_comes_through_and_is_known(self, issuer, call: Call):
        answer = call("/reports", issuer.authorization(**GOOD))
        assert (answer.status, json.loads(answer.body)) == (200, {"hello": CLIENT_ID})

    def test_without_a_token_the_challenge_is_plain(self, call: Call):
        for headers in ({}, {"Authorization": "Basic dXNlcjpwYXNz"}):
            answer = call("/reports", headers)
            assert answer.status == 401
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith('Bearer realm="https://api.example.com"')
            assert "error" not in challenge

    def test_a_malformed_header_is_said_to_be_one(self, issuer, call: Call):
        token = issuer.token(**GOOD)
        for value in ("Bearer", "Bearer a b", f"Bearer {token},Bearer {token}", "Bearer \xff"):
            answer = call("/reports", {"Authorization": value})
            assert (answer.status, answer.said["error"]) == (400, "invalid_request")

    def test_nothing_forged_comes_through(self, issuer, call: Call):
        for forge in FORGERIES.values():
            answer = call("/reports", {"Authorization": f"Bearer {forge(issuer)}"})
            assert (answer.status, answer.said["error"]) == (401, "invalid_token")
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    def test_a_missing_scope_is_403_and_named(self, issuer, call: Call):
        answer = call("/reports", issuer.authorization(scopes={"reports:write"}))
        assert (answer.status, answer.said["error"]) == (403, "insufficient_scope")
        assert 'scope="reports:read"' in answer.headers["www-authenticate"]

    def test_requirements_compose(self, issuer, call: Call):
        cases: list[tuple[dict[str, Any], int]] = [
            ({"roles": {"cloud_admin"}}, 200),
            ({"scopes": {"keys:write"}, "environment": "production"}, 200),
            ({"scopes": {"keys:write"}, "environment": "staging"}, 403),
            ({"scopes": {"keys:write"}}, 403),
            ({"roles": {"reader"}, "environment": "production"}, 403),
        ]
        assert [call("/admin", issuer.authorization(**terms)).status for terms, _ in cases] == [
            status for _, status in cases
        ]

    def test_an_address_restriction_holds(self, issuer, call: Call):
        headers = issuer.authorization(**GOOD, allowed_ips="198.51.100.0/24")
        assert call("/reports", headers, peer="198.51.100.7").status == 200
        answer = call("/reports", headers)
        assert (answer.status, answer.said["error"]) == (403, "address_not_allowed")
        spoofed = call("/reports", {**headers, "X-Forwarded-For": "198.51.100.7"})
        assert spoofed.status == 403, "no proxy is trusted unless it is named"

    def test_regenerating_the_secret_ends_the_token(self, issuer, clock, call: Call):
        headers = issuer.authorization(**GOOD)
        assert call("/reports", headers).status == 200
        issuer.regenerate()
        clock.advance(1)
        assert (call("/reports", headers).status, call("/reports", headers).said["error"]) == (401, "invalid_token")
        assert call("/reports", issuer.authorization(**GOOD)).status == 200

    def test_old_news_refuses_unless_the_route_accepts_it(self, issuer, clock, call: Call):
        headers = issuer.authorization(**GOOD)
        assert call("/patient", headers).status == 200
        issuer.goes_down()
        clock.advance(31)
        answer = call("/reports", headers)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert call("/patient", headers).status == 200
