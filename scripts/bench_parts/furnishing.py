"""What has an organization that has been at it for a while? More of everything that pages list, made by the admin API.

So that a page is weighed with something on it: APIs with ten scopes each, roles, projects, operators, webhooks,
credentials that were changed, rotated and used, and what the audit log says of all that.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

from scripts.bench_parts.installing import AUDIENCE, ROLE, SCOPE, Client, Installation
from scripts.bench_parts.load import Broken
from tokenserver.domain.names import ADMIN_AUDIENCE

_RANGES = ", ".join(f"198.51.{number}.0/26" for number in range(20))


class Hand:
    """Manages by the admin API, with the tokens of the administrator."""

    def __init__(self, port: int, administrator: Client) -> None:
        self._port = port
        self._token = self.token(administrator, resource=ADMIN_AUDIENCE)

    def token(self, client: Client, **more: str) -> str:
        client_id, secret = client
        asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **more}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, told, _ = self._ask("POST", "/oauth/token", urlencode(asked), kind)
        return str(told["access_token"]) if status == 200 else ""

    def manage(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """A call that must succeed; with the `ETag` of what it tells."""
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **headers}
        status, told, tag = self._ask(method, path, None if body is None else json.dumps(body), sent)
        if status not in {200, 201, 202}:
            raise Broken(f"{method} {path} is answered with {status}: {told}")
        return {**told, "etag": tag}

    def _ask(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any], str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}"), answer.headers.get("ETag", "")


def furnish(hand: Hand, installation: Installation, many: int) -> dict[str, str]:
    """`many` of each kind; returns the ID of one of each, by the name that the paths of pages give it."""
    scopes = [{"name": f"things-{n}:read", "access": "read", "description": "Reads some things."} for n in range(10)]
    made: dict[str, dict[str, Any]] = {}
    grants = [{"audience": AUDIENCE, "access": "custom", "scopes": [SCOPE]}]
    for number in range(many):
        audience = f"https://api-{number}.example.com"
        made["api_id"] = hand.manage(
            "POST", "/v1/apis", {"name": f"API {number}", "audience": audience, "scopes": scopes}
        )
        made["role_id"] = hand.manage("POST", "/v1/roles", {"name": f"role_{number}", "description": "May some."})
        made["project_id"] = hand.manage("POST", "/v1/projects", {"name": f"project-{number}"})
        person = {"email": f"person-{number}@example.com", "name": f"Person {number}", "role": "admin"}
        made["operator_id"] = hand.manage("POST", "/v1/operators", {**person, "roles": [ROLE], "grants": grants})
        grants.append({"audience": audience, "access": "custom", "scopes": [one["name"] for one in scopes[::2]]})
    rich = {"roles": [ROLE, "role_0"], "grants": grants, "allowed_ips": _RANGES, "description": "Does a lot. " * 10}
    for number in range(3 * many):  # what fills a page of the audit log
        path = f"/v1/credentials/{installation.clients[number % len(installation.clients)][0]}"
        hand.manage("PATCH", path, {"allowed_ips": _RANGES}, **{"If-Match": hand.manage("GET", path)["etag"]})
    made["client_id"] = hand.manage("POST", "/v1/credentials", {"name": "one that may do a lot", **rich})
    _use(hand, made["client_id"])
    for number in range(5):
        asked = {"url": f"https://hooks.invalid/{number}", "events": ["credential.*"], "description": "Told of all."}
        made["webhook_id"] = hand.manage("POST", "/v1/webhooks", asked)
    hand.manage("POST", f"/v1/webhooks/{made['webhook_id']['id']}/test", {})
    (organization,) = hand.manage("GET", "/v1/organizations")["items"]
    kid = hand.manage("GET", "/.well-known/jwks.json")["keys"][0]["kid"]
    ids = {name: str(one["client_id" if name == "client_id" else "id"]) for name, one in made.items()}
    return {**ids, "organization_id": organization["id"], "kid": kid}


def _use(hand: Hand, credential: Mapping[str, Any]) -> None:
    """Tokens, refusals, and a rotation that is under way."""
    client = (credential["client_id"], credential["client_secret"])
    for _ in range(10):
        hand.token(client)
        hand.token((client[0], "tss_wrong"))
    hand.manage("POST", f"/v1/credentials/{client[0]}/rotate", {"grace_seconds": 86_400})
