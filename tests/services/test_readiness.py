"""Does a node call itself ready exactly when it can serve?"""

from __future__ import annotations

import pytest

from app.services.readiness import Readiness
from app.store.database import StoreUnavailable
from tests.support.workshop import a_workshop
from tokenserver.errors import Unavailable


def readiness(workshop):
    return Readiness(workshop.services.feed, workshop.services.keys)


def test_a_prepared_node_is_ready(workshop):
    readiness(workshop).check()


def test_a_node_without_a_schema_is_not(tmp_path):
    with a_workshop(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path) as workshop, pytest.raises(Unavailable):
        readiness(workshop).check()


def test_a_node_without_a_key_is_not(tmp_path):
    with a_workshop(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path) as workshop:
        workshop.services.installation.migrate()
        with pytest.raises(Unavailable):
            readiness(workshop).check()


def test_a_node_that_cannot_open_its_key_is_not(workshop):
    with pytest.raises(Unavailable):
        readiness(workshop.beside(prepared=False, kek=bytes(32))).check()


def test_a_node_whose_database_is_gone_is_not_even_if_it_remembers_the_keys(workshop):
    check = readiness(workshop).check
    check()
    workshop.services.store.engine.dispose()
    for path in workshop.settings.home.glob("tokenserver.db*"):
        path.unlink()
    (workshop.settings.home / "tokenserver.db").mkdir()
    with pytest.raises(StoreUnavailable):
        check()
