"""One table says what a whole app requires: what it does not name is closed, however it is spelled."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.callers import ANYBODY, CALLS, Request
from tests.support.careless import readings
from tokenserver.resource import Policy, Require
from tokenserver.resource.guard import OVERRIDING

READ, WRITE, ADMIN = Require(scopes={"reports:read"}), Require(scopes={"reports:write"}), Require(roles={"cloud_admin"})

POLICY = Policy(
    [
        ("GET", "/healthz", Policy.OPEN),
        ("GET, OPTIONS", "/reports", READ),
        ("POST PUT", "/reports/{id}", WRITE),
        ("GET", "/django/style/", READ),
        ("*", "/admin/**", ADMIN),
        ("GET", "/files/**", READ),
        ("GET", "/", ANYBODY),
    ]
)

FOUND: dict[str, tuple[str, str, object]] = {
    "an open route": ("GET", "/healthz", Policy.OPEN),
    "HEAD is answered by GET": ("HEAD", "/reports", READ),
    "each of several methods": ("PUT", "/reports/7", WRITE),
    "commas between methods": ("OPTIONS", "/reports", READ),
    "any segment that is not empty": ("POST", "/reports/Ärger 100%", WRITE),
    "a slash at the end where the table has one": ("GET", "/django/style/", READ),
    "the root of a subtree": ("DELETE", "/admin", ADMIN),
    "the root of a subtree with a slash": ("DELETE", "/admin/", ADMIN),
    "deep in a subtree": ("PROPFIND", "/admin/users/7", ADMIN),
    "the root": ("GET", "/", ANYBODY),
    "the root of a mounted app": ("GET", "", ANYBODY),
}

CLOSED: dict[str, tuple[str, str]] = {
    "a path that is not named": ("GET", "/users"),
    "a method that is not named": ("DELETE", "/reports"),
    "a method in small letters": ("get", "/reports"),
    "a method in small letters, in a subtree for all": ("delete", "/admin/x"),
    "no method": ("", "/admin/x"),
    "a method with a space": ("GET ", "/admin/x"),
    "a slash at the end": ("GET", "/reports/"),
    "no slash at the end where the table has one": ("GET", "/django/style"),
    "a segment less": ("POST", "/reports"),
    "an empty segment for a parameter": ("POST", "/reports/"),
    "a segment more": ("POST", "/reports/7/x"),
    "two slashes at the beginning": ("GET", "//reports"),
    "a dot": ("GET", "/./reports"),
    "two dots": ("GET", "/files/../django/x"),
    "two dots into a subtree": ("GET", "/files/../admin"),
    "encoded twice": ("GET", "/files/%2e%2e/admin"),
    "encoded three times": ("GET", "/files/%252e%252e/admin"),
    "a parameter of a segment": ("GET", "/reports;a=b"),
    "capitals": ("GET", "/Reports"),
    "another width": ("GET", "/\uff52eports"),
    "a backslash": ("GET", "/files\\..\\admin"),
    "an absolute form": ("GET", "http://api.example.com/reports"),
    "no slash at the beginning": ("GET", "reports"),
    "the whole server": ("OPTIONS", "*"),
    "a zero byte": ("GET", "/files/a\x00"),
    "a new line": ("GET", "/files/a\n"),
    "bytes that are no text": ("GET", "/files/\ufffd"),
    "half a character": ("GET", "/files/\udc80"),
}


@pytest.mark.parametrize(("method", "path", "required"), FOUND.values(), ids=FOUND.keys())
def test_the_first_rule_that_matches_holds(method, path, required):
    assert POLICY(method, path) == required


@pytest.mark.parametrize(("method", "path"), CLOSED.values(), ids=CLOSED.keys())
def test_what_the_table_does_not_name_is_closed(method, path):
    assert POLICY(method, path) is None


BELOW = Policy([("*", "/admin/**", ADMIN), ("GET", "/healthz", Policy.OPEN), ("*", "/**", ANYBODY)])

SPELLINGS = {
    "capitals": "/ADMIN/x",
    "another width": "/\uff41dmin/x",
    "a sharp s is two": "/admin/ß",
    "an empty segment": "//admin/x",
    "a dot before": "/./admin",
    "two dots before": "/x/../admin",
    "two dots out of it and in again": "/admin/../x/../admin",
    "above the root": "/../admin",
    "encoded": "/%61dmin",
    "encoded twice": "/%2561dmin",
    "an encoded slash": "/x%2f..%2fadmin",
    "an encoded backslash": "/x%5c..%5cadmin",
    "a parameter": "/admin;jsessionid=1/x",
    "an empty parameter before": "/;/admin",
    "a parameter that hides the rest": "/admin;/../x",
    "encoded twice and left again": "/%61dmin/../x",
    "an ellipsis": "/\u2025/admin",
    "a slash of another width": "/x\uff0f..\uff0fadmin",
    "a query that hides what follows": "/?/../admin",
    "a query that is encoded": "/admin?x",
    "a fragment": "/admin#x",
    "a space behind": "/admin /x",
    "a dot behind": "/admin./x",
    "a tab": "/\tadmin",
    "more encodings than anybody undoes": "/%2525252561dmin",
}


@pytest.mark.parametrize("path", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_of_a_closed_path_is_not_taken_for_an_open_one(path):
    assert BELOW("GET", path) in {None, ADMIN}


PIECES = st.sampled_from(
    [
        *("/", "//", "admin", "ADMIN", "Admin", "x", ".", "..", ";", ";a=b", "%", "%2f", "%2e", "%61", "%5c", "%25"),
        *("\\", "?", "#", " ", "dmin", "%2561", "healthz", "{", "}", "*", "\uff41"),
    ]
)


@settings(max_examples=1000, deadline=None, database=None)
@given(st.lists(PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces)))
def test_whatever_a_careless_router_makes_of_a_path_nobody_slips_past(path):
    required = BELOW("GET", path)
    if required is None:
        return
    for taken in readings(path):
        if taken == "/admin" or taken.startswith("/admin/"):
            assert required == ADMIN
        if required is Policy.OPEN:
            assert taken.strip("/") == "healthz"


@settings(max_examples=200, deadline=None, database=None)
@given(st.text(max_size=30), st.text(max_size=60))
def test_no_text_raises(method, path):
    for policy in (POLICY, BELOW):
        policy(method, path)
        policy("GET", path)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.text(string.ascii_letters + string.digits + "-_~@:äß", min_size=1), min_size=1, max_size=4))
def test_ordinary_paths_are_not_held_up(segments):
    policy = Policy([("GET", "/things/**", READ)])
    assert policy("GET", "/things/" + "/".join(segments)) == READ
    assert policy("GET", unquote(quote("/things/" + "/".join(segments)))) == READ


def test_long_paths_are_read_as_well():
    assert POLICY("GET", "/files/" + "a/" * 30_000 + "a") == READ
    assert POLICY("GET", "/files/" + "%25" * 20_000) is None


def test_a_heap_of_accents_takes_no_time():
    """Normal forms take time that grows with its square: a second for this one."""
    assert POLICY("GET", "/files/" + "\u0301\u0323" * 10_000) is None
    assert POLICY("GET", "/files/" + "\u0301" * 500) == READ


MISTAKES: dict[str, tuple[Any, str]] = {
    "no rules": ([], "name a route"),
    "no requirement": ([("GET", "/a", None)], "Policy.OPEN"),
    "too little": ([("GET", READ)], "a rule is"),
    "small letters": ([("get", "/a", READ)], "in capitals"),
    "no methods": ([("", "/a", READ)], "name methods"),
    "every method and one more": ([("* GET", "/a", READ)], "name methods"),
    "no slash": ([("GET", "a", READ)], "begins with a slash"),
    "an empty segment": ([("GET", "/a//b", READ)], "in its only form"),
    "dots": ([("GET", "/a/../b", READ)], "in its only form"),
    "encoded": ([("GET", "/%61", READ)], "decoded"),
    "a query": ([("GET", "/a?b", READ)], "in its only form"),
    "a parameter as others write it": ([("GET", "/a/<id>", READ)], "whole segment"),
    "half a segment": ([("GET", "/{id}.json", READ)], "whole segment"),
    "the rest in the middle": ([("GET", "/**/a", READ)], "at the end"),
    "a star": ([("GET", "/a*", READ)], "at the end"),
    "a rule below one that takes it all": ([("*", "/**", ANYBODY), ("GET", "/a", ADMIN)], "is never met"),
    "the same rule again": ([("GET", "/a", READ), ("GET", "/a", ADMIN)], "stands above it"),
    "HEAD below GET": ([("GET", "/a", READ), ("HEAD", "/a", ADMIN)], "stands above it"),
    "another case": ([("GET", "/a", READ), ("GET", "/A", ADMIN)], "stands above it"),
    "a slash at the end": ([("GET", "/a", READ), ("GET", "/a/", ADMIN)], "stands above it"),
    "a parameter above a name": ([("GET", "/{a}", READ), ("GET", "/b", ADMIN)], "stands above it"),
}


@pytest.mark.parametrize(("rows", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_the_table_is_refused_with_what_to_do(rows, hint):
    with pytest.raises((ValueError, TypeError), match=hint):
        Policy(rows)


def test_a_rule_may_stand_below_another_that_requires_the_same():
    policy = Policy([("GET", "/a", READ), ("GET", "/a/", READ)])
    assert [policy("GET", path) for path in ("/a", "/a/")] == [READ, READ]


def test_it_names_its_scopes():
    assert POLICY.scopes() == {"reports:read", "reports:write"}


# --- in front of an app -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_an_open_route_needs_no_token_and_has_no_principal(call, issuer, verifier):
    assert call(verifier, POLICY, Request(path="/healthz", method="POST")).status == 401
    for authorization in ((), ("Bearer nonsense",), (f"Bearer {issuer.token()}",)):
        answer = call(verifier, POLICY, Request(authorization, path="/healthz"))
        assert (answer.status, answer.principal) == (200, None)


@pytest.mark.parametrize("header", OVERRIDING)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_header_that_asks_for_another_method_closes(call, header, issuer, verifier):
    token = (f"Bearer {issuer.token(scopes={'reports:read'})}",)
    assert call(verifier, POLICY, Request(token, path="/reports")).status == 200
    for name in (header, header.upper()):
        assert call(verifier, POLICY, Request(token, path="/reports", forwarded=[(name, "DELETE")])).status == 403
        assert call(verifier, ANYBODY, Request(token, path="/reports", forwarded=[(name, "DELETE")])).status == 200
