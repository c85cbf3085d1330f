"""The family of errors: the tree that its documentation draws, and what may leave the process."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokenserver.domain.client_ip
import tokenserver.domain.credential
import tokenserver.domain.generation
import tokenserver.tokens.jws
from tests.support.credentials import QUICK
from tokenserver import errors
from tokenserver.errors import Fault, InvalidInput, InvalidToken, Refused, TokenServerError, Unavailable

MODULES = {
    module.__name__
    for module in (
        errors,
        tokenserver.domain.client_ip,
        tokenserver.domain.credential,
        tokenserver.domain.generation,
        tokenserver.tokens.jws,
    )
}
"""Those of the pure floors that name failures: imported, so that the family is the same whatever else was."""


def family(root: type[TokenServerError] = TokenServerError) -> list[type[TokenServerError]]:
    ours = [each for each in root.__subclasses__() if each.__module__ in MODULES]
    return [root, *(each for child in ours for each in family(child))]


FAMILY = sorted(set(family()), key=lambda each: each.__name__)
NAMED_HERE = [each for each in FAMILY if each.__module__ == errors.__name__]


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = dict(re.findall(r"([A-Z][A-Za-z]+) +(\d{3})\b", errors.__doc__))
    for error in NAMED_HERE:
        assert error.__name__ in errors.__doc__
        if error.__name__ in drawn:
            assert error.status == int(drawn[error.__name__])
    assert set(drawn) <= {each.__name__ for each in NAMED_HERE}


def test_every_failure_is_the_callers_fault_or_ours() -> None:
    for error in FAMILY:
        if error is not TokenServerError:
            assert issubclass(error, Refused) != issubclass(error, Unavailable)
            assert (error.status >= 500) is issubclass(error, Unavailable)


RFC_6749 = {
    errors.InvalidRequest: ("invalid_request", 400),
    errors.InvalidClient: ("invalid_client", 401),
    errors.UnauthorizedClient: ("unauthorized_client", 400),
    errors.UnsupportedGrantType: ("unsupported_grant_type", 400),
    errors.InvalidScope: ("invalid_scope", 400),
    errors.InvalidTarget: ("invalid_target", 400),
    errors.InvalidToken: ("invalid_token", 401),
    errors.InsufficientScope: ("insufficient_scope", 403),
}


@pytest.mark.parametrize(("error", "answer"), RFC_6749.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_codes_and_statuses_are_those_of_the_specifications(
    error: type[TokenServerError], answer: tuple[str, int]
) -> None:
    assert (error.code, error.status) == answer


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: error.__name__)
def test_every_sentence_for_callers_can_stand_in_a_header(error: type[TokenServerError]) -> None:
    """RFC 6749 §5.2 and RFC 6750 §3: printable ASCII without quotation marks and backslashes."""
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+\.", error.public)
    assert re.fullmatch(r"[a-z_]*", error.code)


def test_a_missing_token_has_no_code() -> None:
    """RFC 6750 §3.1: who sent no token is told the scheme, and no error."""
    assert errors.MissingToken.code == ""
    assert [each for each in FAMILY if not each.code] == [errors.MissingToken]


@pytest.mark.parametrize(
    "error", [each for each in FAMILY if not issubclass(each, InvalidInput)], ids=lambda error: error.__name__
)
def test_what_is_told_inside_never_shows_outside(error: type[TokenServerError]) -> None:
    fault = error(detail="tss_a-secret")
    assert fault.detail == "tss_a-secret"
    assert fault.public == error.public
    assert "tss_a-secret" not in f"{fault} {fault!r}"


def test_a_sentence_of_ones_own_replaces_the_usual_one_for_that_error_only() -> None:
    assert InvalidToken("Fetch a new token.").public == "Fetch a new token."
    assert str(InvalidToken("Fetch a new token.")) == "Fetch a new token."
    assert InvalidToken().public == "The access token is not valid."


def test_faulty_input_is_told_field_by_field() -> None:
    fault = InvalidInput([Fault("/roles/0", "unknown role."), Fault("", "one member is missing.")])
    assert fault.faults == (Fault("/roles/0", "unknown role."), Fault("", "one member is missing."))
    assert str(fault) == ("One or more fields are not valid. /roles/0: unknown role. /: one member is missing.")
    assert (fault.status, fault.code) == (422, "invalid_input")


@QUICK
@given(st.lists(st.builds(Fault, st.text(), st.text())))
def test_all_faults_are_kept_in_their_order(faults: list[Fault]) -> None:
    assert InvalidInput(iter(faults)).faults == tuple(faults)


def test_who_meets_an_outage_is_told_when_to_come_back() -> None:
    assert Unavailable().retry_after >= 1
    assert Unavailable.status == 503
