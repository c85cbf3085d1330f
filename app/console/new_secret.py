"""How does a credential get a new secret? Rotate, which ends nothing early, and regenerate, which ends everything now,
side by side; and the new secret, shown this once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from app.console import words
from app.console.applied import AppliedPages
from app.console.changing import PATH
from app.console.credentials import WRITE
from app.console.editing import refuse_other_name, version_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Shown, Visit, form_pages
from app.console.revealing import reveal
from app.inputs.bodies import Rotation
from app.inputs.checking import check
from app.services.credentials import Credentials, NewSecret
from app.settings import Settings
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.credential import SecretState
from tokenserver.errors import Fault, InvalidInput

UNITS = {"hours": HOUR, "days": DAY}


class NewSecretPages:
    def __init__(self, credentials: Credentials, applied: AppliedPages, settings: Settings) -> None:
        self._credentials = credentials
        self._applied = applied
        self._settings = settings

    def pages(self) -> Pages:
        form = partial(form_pages, show=self.choose, fresh=True, wants=WRITE)
        return (
            Page(name="new_secret", path=f"{PATH}/new-secret", handler=self.choose, fresh=True, wants=WRITE),
            *form("regenerate", f"{PATH}/regenerate", do=self.regenerate),
            *form("rotate", f"{PATH}/rotate", do=self.rotate),
        )

    def choose(self, visit: Visit) -> Reply:
        view = self._credentials.get(visit.caller, visit.id)
        values = {
            "view": view,
            "current": view.credential.secret_in(SecretState.CURRENT, view.now),
            "grace": visit.form.text("grace") or "24",
            "unit": visit.form.text("unit") or "hours",
        }
        return Shown("credentials/new_secret.html", values)

    def regenerate(self, visit: Visit) -> Reply:
        refuse_other_name(visit.form, self._credentials.get(visit.caller, visit.id).credential.name)
        made = self._credentials.regenerate(visit.caller, visit.id, version_of(visit.form))
        seq = made.view.feed_seq
        state = {} if seq is None else self._applied.state(visit, seq, made.view.api_ids, 0)
        return self._shown("credentials/regenerated.html", made, {**state, "seq": seq})

    def rotate(self, visit: Visit) -> Reply:
        made = self._credentials.rotate(visit.caller, visit.id, _grace(visit.form), version_of(visit.form))
        return self._shown("credentials/rotated.html", made, {})

    def _shown(self, template: str, made: NewSecret, more: Mapping[str, Any]) -> Reply:
        """The secret as it is always shown, and below it what has become of the old one."""
        shown = reveal(made, self._settings, 201)
        return replace(shown, template=template, values={**shown.values, **more})


def _grace(form: Form) -> int:
    amount, unit = form.number("grace"), UNITS.get(form.text("unit"), 0)
    try:
        asked = check(Rotation, {"grace_seconds": (amount or 0) * unit})
    except InvalidInput:
        raise InvalidInput([Fault("/grace", words.GRACE_OFFERED)]) from None
    return asked.grace_seconds
