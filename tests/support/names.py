"""Names that no other credential has."""

from __future__ import annotations

import secrets


def a_name(beginning: str) -> str:
    return f"{beginning} {secrets.token_hex(4)}"
