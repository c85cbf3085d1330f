"""The description of the admin API as it is committed; `python -m tests.support.openapi` renews it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.support.server import ISSUER, install, serving
from tests.support.world import ROOT

COPY = ROOT / "docs" / "openapi.json"


def described() -> str:
    """What a server at https://auth.example.com says, written so that a change shows line by line."""
    with tempfile.TemporaryDirectory() as home, serving(install(Path(home, "once")), Path(home, "served")) as server:
        document = server.app.test_client().get("/openapi.json").get_json()
    assert document["servers"] == [{"url": ISSUER}]
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    COPY.write_text(described(), encoding="utf-8")
