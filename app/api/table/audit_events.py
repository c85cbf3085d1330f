"""Which operations are there on the audit log?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.audit_events import PATH, AuditEventOperations
from app.api.operation import PAGE, Operation
from app.inputs.audit import FILTERS, FORMATS


def rows(do: AuditEventOperations) -> tuple[Operation, ...]:
    read = "audit:read"
    return (
        Operation(
            name="listAuditEvents",
            method="GET",
            path=PATH,
            scope=read,
            handler=do.list,
            summary="Search the audit log",
            description=(
                "Newest first. All filters must hold. One request looks at a bounded number of lines: a page may be"
                " shorter than `limit`, or empty, and the search still go on at `next`. Actions other than `token:…`"
                " are found at once, however many tokens were issued in between."
            ),
            gives=outputs.AuditEventList,
            query=(*FILTERS, *PAGE),
            answered=examples.AUDIT_EVENTS,
        ),
        Operation(
            name="exportAuditEvents",
            method="GET",
            path=f"{PATH}/export",
            scope=read,
            handler=do.export,
            summary="Export audit events",
            description=(
                "Oldest first, up to the present second, with the same filters. Where the last line begins with"
                " `incomplete`, the server could not go on: ask again with `since`."
            ),
            gives=outputs.AuditLines,
            streams=tuple(FORMATS.values()),
            versioned=False,
            query=(*FILTERS, "format"),
            answered=examples.AUDIT_LINES,
        ),
    )
