"""Into the console by way of another place, as a person does it: at a provider as it is."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3

import pytest

from tests.support.chromium import person, refuse_barriers
from tests.support.identity_providers import the_mock
from tests.support.world import a_world

SEND = """fields => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/console/credentials/new";
  fields.csrf = document.querySelector("[name=csrf]").value;
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(form);
  form.submit();
}"""
"""A form on the page that is shown, sent to where credentials are made."""


@pytest.fixture(scope="module")
def mock():
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # of the mock's Authlib, in this process
    with the_mock() as mock:
        mock.knows("ada", email="ada@example.com", email_verified=True, name="Ada", groups=["admins"])
        mock.knows("eve", email="eve@example.com", email_verified=True, groups=["others"])
        yield mock
    del os.environ["AUTHLIB_INSECURE_TRANSPORT"]


@pytest.fixture(scope="module")
def world(mock, tmp_path_factory):
    settings = {"sso_issuer": mock.issuer, "sso_client_id": "tokenserver", "sso_client_secret": "secret"}
    home = tmp_path_factory.mktemp("sso")
    with a_world(home, host="localhost", sso_name="Example", sso_groups="admins=admin", **settings) as world:
        world.start()
        yield world


def visitor(browser, world, **context):
    someone = person(browser, world, **context)
    someone.context.route(re.compile(r"^https://"), lambda route: route.abort())  # the mock's style sheet
    return someone


def end_all_sessions(world):
    """As time would."""
    with contextlib.closing(sqlite3.connect(world.home / "tokenserver.db", timeout=20)) as database, database:
        database.execute("UPDATE session SET seen_at = seen_at - 36000")


def authorize(page, subject):
    page.fill("[name=sub]", subject)
    page.click("button:text-is('Authorize')")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_somebody_signs_in_elsewhere_and_lands_on_the_page_they_wanted(browser, world, script):
    page = visitor(browser, world, java_script_enabled=script).go("/credentials?status=active")
    page.click("text=Sign in with Example")
    authorize(page, "ada")
    page.wait_for_url(re.compile(r"/console/credentials\?status=active$"))
    assert "Credentials" in page.title()
    page.reload()
    assert page.url.endswith("/console/credentials?status=active")


def test_who_declines_there_or_has_no_role_here_is_told_so(browser, world):
    page = visitor(browser, world).go("/sign-in")
    page.click("text=Sign in with Example")
    page.click("text=Deny")
    assert "declined there" in page.inner_text("[role=alert]")
    page.click("text=Sign in with Example")
    authorize(page, "eve")
    assert "None of your groups at Example has a role here" in page.inner_text("[role=alert]")


def test_what_was_typed_can_be_sent_when_somebody_is_back(browser, world):
    someone = visitor(browser, world)
    page = someone.go("/sign-in?to=/credentials")
    page.click("text=Sign in with Example")
    authorize(page, "ada")
    page.wait_for_url(re.compile(r"/console/credentials$"))
    end_all_sessions(world)
    page.evaluate(SEND, {"name": "nightly export"})
    page.click("text=Sign in with Example")
    authorize(page, "ada")
    with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/new")) as sent:
        page.click("text=Send it now")
    assert "name=nightly+export" in sent.value.post_data


def test_the_ways_elsewhere_keep_nobody_out(browser, world):
    someone = visitor(browser, world)
    refuse_barriers(someone.go("/sign-in"))
    someone.page.click("text=Sign in with Example")
    authorize(someone.page, "ada")
    refuse_barriers(someone.go("/prove?to=/credentials"))
