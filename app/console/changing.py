"""What do the pages that change one credential have in common? The version that they were made from, the
name that is typed where something ends for good, and where one goes afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.console.forms import Form
from app.console.page import Sent
from app.services.credentials import CredentialView
from tokenserver.domain.credential import Credential, name_key
from tokenserver.errors import Fault, InvalidInput

PATH = "/credentials/<client_id>"
MOST_ROUNDS = 150
"""How often a page that is left open asks by itself, once or twice a second: a session must be able to idle."""


def version_of(form: Form) -> int | None:
    """The version of the credential that the form was made from."""
    return form.number("version")


def refuse_other_name(form: Form, credential: Credential) -> None:
    """Raise InvalidInput unless its name was typed, as people compare names."""
    if name_key(form.text("typed_name")) != name_key(credential.name):
        raise InvalidInput([Fault("/typed_name", "This is not its name: nothing was done. Type the name as it is.")])


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
