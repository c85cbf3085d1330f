"""How does the audit log look from outside? Searching it, and taking it away in a file.

A file comes in pieces, and is never in memory as a whole; a few at a time are written by a process, so that they do not
take the threads of everybody else.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from app.api import outputs
from app.api.audit_lines import in_pieces
from app.api.audit_queries import FORMATS, next_page, place_of, read_format, read_wanted
from app.api.operation import Answer, Call
from app.http import named
from app.services.audit_trail import AuditTrail
from app.settings import Settings
from tokenserver.domain.audit_search import Found
from tokenserver.errors import Unavailable

PATH = "/v1/audit-events"
MOST_EXPORTS = 4


class TooManyExports(Unavailable):
    public = "Other exports are being written at the moment. Try again shortly."
    retry_after = 10


class AuditEventOperations:
    def __init__(self, audit_trail: AuditTrail, settings: Settings) -> None:
        self._audit_trail = audit_trail
        self._address = settings.issuer + PATH
        self._places = threading.BoundedSemaphore(MOST_EXPORTS)

    def list(self, call: Call) -> Answer:
        wanted, after = read_wanted(call.query), place_of(call.page)
        found, place = self._audit_trail.search(call.caller, wanted, after, call.page.limit)
        cursor, headers = next_page(place, call.query, call.page, self._address)
        return Answer(outputs.AuditEventList(items=list(map(event_shown, found)), next=cursor), headers)

    def export(self, call: Call) -> Answer:
        wanted, form = read_wanted(call.query), read_format(call.query)
        if not self._places.acquire(blocking=False):
            raise TooManyExports
        pieces = self._written(call, form, self._audit_trail.select(call.caller, wanted))
        with suppress(StopIteration):
            next(pieces)  # what fails at once fails with a status
        headers = [("Content-Disposition", f'attachment; filename="audit-events.{form}"')]
        return Answer(None, headers, pieces, FORMATS[form])

    def _written(self, call: Call, form: str, found: Iterator[Found]) -> Iterator[bytes]:
        """Begins with an empty piece, when the first line was found."""
        try:
            first = list(itertools.islice(found, 1))
            yield b""
            yield from in_pieces(itertools.chain(first, found), form, partial(named, request_id=call.caller.request_id))
        finally:
            self._places.release()


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
