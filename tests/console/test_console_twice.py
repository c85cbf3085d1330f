"""Is what a form makes made once, however often and however fast it is sent? By a nervous finger, without script."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import app.console
from tests.support.console import browser, hidden_fields, signed_in
from tests.support.server import Server

MAKING = {
    "a credential": ("/credentials/new", {"name": "nightly export"}, "/v1/credentials?q=nightly"),
    "an API": ("/apis/new", {"audience": "https://api.example.com", "name": "Example"}, "/v1/apis"),
    "a role": ("/roles/new", {"name": "reader"}, "/v1/roles"),
    "a project": ("/projects/new", {"name": "billing"}, "/v1/projects"),
    "a webhook": ("/webhooks/new", {"url": "https://hooks.example.com/x", "events": "*"}, "/v1/webhooks"),
    "an operator": (
        "/operators/new",
        {"email": "grace@example.com", "role": "member", "which_roles": "all", "which_grants": "all"},
        "/v1/operators",
    ),
    "an organization": ("/organizations/new", {"name": "Acme"}, "/v1/organizations"),
}


def count(server: Server, path: str) -> int:
    return len(server.call("GET", path).get_json()["items"])


@pytest.mark.parametrize(("path", "form", "listed"), MAKING.values(), ids=MAKING.keys())
def test_a_form_that_is_sent_many_times_at_once_makes_one(server, path, form, listed):
    visitor = signed_in(server)
    before = count(server, listed)
    visitor.open(path)
    fields = {name: value for name, value in hidden_fields(visitor.page_text).items() if name in {"csrf", "once"}}
    assert fields["once"]
    cookie = visitor.client.get_cookie("__Host-tokenserver-session", domain="localhost")
    assert cookie is not None

    def send(_: int) -> int:
        finger = browser(server)
        finger.client.set_cookie("__Host-tokenserver-session", cookie.value, domain="localhost", secure=True)
        headers = {"Sec-Fetch-Site": "same-origin"}
        return finger.client.post(f"/console{path}", data={**fields, **form}, headers=headers).status_code

    with ThreadPoolExecutor(4) as fingers:
        answers = sorted(fingers.map(send, range(6)))
    assert answers[0] in {201, 303}
    assert set(answers[1:]) == {409}
    assert count(server, listed) == before + 1


TWICE_IS_ONCE = {
    "account.html", "codes.html", "passkey.html", "passkey_name.html", "password.html",  # of one person, who is asked
    "proofs.html", "provider.html", "set_up.html", "sign_in.html", "navigation.html",
    "bulk.html", "bulk_done.html", "list.html",  # show what would be done, or a file
    "explain.html",
}  # fmt: skip
"""Where a form may be without the token that makes it be carried out once: what it does is the same done twice."""


def test_every_form_that_changes_something_is_carried_out_once():
    templates = Path(app.console.__file__).parent / "templates"
    without = {
        path.name
        for path in templates.rglob("*.html")
        for form in re.findall(r'<form\b[^>]*method="post".*?</form>', path.read_text(), re.DOTALL)
        if "once" not in form
    }
    assert without - TWICE_IS_ONCE == set()
