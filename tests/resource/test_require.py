"""Requiring nothing must be said, and what is said wrongly is explained."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.callers import ANYBODY
from tokenserver.errors import InsufficientScope
from tokenserver.resource import Require, all_of, any_of


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


# --- composed ---------------------------------------------------------------------------------------------------------


A, B, C = Require(roles={"a"}), Require(scopes={"b"}), Require(organization="org_c")

MET: dict[str, tuple[Require, dict[str, Any], bool]] = {
    "one of two": (any_of(A, B), {"scopes": {"b"}}, True),
    "both of two": (any_of(A, B), {"roles": {"a"}, "scopes": {"b"}}, True),
    "none of two": (any_of(A, B), {"roles": {"b"}, "scopes": {"a"}}, False),
    "all of two": (all_of(A, B), {"roles": {"a"}, "scopes": {"b"}}, True),
    "half of all": (all_of(A, B), {"roles": {"a"}}, False),
    "the organization": (C, {"organization": "org_c"}, True),
    "another organization": (C, {"organization": "org_C"}, False),
    "the project": (Require(project="p"), {"project": "p"}, True),
    "no project": (Require(project="p"), {}, False),
    "the environment": (Require(environment="production"), {"environment": "production"}, True),
    "another environment": (Require(environment="production"), {"environment": "staging"}, False),
    "all of it": (Require({"a"}, {"b"}, organization="org_c"), {"roles": {"a"}, "scopes": {"b"}}, False),
    "one of two, and a third": (all_of(any_of(A, B), C), {"roles": {"a"}, "organization": "org_c"}, True),
    "one of two, without the third": (all_of(any_of(A, B), C), {"roles": {"a"}}, False),
    "two choices, one each": (all_of(any_of(A, C), any_of(B, C)), {"roles": {"a"}, "scopes": {"b"}}, True),
    "two choices, one for both": (all_of(any_of(A, C), any_of(B, C)), {"organization": "org_c"}, True),
    "two choices, one left": (all_of(any_of(A, C), any_of(B, C)), {"roles": {"a"}}, False),
    "a choice in a choice": (any_of(all_of(A, B), any_of(C, Require({"z"}))), {"roles": {"z"}}, True),
    "any caller and more": (all_of(ANYBODY, A), {"roles": {"a"}}, True),
    "any caller and less": (all_of(ANYBODY, A), {}, False),
    "any caller twice": (all_of(ANYBODY, ANYBODY), {}, True),
}


@pytest.mark.parametrize(("require", "terms", "met"), MET.values(), ids=MET.keys())
def test_requirements_compose(require, terms, met, issuer, verifier):
    principal = verifier.verify(issuer.token(**terms), ANYBODY)
    assert require.met_by(principal) is met
    if not met:
        with pytest.raises(InsufficientScope):
            require.check(principal)


def test_a_composed_requirement_is_a_value_and_names_its_scopes():
    composed = all_of(any_of(A, B), Require(scopes={"c"}))
    assert composed == all_of(any_of(A, B), Require(scopes={"c"}))
    assert len({composed, all_of(any_of(A, B), Require(scopes={"c"}))}) == 1
    assert composed.all_scopes() == {"b", "c"}
    assert all_of(A, B) == Require({"a"}, {"b"})


def test_the_challenge_asks_for_the_first_alternative(issuer, verifier):
    require = all_of(Require(scopes={"a"}), any_of(Require(scopes={"b"}), Require(scopes={"c"})))
    with pytest.raises(InsufficientScope) as raised:
        verifier.verify(issuer.token(scopes={"a"}), require)
    assert getattr(raised.value, "scopes", None) == {"a", "b"}


def test_a_token_of_elsewhere_is_told_so(issuer, verifier):
    with pytest.raises(InsufficientScope, match="another organization, project or environment"):
        verifier.verify(issuer.token(), Require(organization="org_other"))


MISTAKES: dict[str, tuple[Any, str]] = {
    "one alternative": (lambda: any_of(A), "two requirements"),
    "one of all": (lambda: all_of(A), "two requirements"),
    "no requirement": (lambda: any_of(A, "b"), "each a Require"),  # type: ignore[arg-type]
    "any caller as an alternative": (lambda: any_of(A, ANYBODY), "require that alone"),
    "a policy inside": (lambda: any_of(A, Require({"b"}, on_stale="accept")), r"any_of\(..., on_stale"),
    "two organizations at once": (lambda: all_of(C, Require(organization="org_d")), "nobody could meet"),
    "an empty organization": (lambda: Require(organization=""), "organization must be one"),
    "several projects": (lambda: Require(project=["a", "b"]), "any_of"),  # type: ignore[arg-type]
    "any caller of one environment": (lambda: Require(any_caller=True, environment="x"), "nor a place"),
}


@pytest.mark.parametrize(("make", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_cannot_be_required_is_refused_with_what_to_do(make, hint):
    with pytest.raises((ValueError, TypeError), match=hint):
        make()


def test_a_composed_requirement_has_a_policy_for_stale_news_of_its_own():
    assert any_of(A, B, on_stale="accept").on_stale == "accept"
    assert all_of(A, B).on_stale is None
