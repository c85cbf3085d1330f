"""Does the list of faults at the top of a form name each field as the form does, and lead to it?"""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.console.labels import labels_in
from tests.support.console import signed_in

PAGES = {
    "the label of a field": (
        '<label for="field-a">Allowed IPs</label><input id="field-a">',
        {"a": "Allowed IPs"},
    ),
    "a label around its box": (
        '<label><input id="field-a"> Platform\n admin</label>',
        {"a": "Platform admin"},
    ),
    "the legend of a group": (
        '<fieldset id="field-a"><legend>Roles</legend><label><input> x</label></fieldset>',
        {"a": "Roles"},
    ),
    "a field of a group with a name": (
        '<fieldset><legend>Scopes</legend><fieldset aria-label="Scope 2"><label for="field-a">Name</label></fieldset>',
        {"a": "Scope 2, Name"},
    ),
    "what has no label in a group": (
        '<fieldset><legend>Scopes</legend><p id="field-a">x</p></fieldset>',
        {"a": "Scopes"},
    ),
    "a name is text": (
        '<label for="field-a">Type <bdi>&lt;b&gt; &amp;</bdi></label>',
        {"a": "Type <b> &"},
    ),
    "no field": (
        '<label for="q">x</label><legend>y</legend><label>z</label></fieldset><p id="field-a">',
        {},
    ),
}


@pytest.mark.parametrize(("page", "labels"), PAGES.values(), ids=PAGES.keys())
def test_a_field_is_called_as_its_label_says(page, labels):
    assert labels_in(page) == labels


def faults_on(page):
    """What each says that it is about, to the ID of the field that it leads to."""
    found = re.findall(r'<li><a href="#(field-[^"]*)">(?:<bdi>(.*?)</bdi>: )?', page.text)
    return {unescape(label): field for field, label in found}


FORMS = {
    "a credential": (
        "/credentials/new",
        "/credentials/new",
        {"name": "", "allowed_ips": "x", "environment": "x" * 101},
        {"Name", "Allowed IPs", "Environment"},
    ),
    "a role and grants": ("/credentials/new", "/credentials/new", {"name": "a", "roles": "nobody"}, {"Roles"}),
    "an API": (
        "/apis/new",
        "/apis/new",
        {"name": "a", "audience": "x", "scopes-0-name": "no!", "scopes-0-access": "read"},
        {"Audience", "Scope 1, Name"},
    ),
    "an operator": (
        "/operators/new",
        "/operators/new",
        {"email": "nobody", "name": "", "role": "king"},
        {"E-mail address", "Role"},
    ),
    "a webhook": ("/webhooks/new", "/webhooks/new", {"url": "ftp://x", "description": ""}, {"What it is told of"}),
}


@pytest.mark.parametrize(("form", "to", "typed", "named"), FORMS.values(), ids=FORMS.keys())
def test_each_fault_names_its_field_and_leads_to_it(server, form, to, typed, named):
    visitor = signed_in(server)
    visitor.open(form)
    page = visitor.send(to, typed)
    assert page.status_code == 422
    found = faults_on(page)
    assert set(found) == named
    for field in found.values():
        assert f'id="{field}"' in page.text


def test_a_hostile_name_in_a_label_is_only_text(server):
    name = '<script>alert(1)</script>"'
    made = server.call("POST", "/v1/credentials", {"name": name}).get_json()
    visitor = signed_in(server)
    visitor.open(f"/credentials/{made['client_id']}/revoke")
    page = visitor.send(f"/credentials/{made['client_id']}/revoke", {"typed_name": "another", "reason": ""})
    assert page.status_code == 422
    assert any(name in label for label in faults_on(page))
    assert "<script>alert" not in page.text


def test_no_browser_cuts_what_the_server_would_take(server):
    """`maxlength` counts UTF-16 units, of which an emoji has two; the server counts characters, and says how many."""
    visitor = signed_in(server)
    assert "maxlength" not in visitor.open("/credentials/new").text
    page = visitor.send("/credentials/new", {"name": "🦀" * 101})
    assert "<bdi>Name</bdi>: Must have at most 100 characters, and has 101." in page.text
    made = visitor.send("/credentials/new", {"name": "🦀" * 100})
    assert made.status_code == 201
    assert "🦀" * 100 in made.text
