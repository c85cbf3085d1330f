"""What schemathesis is told of this server: loaded by it (SCHEMATHESIS_HOOKS), in its own process.

It comes with tokens of an administrator of the platform, and works in an organization made for it: what it stands on
itself, its own credential and organization, stays out of its reach.
"""

from __future__ import annotations

import os
from typing import Any

import requests
import schemathesis

ISSUER, CLIENT_ID, SECRET, HOME, ELSEWHERE = (
    os.environ[f"GENERATED_{name}"] for name in ("ISSUER", "CLIENT_ID", "SECRET", "HOME", "ELSEWHERE")
)
WHERE = "Tokenserver-Organization"


@schemathesis.auth(refresh_interval=60)
class Administrator:
    """Fetches a token and sends it, except where a check leaves it out or spoils it."""

    def get(self, _case: Any, _context: Any) -> str:
        form = {"grant_type": "client_credentials", "resource": "urn:tokenserver:admin"}
        answer = requests.post(f"{ISSUER}/oauth/token", form, auth=(CLIENT_ID, SECRET), timeout=20)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}", WHERE: ELSEWHERE}


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    """The header that names the organization is set above, and not made up."""
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [one for one in operation.get("parameters", []) if one["name"] != WHERE]


@schemathesis.hook
def filter_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> bool:
    return HOME not in (path_parameters or {}).values()
