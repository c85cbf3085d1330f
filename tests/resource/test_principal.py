"""A principal is a value that no handler can change for the next one, and that shows no claims by accident."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from tests.support.callers import ANYBODY


def test_a_principal_cannot_be_changed(issuer, verifier):
    principal = verifier.verify(issuer.token(), ANYBODY)
    with pytest.raises(FrozenInstanceError):
        principal.roles = frozenset({"cloud_admin"})
    with pytest.raises(TypeError):
        principal.claims["roles"] = ["cloud_admin"]


def test_the_same_token_gives_the_same_principal(issuer, verifier):
    token = issuer.token()
    assert verifier.verify(token, ANYBODY) is verifier.verify(token, ANYBODY)


def test_its_repr_shows_no_claims(issuer, verifier):
    assert "org_gen" not in repr(verifier.verify(issuer.token(), ANYBODY))
