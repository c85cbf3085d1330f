"""How is a new secret shown, this once?

It is in the answer itself and nowhere else: a reload shows the credential's page instead, and no page of ours can show
it again. The files to keep are made from what is on the page, by script; without it, their text is there to be copied.
"""

from __future__ import annotations

import json

from app.console.page import Shown
from app.services.credentials import NewSecret
from app.settings import Settings

TOKEN_PATH = "/oauth/token"


def reveal(made: NewSecret, settings: Settings, status: int = 200) -> Shown:
    """The page after a credential was made, or its secret regenerated or rotated."""
    client_id, secret = made.view.credential.client_id, made.secret.reveal()
    values = {
        "view": made.view,
        "secret": secret,
        "retiring": made.retiring,
        "as_env": as_env(settings.issuer, client_id, secret),
        "as_json": as_json(settings.issuer, client_id, secret),
    }
    return Shown("credentials/secret.html", values, status)


def as_env(issuer: str, client_id: str, secret: str) -> str:
    """As `tokenserver`, the command, and our examples read it."""
    told = {"URL": issuer, "CLIENT_ID": client_id, "CLIENT_SECRET": secret}
    return "".join(f"TOKENSERVER_{name}={value}\n" for name, value in told.items())


def as_json(issuer: str, client_id: str, secret: str) -> str:
    told = {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "client_id": client_id,
        "client_secret": secret,
    }
    return json.dumps(told, indent=2) + "\n"
