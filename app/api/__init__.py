"""Scripts knock: the JSON admin API under `/v1`, and its description at `/openapi.json`."""

from app.api.door import AdminApi

__all__ = ["AdminApi"]
