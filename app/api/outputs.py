"""What does the API answer? The bodies of responses; the description of the API is made of the same classes.

Members may be added in later releases: clients ignore those that they do not know.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from app.inputs.fields import MomentText
from app.services.bulk import Action
from tokenserver.domain.catalogue import Kind
from tokenserver.domain.credential import SecretState, Status
from tokenserver.domain.operators import OperatorRole
from tokenserver.domain.restrictions import Access
from tokenserver.domain.schedule import OnUnclaimed


def _open(schema: dict[str, Any]) -> None:
    schema.pop("additionalProperties", None)


class Output(BaseModel):
    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        json_schema_extra=_open,
    )


class Grant(Output):
    audience: str
    access: Access
    scopes: list[str]
    """Empty where access is not `custom`."""


class Secret(Output):
    """A secret as it is remembered; the secret itself is shown once, when it is made."""

    id: str
    hint: str
    """The prefix and the last four characters."""
    state: SecretState
    created_at: MomentText
    expires_at: MomentText | None
    """The end of its grace period."""
    last_used_at: MomentText | None
    last_used_from: str | None


class OpenRotation(Output):
    """Two secrets work until `grace_expires_at`."""

    grace_expires_at: MomentText | None
    """Null: the grace period begins when the new secret, which was claimed, is first used."""
    old_secret_id: str
    new_secret_id: str


class RotationSchedule(Output):
    interval_days: int
    grace_seconds: int
    on_unclaimed: OnUnclaimed
    next_at: MomentText | None
    """When its secret rotates next, unless it is disabled then. Null: while a new secret waits or was claimed, until it
    is in use."""


class Credential(Output):
    client_id: str
    name: str
    description: str
    status: Status
    generation: int
    """What new tokens carry as `gen`."""
    floor: int
    """Tokens of a generation below it are dead."""
    roles: list[str]
    grants: list[Grant]
    allowed_ips: list[str] | None
    """In normal form: single addresses, networks, and ranges `first-last`. Null: from anywhere."""
    token_lifetime: int
    expires_at: MomentText | None
    """Null: never."""
    project: str | None
    environment: str | None
    owner: str | None
    """The operator whose personal credential it is."""
    secrets: list[Secret]
    """Every secret it ever had, newest first."""
    rotation: OpenRotation | None
    rotation_schedule: RotationSchedule | None
    created_at: MomentText
    created_by: str
    disabled_at: MomentText | None
    revoked_at: MomentText | None
    revoked_reason: str | None
    last_used_at: MomentText | None
    """The latest use of any of its secrets."""
    last_used_from: str | None
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class Revealing(Output):
    client_secret: str | None = Field(repr=False)
    """Shown this once; null in the answer to a repeated request (`Idempotent-Replayed`), since no secret is kept."""
    notice: str | None = Field(default=None, exclude_if=lambda notice: notice is None)
    """In the answer to a repeated request: what to do where the secret was lost."""


class ChangedCredential(Credential):
    """`feed_seq` is the number under which resource servers are told what has ended; null: nothing has."""

    feed_seq: int | None
    proofs: list[str]
    """Addresses that say which resource servers have applied it: one for each API of its grants."""


class CreatedCredential(Credential, Revealing):
    pass


class Regenerated(Revealing):
    client_id: str
    generation: int
    feed_seq: int | None
    """The number under which resource servers are told of it."""
    proofs: list[str]
    """Addresses that say which resource servers have applied it: one for each API of its grants."""
    credential: Credential


class Rotated(Revealing):
    client_id: str
    old_secret_id: str
    new_secret_id: str
    grace_expires_at: MomentText
    """Until then the old secret and its tokens work as well."""
    feed_seq: int | None
    """The number under which resource servers are told of it."""
    proofs: list[str]
    """Addresses that say which resource servers have applied it: one for each API of its grants."""
    credential: Credential


class CredentialList(Output):
    items: list[Credential]
    """Newest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Scope(Output):
    name: str
    access: Kind
    sensitive: bool
    description: str


class Api(Output):
    id: str
    audience: str
    name: str
    scopes: list[Scope]
    shared: bool
    """Whether it is in the catalogue of every organization."""
    own: bool
    """Whether it is this organization's. What another shares is changed there."""
    created_at: MomentText
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class ApiList(Output):
    items: list[Api]
    """Oldest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Effect(Output):
    """What a change of an API's scopes means to one credential."""

    client_id: str
    name: str
    organization: str
    """Whose it is: of an API that is shared, platform admins are told of every organization's."""
    gains: list[str]
    loses: list[str]


class Preview(Output):
    count: int
    """How many credentials would gain or lose a scope."""
    credentials: list[Effect]
    """The first 1,000 of them, in the order of client IDs."""


class BulkOutcome(Output):
    client_id: str
    changes: bool
    """Whether something changes: what is disabled already is not disabled twice."""
    refusal: str | None
    """The code of why it cannot be done; in a dry run only."""
    client_secret: str | None = Field(repr=False)
    """The new secret of a rotation, shown this once."""
    grace_expires_at: MomentText | None


class BulkDone(Output):
    action: Action
    dry_run: bool
    count: int
    """How many change."""
    credentials: list[BulkOutcome]
    """In the order of client IDs."""


class Role(Output):
    id: str
    name: str
    description: str
    audience: str | None
    """Null: the whole platform."""
    shared: bool
    """Whether it is in the catalogue of every organization."""
    own: bool
    """Whether it is this organization's. What another shares is changed there."""
    created_at: MomentText
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class RoleList(Output):
    items: list[Role]
    """Oldest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Organization(Output):
    id: str
    name: str
    suspended_at: MomentText | None
    generation: int
    """What new tokens carry as `org_gen`."""
    credential_quota: int | None
    longest_expiry_days: int | None
    names_are_fixed: bool
    created_at: MomentText
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class OrganizationList(Output):
    items: list[Organization]
    """Oldest first; for whoever is no platform admin, their own."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Project(Output):
    id: str
    name: str
    description: str
    created_at: MomentText
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class ProjectList(Output):
    items: list[Project]
    """Oldest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class Operator(Output):
    id: str
    email: str
    name: str
    platform_admin: bool
    role: OperatorRole
    roles: list[str] | None
    """The roles that personal credentials may hold; null: all."""
    grants: list[Grant] | None
    """The scopes that personal credentials may hold, by API; null: all."""
    permissions: list[str]
    """The scopes of the admin API that personal credentials may hold."""
    created_at: MomentText
    version: int
    """Counts every change; the ETag is this number in quotation marks."""


class OperatorList(Output):
    items: list[Operator]
    """Who has been a member for longest first."""
    next: str | None
    """The cursor of the next page; null on the last one."""


class AuditEvent(Output):
    """Something that happened. `chain`, `seq` and `hash` say where its line stands in the audit log."""

    at: MomentText
    """To the millisecond."""
    action: str
    """`subject:action`, such as `credential:created`."""
    outcome: str
    """`success`, or `refused`."""
    actor: str
    """Who did it: `credential:` and a client ID, `shell`, `clock`, or `stranger` for who has proven nothing."""
    credential: str | None
    """The client ID of what it is about."""
    address: str | None
    """From where."""
    request_id: str | None
    detail: dict[str, Any]
    """For a change, `changed`: names to what was and what is. Never a secret."""
    chain: str
    seq: int
    hash: str


class AuditEventList(Output):
    items: list[AuditEvent]
    """Newest first, to the second."""
    next: str | None
    """Where the search goes on; null when there is no more to look at. A page may be shorter than `limit`, or empty,
    and yet not be the last."""


class AuditLines(RootModel[str]):
    """One audit line after the other, as JSON or as a row of CSV."""


class FaultyField(Output):
    pointer: str
    """A JSON Pointer (RFC 6901) into the body; empty: all of it. For a member that is not known, its parent."""
    detail: str
    """What to do. Nothing that was sent is in it."""


class Problem(Output):
    """A problem document (RFC 9457). Nothing that was sent is in it."""

    type: str
    """`urn:tokenserver:problem:` and the code."""
    title: str
    status: int
    code: str
    """Names the problem for programs; never changes its meaning."""
    request_id: str
    """Also in the header X-Request-Id, in the server's log and in the audit log."""
    errors: list[FaultyField] = Field(default=[])
    """With 422: every faulty field."""
    count: int = Field(default=0)
    """With `still_held`: how many credentials hold it."""
    client_ids: list[str] = Field(default=[])
    """With `still_held`: the first of them."""
