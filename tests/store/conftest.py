"""The same store on either database: a class of tests says which by `backend`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.store import Store
from tests.support.workshop import Workshop, a_prepared_workshop
from tokenserver.domain.generation import Generation
from tokenserver.domain.organizations import Organization

STRANGER = "org_stranger"


@pytest.fixture
def database_url(request, tmp_path) -> str:
    """An empty database."""
    if request.cls is not None and request.cls.backend == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'tokenserver.db'}"


@pytest.fixture
def workshop(request, tmp_path) -> Iterator[Workshop]:
    with a_prepared_workshop(request.cls.backend, tmp_path) as workshop:
        yield workshop


@pytest.fixture
def store(workshop) -> Store:
    return workshop.services.store


@pytest.fixture
def ours(workshop) -> str:
    """The organization that the credentials of a test belong to."""
    return str(workshop.caller.organization_id)


@pytest.fixture
def theirs(store) -> str:
    """Another organization, which must neither see nor change anything of ours."""
    with store.writing() as tx:
        tx.organizations.add(Organization(STRANGER, "Stranger", Generation()))
    return STRANGER
