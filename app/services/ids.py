"""How are things named that have no name of their own?"""

from __future__ import annotations

import secrets

from tokenserver.domain.secret import ALPHABET


def new_id(prefix: str) -> str:
    """A prefix and 16 base62 characters (95 random bits), such as `api_…`."""
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(16))
