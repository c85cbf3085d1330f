"""What do resource servers send of their use, and what is said of it? The bodies of the operations on usage."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from app.api.outputs import Output
from app.inputs.bodies import ABSENT, Input
from app.inputs.fields import Address, Audience, ClientId, MomentText, Name, RoleName, ScopeName, plain, refused, short
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.generation import LARGEST

MOST_USES = 1000
MOST_APPLIED = 16
MOST_NEEDED = 20
LONGEST_ROUTE = 200
MOST_COUNTED = 1_000_000_000
LARGEST_SEQ = 2**53 - 1
_PROCESS = re.compile(r"[A-Za-z0-9_-]{8,40}")


def _process(text: str) -> str:
    if _PROCESS.fullmatch(text) is None:
        raise refused("Must be 8 to 40 letters, digits, hyphens and underscores, drawn anew by each process.")
    return text


Process = Annotated[str, AfterValidator(_process)]
Route = Annotated[str, AfterValidator(lambda text: plain(text, 1, LONGEST_ROUTE))]
Ago = Annotated[int, Field(ge=0, le=7 * DAY * 1000)]
Seq = Annotated[int, Field(ge=0, le=LARGEST_SEQ)]
Generation = Annotated[int, Field(ge=1, le=LARGEST)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNTED)]


class AppliedInput(Input):
    """A change of the generation feed that was applied."""

    seq: Seq
    ago_ms: Ago
    """Milliseconds before this report was sent."""


class NeedsInput(Input):
    """The roles and scopes by which a route let somebody in."""

    roles: Annotated[list[RoleName], short(MOST_NEEDED), Field(max_length=MOST_NEEDED)] = Field(default=[])
    scopes: Annotated[list[ScopeName], short(MOST_NEEDED), Field(max_length=MOST_NEEDED)] = Field(default=[])


class UseInput(Input):
    """Requests of one kind. Times are milliseconds before this report was sent: no clock but the server's counts."""

    client_id: ClientId | None
    """Who called; null for whoever has proven nothing."""
    route: Route | None
    """Method and template of the path, such as `GET /reports/{id}`; null: not told. Never a path as it was sent."""
    status: Annotated[int, Field(ge=100, le=599)]
    """The verdict: 200 for who was let in."""
    address: Address | None
    needs: NeedsInput | None = None
    """What the route required of who was let in; null or missing: not told."""
    generation: Generation | None = None
    """That of the token of who was let in, which tells the secret; null or missing: not told."""
    count: Count
    first_ago_ms: Ago
    last_ago_ms: Ago

    @model_validator(mode="after")
    def _in_order(self) -> UseInput:
        if self.first_ago_ms < self.last_ago_ms:
            raise refused("The first request must not come after the last.")
        return self


def _ascending(applied: list[AppliedInput]) -> list[AppliedInput]:
    if any(one.seq >= next_.seq or one.ago_ms < next_.ago_ms for one, next_ in pairwise(applied)):
        raise refused("Must be in the order of numbers and of time.")
    return applied


AppliedChanges = Annotated[
    list[AppliedInput], short(MOST_APPLIED), Field(max_length=MOST_APPLIED), AfterValidator(_ascending)
]
Uses = Annotated[list[UseInput], short(MOST_USES), Field(max_length=MOST_USES)]


class UsageReport(Input):
    instance: Name
    """The place that reports, such as a host."""
    process: Process
    """Tells the processes of an instance apart."""
    batch: Annotated[int, Field(ge=1, le=LARGEST_SEQ)]
    """Numbers the batches of a process upwards. What is sent again under a number that was taken is counted once."""
    audience: Audience
    """The API that was called."""
    interval_ms: Annotated[int, Field(ge=100, le=HOUR * 1000)]
    """How often this process reports."""
    applied: AppliedChanges = Field(default=[])
    """The last changes of the feed that it has applied, in the order of their numbers."""
    uses: Uses = Field(default=[])
    untold: Annotated[int, Field(ge=0, le=MOST_COUNTED)] = 0
    """Requests of which nothing but their number was kept."""
    leaving: bool = ABSENT
    """Whether the process ends, and lets nobody in any more."""


class UsageTaken(Output):
    counted: int
    """Requests that were counted."""
    ignored: int
    """Requests of credentials that are not the organization's."""
    repeated: bool
    """Whether this batch was counted before."""


class ApiUsed(Output):
    audience: str
    count: int
    first_used_at: MomentText
    last_used_at: MomentText
    last_used_from: str | None


class RouteUsed(Output):
    audience: str
    route: str | None
    """Null: not told."""
    count: int
    last_used_at: MomentText


class StatusAnswered(Output):
    status: int
    count: int


class AddressUsed(Output):
    address: str | None
    """Null: not told, or one of too many."""
    count: int
    first_used_at: MomentText
    last_used_at: MomentText


class UnusedScopes(Output):
    audience: str
    scopes: list[str]


class CredentialUsage(Output):
    client_id: str
    since: MomentText
    """What was before is not kept."""
    count: int
    first_used_at: MomentText | None
    """Of the requests that were let in, as resource servers have told."""
    last_used_at: MomentText | None
    apis: list[ApiUsed]
    """Last used first; so are the following. Only of requests that were let in, but for `statuses`."""
    routes: list[RouteUsed]
    statuses: list[StatusAnswered]
    """Of all requests."""
    addresses: list[AddressUsed]
    unused_apis: list[str]
    """Audiences of grants with which nothing was done since, at APIs whose use is told."""
    unused_scopes: list[UnusedScopes]
    """Scopes that it holds and no route that let it in required, at APIs that tell what their routes require."""
    unused_roles: list[str] | None
    """The same of roles; null where an API at which it holds a grant does not tell."""


class InstanceShown(Output):
    instance: str
    process: str
    applied: bool
    """Whether it has applied the change in question."""
    applied_at: MomentText | None
    """When, at the latest; to the millisecond."""
    seconds_after: float | None
    """The same, in seconds after the change was recorded."""
    silent: bool
    """Nothing was heard of it for three of its intervals: it may have stopped, or be cut off."""
    feed_seq: int | None
    """The last change that it has applied."""
    reported_at: MomentText
    age: float
    """Seconds since its last report."""
    untold: int
    """Requests of which it has kept nothing but their number."""


class ApiInstances(Output):
    seq: int
    """The number of the change in question."""
    changed_at: MomentText | None
    """When it was recorded, to the millisecond; null where it is not your organization's, or over an hour old."""
    total: int
    applied: int
    silent: int
    summary: str
    instances: list[InstanceShown]
