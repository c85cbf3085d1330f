"""What may be asked for is tried at the admin API, by the same fixtures."""

from __future__ import annotations

from tests.api.conftest import api, contract, refusing, stocked

__all__ = ["api", "contract", "refusing", "stocked"]
