"""The same world as that of the journeys."""

from tests.journeys.conftest import world

__all__ = ["world"]
