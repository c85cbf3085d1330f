"""People who are signed in at the console and have set up more than a password."""

from __future__ import annotations

import json
import re

import pyotp
from werkzeug.test import TestResponse

from tests.support.authenticator import Authenticator
from tests.support.console import Browser, signed_in
from tests.support.server import Server

FRESH = 15 * 60


def secret_of(page: TestResponse) -> str:
    """The seed that is shown to be typed."""
    found = re.search(r'<code class="secret" id="secret">([A-Z2-7 ]+)</code>', page.text)
    assert found is not None, page.text
    return found[1].replace(" ", "")


def codes_of(page: TestResponse) -> list[str]:
    """Recovery codes."""
    return re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", page.text)


def code(server: Server, secret: str) -> str:
    """What the app shows now."""
    return pyotp.TOTP(secret).at(int(server.clock()))


def with_codes(server: Server, email: str = "ada@example.com", role: str = "admin") -> tuple[Browser, str, list[str]]:
    """Somebody who has turned on one-time codes: their seed, and the recovery codes."""
    visitor = signed_in(server, email, role)
    visitor.open("/account")
    secret = secret_of(visitor.send("/account/codes/begin"))
    page = visitor.send("/account/codes", {"code": code(server, secret)})
    server.clock.advance(30)
    return visitor, secret, codes_of(page)


def with_passkey(server: Server) -> tuple[Browser, Authenticator]:
    visitor, key = signed_in(server, "ada@example.com"), Authenticator(server.settings.issuer)
    asked = visitor.open("/account/passkeys/offer").get_json()
    visitor.open("/account/passkeys/new")
    answer = key.make(json.dumps(asked["options"]))
    page = visitor.send("/account/passkeys/new", {"sealed": asked["sealed"], "answer": answer, "name": "Laptop"})
    assert page.status_code == 201, page.text
    return visitor, key
