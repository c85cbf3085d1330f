"""What do the pages that change one credential have in common? Where it is, and where one goes afterwards: to who has
applied what has ended, on a page that asks by itself until all have.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.console.page import Sent
from app.services.credentials import CredentialView

PATH = "/credentials/<client_id>"
MOST_ROUNDS = 150
"""How often a page that is left open asks by itself, once or twice a second: a session must be able to idle."""


def afterwards(view: CredentialView, notice: str) -> Sent:
    """To who has applied the change, where it ended something; or else to the credential."""
    path = f"/credentials/{view.credential.client_id}"
    if view.feed_seq is None or not view.api_ids:
        return Sent(path, notice)
    return Sent(f"{path}/applied?{applied_query(view.feed_seq, view.api_ids)}", notice)


def applied_query(seq: int, api_ids: Sequence[str]) -> str:
    return f"seq={seq}&apis={','.join(api_ids)}"


def rounds_of(text: str) -> int:
    """How often the page has asked by itself; whatever else a URL says is as often as it may."""
    return min(int(text), MOST_ROUNDS) if text.isascii() and text.isdigit() and len(text) < 5 else MOST_ROUNDS
