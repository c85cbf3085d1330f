"""How does the audit log look from outside? Searching it, and taking it away in a file.

A file comes in pieces, and is never in memory as a whole.
"""

from __future__ import annotations

from functools import partial

from app.api import outputs
from app.api.operation import Answer, Call
from app.http import named
from app.inputs.audit import FORMATS, next_page, place_of, read_format, read_wanted
from app.services.audit_trail import AuditTrail
from app.settings import Settings
from tokenserver.domain.audit_search import Found

PATH = "/v1/audit-events"


class AuditEventOperations:
    def __init__(self, audit_trail: AuditTrail, settings: Settings) -> None:
        self._audit_trail = audit_trail
        self._address = settings.issuer + PATH

    def list(self, call: Call) -> Answer:
        wanted, after = read_wanted(call.query), place_of(call.page)
        found, place = self._audit_trail.search(call.caller, wanted, after, call.page.limit)
        cursor, headers = next_page(place, call.query, call.page, self._address)
        return Answer(outputs.AuditEventList(items=list(map(event_shown, found)), next=cursor), headers)

    def export(self, call: Call) -> Answer:
        wanted, form = read_wanted(call.query), read_format(call.query)
        failing = partial(named, request_id=call.caller.request_id)
        pieces = self._audit_trail.file(call.caller, wanted, form, failing)
        headers = [("Content-Disposition", f'attachment; filename="audit-events.{form}"')]
        return Answer(None, headers, pieces, FORMATS[form])


def event_shown(found: Found) -> outputs.AuditEvent:
    said, head = found.members, found.line.head
    return outputs.AuditEvent(
        at=said["at"],
        action=said["event"],
        outcome=said["outcome"],
        actor=said["actor"],
        credential=said["credential"] or None,
        address=said["address"] or None,
        request_id=said["request_id"] or None,
        detail=said["detail"],
        chain=head.chain,
        seq=head.seq,
        hash=head.hash,
    )
