"""An app ends one token, a resource server asks about one, with a stock client; every resource server hears of it."""

from __future__ import annotations

from authlib.integrations.requests_client import OAuth2Session

from tests.support.world import eventually


def test_a_token_that_its_app_revokes_is_refused_everywhere_and_no_other_is(world, api):
    made = world.credential()
    app = OAuth2Session(made["client_id"], made["client_secret"])
    one, other = (world.token(made["client_id"], made["client_secret"]) for _ in range(2))
    eventually(lambda: {world.call(api, token) for token in (one, other)} == {200}, "both are good")
    assert app.revoke_token(f"{world.issuer}/oauth/revoke", token=one).status_code == 200
    eventually(lambda: world.call(api, one) == 401, "the feed has told the resource server")
    assert world.call(api, other) == 200
    assert [line["credential"] for line in world.audit_lines() if line["event"] == "token:revoked"][-1] == made[
        "client_id"
    ]


def test_a_resource_server_asks_about_tokens_for_its_own_api(world):
    audience = f"https://{world.credential()['client_id'].replace('_', '-')}.example.com".lower()
    scopes = [{"name": name, "access": "read"} for name in ("files:read", "tokens:introspect")]
    world.manage("POST", "/v1/apis", {"audience": audience, "name": "Files", "scopes": scopes})

    def credential(scope: str) -> dict[str, str]:
        made: dict[str, str] = world.credential(grants=[{"audience": audience, "access": "custom", "scopes": [scope]}])
        return made

    asker, app = credential("tokens:introspect"), credential("files:read")
    server = OAuth2Session(asker["client_id"], asker["client_secret"])
    token = world.token(app["client_id"], app["client_secret"])

    def told(token: str) -> dict[str, object]:
        answer: dict[str, object] = server.introspect_token(f"{world.issuer}/oauth/introspect", token=token).json()
        return answer

    found = told(token)
    assert (found["active"], found["client_id"], found["scope"]) == (True, app["client_id"], "files:read")
    world.manage("POST", f"/v1/credentials/{app['client_id']}/regenerate")
    assert told(token) == {"active": False}, "from the reply on"
    assert told("x") == {"active": False}
