"""How are things named that have no name of their own?"""

from __future__ import annotations

from tokenserver.domain.secret import random_text


def new_id(prefix: str) -> str:
    """A prefix and 16 base62 characters (95 random bits), such as `api_…`."""
    return f"{prefix}_" + random_text(16)
