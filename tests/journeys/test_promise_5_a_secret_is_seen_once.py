"""Promise 5: a secret is seen once. It is stored only as a keyed hash; it is in no log, audit line, error or copy of
the database."""

from __future__ import annotations

import requests

from tests.support.world import a_world


def test_a_secret_is_in_the_one_reply_that_hands_it_out_and_nowhere_else(tmp_path):
    with a_world(tmp_path, log_level="DEBUG", token_log_sample="1") as world:
        world.start()
        world.catalogue()
        made = world.credential()
        client_id = made["client_id"]
        secrets = [made["client_secret"]]
        tokens = [world.token(client_id, secrets[0])]
        secrets.append(world.manage("POST", f"/v1/credentials/{client_id}/regenerate")["client_secret"])
        secrets.append(
            world.manage("POST", f"/v1/credentials/{client_id}/rotate", {"grace_seconds": 60})["client_secret"]
        )
        tokens += [world.token(client_id, secret) for secret in secrets[1:]]
        _misuse(world, client_id, secrets, tokens)
        shown = [
            world.admin("GET", path).text
            for path in ("/v1/credentials", f"/v1/credentials/{client_id}", "/v1/apis", "/openapi.json")
        ]
        shown.append(world.shell("audit", "export").stdout)
        kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    signatures = [token.rpartition(".")[2] for token in tokens]
    for hidden in [*secrets, *tokens, *signatures]:
        assert not any(hidden in text for text in shown)
        assert not any(hidden.encode() in content for content in kept)


def _misuse(world, client_id, secrets, tokens) -> None:
    """What people do with secrets by mistake: in URLs, in wrong fields, in names."""
    url = f"{world.issuer}/oauth/token"
    for secret in secrets:
        requests.get(url, params={"client_secret": secret}, timeout=20)
        requests.post(url, data={"grant_type": secret, "client_id": secret}, timeout=20)
        requests.post(
            url, data={"grant_type": "client_credentials", "scope": secret}, auth=(client_id, secret), timeout=20
        )
        requests.post(url, json={"client_secret": secret}, timeout=20)
        world.admin("POST", "/v1/credentials", {"nmae": secret, "roles": [secret], "allowed_ips": secret})
        world.admin("GET", f"/v1/credentials/{secret}")
    for token in tokens:
        requests.get(f"{world.issuer}/v1/credentials", headers={"Authorization": f"Bearer {token}"}, timeout=20)
        requests.get(f"{world.issuer}/{token}", timeout=20)
