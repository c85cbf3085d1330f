"""Which operations are there on many credentials at once?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.bulk import PATH, BulkOperations
from app.api.operation import Operation
from app.inputs import bodies as inputs


def rows(do: BulkOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="changeManyCredentials",
            method="POST",
            path=PATH,
            scope="credentials:write",
            handler=do.change_many,
            summary="Disable, enable, revoke or rotate many credentials",
            description=(
                "All of them in one transaction, or none; `dry_run` tells what would happen to each. At most 1,000 at a"
                " time. 409: it cannot be done to some of them, or too many are selected."
            ),
            takes=inputs.BulkChange,
            gives=outputs.BulkDone,
            versioned=False,
            conflicts=True,
            asked=examples.BULK_CHANGE,
            answered=examples.BULK_DONE,
        ),
    )
