"""An installation opened up, on SQLite unless a test asks for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.workshop import Workshop, a_workshop


@pytest.fixture(params=["sqlite"])
def workshop(request, tmp_path) -> Iterator[Workshop]:
    """With an organization, a key, an API and two roles. Parametrize it indirectly, by `both`, for either database."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'tokenserver.db'}"
    with a_workshop(url, tmp_path) as workshop:
        workshop.prepare()
        workshop.catalogue()
        yield workshop
