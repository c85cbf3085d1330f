"""An installation opened up, on SQLite unless a test asks for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.workshop import Workshop, a_prepared_workshop


@pytest.fixture(params=["sqlite"])
def workshop(request, tmp_path) -> Iterator[Workshop]:
    """With an organization, a key, an API and two roles. Parametrize it indirectly, by `both`, for either database."""
    with a_prepared_workshop(request.param, tmp_path, stocked=True) as workshop:
        yield workshop
