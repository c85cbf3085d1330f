"""Requiring nothing must be said, and what is said wrongly is explained."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.callers import ANYBODY
from tokenserver.errors import InsufficientScope
from tokenserver.resource import Require


def test_requiring_nothing_must_be_said():
    for nothing in (Require, lambda: Require(roles=set(), scopes=[]), lambda: Require(any_caller=False)):
        with pytest.raises(ValueError, match="any_caller=True"):
            nothing()
    assert Require(any_caller=True) == Require(roles=(), any_caller=True)


def test_any_caller_goes_with_nothing_else():
    with pytest.raises(ValueError, match="neither roles nor scopes"):
        Require(roles={"cloud_admin"}, any_caller=True)


@pytest.mark.parametrize("what", ["roles", "scopes"])
def test_a_bare_text_is_not_taken_for_a_set_of_letters(what):
    given: Any = {what: "cloud_admin"}
    with pytest.raises(TypeError, match=rf"write {what}={{'cloud_admin'}}"):
        Require(**given)


@pytest.mark.parametrize("name", ["", " ", "a b", "reports:read reports:write", 'a"b', "a\nb", "ä", "x" * 101])
@pytest.mark.parametrize("what", ["roles", "scopes"])
def test_a_name_that_no_token_can_hold_is_refused(what, name):
    given: Any = {what: {name}}
    with pytest.raises(ValueError, match=f"each of {what}"):
        Require(**given)


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="refuse, introspect, accept"):
        Require(any_caller=True, on_stale="ignore")


def test_all_roles_and_all_scopes_are_required(issuer, verifier):
    require = Require(roles=["a", "b"], scopes=("c", "d"))
    held = {"all": ({"a", "b", "z"}, {"c", "d", "z"}), "a role less": ({"a"}, {"c", "d"}), "none": ((), ())}
    principals = {
        how: verifier.verify(issuer.token(roles=roles, scopes=scopes), ANYBODY) for how, (roles, scopes) in held.items()
    }
    assert {how: require.met_by(principal) for how, principal in principals.items()} == {
        "all": True,
        "a role less": False,
        "none": False,
    }
    require.check(principals["all"])
    with pytest.raises(InsufficientScope):
        require.check(principals["none"])


def test_a_requirement_is_a_value():
    assert Require({"a"}, {"b"}) == Require(roles=["a"], scopes=["b"])
    assert len({Require({"a"}), Require(["a", "a"])}) == 1
    with pytest.raises(AttributeError):
        Require({"a"}).roles = frozenset()  # type: ignore[misc]
