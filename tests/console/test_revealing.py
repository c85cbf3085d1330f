"""Does the page of a new secret say what became of the old one?"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest

from app.console.rendering import rendering
from app.console.revealing import as_env, as_json, reveal
from app.services.audit import Caller
from tokenserver.clock import DAY

BARE: dict[str, Any] = {"viewer": None, "notice": None, "fault": None, "faults": {}}


@pytest.fixture
def caller(server):
    return Caller("shell", server.installed.organization_id)


@pytest.fixture
def client_id(server):
    return server.call("POST", "/v1/credentials", {"name": "<b>nightly</b>"}).get_json()["client_id"]


def text_of(server, made):
    shown = reveal(made, server.settings)
    page = rendering("").page(shown.template, **BARE, **shown.values)
    assert made.secret.reveal() in page
    assert "<b>nightly" not in page
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_after_regenerating_the_old_one_has_ended(server, caller, client_id):
    text = text_of(server, server.services.credentials.regenerate(caller, client_id))
    assert "its new secret" in text
    assert "The old secret has ended, and so has every token that was fetched before." in text


def test_in_a_rotation_the_old_one_goes_on_until_its_end(server, caller, client_id):
    text = text_of(server, server.services.credentials.rotate(caller, client_id, DAY))
    assert "and its tokens go on until 2027-01-16 08:00 UTC" in text
    assert "has ended" not in text


def test_the_files_are_what_programs_read():
    assert as_env("https://a", "tsc_x", "tss_y") == (
        "TOKENSERVER_URL=https://a\nTOKENSERVER_CLIENT_ID=tsc_x\nTOKENSERVER_CLIENT_SECRET=tss_y\n"
    )
    assert json.loads(as_json("https://a", "tsc_x", "tss_y")) == {
        "issuer": "https://a",
        "token_endpoint": "https://a/oauth/token",
        "client_id": "tsc_x",
        "client_secret": "tss_y",
    }
