"""Is a subject of an issuer one operator, for as long as the operator is there?"""

from __future__ import annotations

import pytest

from tests.support.workshop import a_prepared_workshop
from tokenserver.domain.operators import Operator

ISSUER = "https://login.example.com"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    with a_prepared_workshop(request.param, tmp_path) as workshop:
        with workshop.services.store.writing() as tx:
            tx.operators.add(Operator("op_ada", "ada@example.com", platform_admin=True))
            tx.identities.link(ISSUER, "1", "op_ada", 1)
        yield workshop.services.store


CASES = {
    "the subject": (ISSUER, "1", "op_ada"),
    "another subject": (ISSUER, "2", None),
    "the subject of another issuer": ("https://login.example.org", "1", None),
    "the issuer with a slash": (f"{ISSUER}/", "1", None),
}


@pytest.mark.parametrize(("issuer", "subject", "operator"), CASES.values(), ids=CASES.keys())
def test_a_subject_of_an_issuer_is_one_operator(store, issuer, subject, operator):
    with store.reading() as tx:
        assert tx.identities.operator_of(issuer, subject) == operator
        assert tx.identities.is_linked(issuer, "op_ada") == (issuer == ISSUER)
        assert not tx.identities.is_linked(issuer, "op_eve")
