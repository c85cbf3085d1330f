"""The same world as that of the journeys."""

from tests.journeys.conftest import world, wsgi_api

__all__ = ["world", "wsgi_api"]
