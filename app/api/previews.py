"""How does the preview of a change look from outside?"""

from __future__ import annotations

import re

from app.api.examples import Example
from app.api.operation import Answer, Call
from app.api.preview_bodies import ChangePreview, WouldRefuse
from app.inputs.credentials import changed
from app.inputs.fields import moment_text
from app.services.previewing import KEPT_DAYS, Preview, Previewing
from tokenserver.errors import InvalidRequest

DAYS = "days"
USUAL_DAYS = 30
MOST_REASONS = 500
_DAYS = re.compile(r"[0-9]{1,3}", re.ASCII)


class PreviewOperations:
    def __init__(self, previewing: Previewing) -> None:
        self._previewing = previewing

    def preview(self, call: Call) -> Answer:
        change, days = call.body, _read_days(call.query.get(DAYS))
        found = self._previewing.preview(call.caller, call.subject, lambda before: changed(before, change), days)
        return Answer(_shown(found))


def _read_days(text: str | None) -> int:
    if text is None:
        return USUAL_DAYS
    if _DAYS.fullmatch(text) is None or not 1 <= int(text) <= KEPT_DAYS:
        raise InvalidRequest(f"days is a number from 1 to {KEPT_DAYS}.")
    return int(text)


def _shown(preview: Preview) -> ChangePreview:
    refusals = preview.refusals
    return ChangePreview(
        client_id=preview.before.client_id,
        ends_tokens=preview.ends_tokens,
        narrowed=list(preview.narrowed),
        since=moment_text(preview.since),
        calls=refusals.calls,
        refused=refusals.refused,
        unknown=refusals.unknown,
        reasons=[
            WouldRefuse(reason=why.reason, audience=why.audience, what=why.what or None, count=count)
            for why, count in refusals.by_reason[:MOST_REASONS]
        ],
        silent=list(preview.silent),
    )


ANSWERED: Example = {
    "client_id": "tsc_4fVQ0nL2mXcB7aRkT9yWsE",
    "ends_tokens": True,
    "narrowed": ["allowed_ips"],
    "since": "2026-10-22T10:00:00Z",
    "calls": 1200,
    "refused": 17,
    "unknown": 0,
    "reasons": [{"reason": "address", "audience": "https://api.example.com", "what": "198.51.100.7", "count": 17}],
    "silent": [],
}
