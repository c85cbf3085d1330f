"""What may a caller send? The bodies of requests, strictly: unknown members and values of another type are refused.

In a change (PATCH, as in JSON Merge Patch, RFC 7396) only members that are present count. A list is replaced as a
whole. `null` has a meaning where its description says so, and is refused elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.inputs.fields import (
    DEFAULT_GRACE,
    MOST_GRANTS,
    MOST_SCOPES,
    AllowedIps,
    Audience,
    ClientId,
    Description,
    Email,
    Environment,
    Grace,
    Lifetime,
    Moment,
    Name,
    OperatorId,
    PersonName,
    ProjectName,
    Reason,
    RoleName,
    Roles,
    ScopeName,
    ScopeNames,
    refused,
    short,
)
from app.services.bulk import MOST_AT_ONCE, Action
from tokenserver.clock import DAY
from tokenserver.domain import restrictions
from tokenserver.domain.catalogue import Kind
from tokenserver.domain.credential import Status
from tokenserver.domain.restrictions import Access
from tokenserver.domain.schedule import LONGEST_INTERVAL_DAYS, OnUnclaimed, RotationSchedule, usual_grace
from tokenserver.domain.selection import Selection

ABSENT: Any = None
"""What a missing member reads as; `given` tells it from a null that was sent, and no schema shows it as a default."""


def _without_absent(schema: dict[str, Any]) -> None:
    for described in schema.get("properties", {}).values():
        if described.get("default", ...) is ABSENT:
            del described["default"]


class Input(BaseModel):
    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        json_schema_extra=_without_absent,
    )

    def given(self) -> dict[str, Any]:
        """The members that are present."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Nothing(Input):
    """No members: send an empty body, or `{}`."""


class GrantInput(Input):
    """The scopes a credential may ask for at one API."""

    audience: Audience
    """The audience of an API in the catalogue."""
    access: Annotated[Access, Field(strict=False)] = Access.CUSTOM
    """`custom`: the listed scopes. `all_read`, `all_read_write`: all present and future ones but the sensitive ones."""
    scopes: ScopeNames = []
    """Names of scopes of this API; only where access is `custom`."""

    def value(self) -> restrictions.Grant:
        return restrictions.Grant(self.audience, self.access, frozenset(self.scopes))


def _one_grant_per_api(grants: list[GrantInput]) -> list[GrantInput]:
    if len({grant.audience for grant in grants}) < len(grants):
        raise refused("Two grants name the same API: there is one grant for each.")
    return grants


Grants = Annotated[
    list[GrantInput], short(MOST_GRANTS), Field(max_length=MOST_GRANTS), AfterValidator(_one_grant_per_api)
]


class ScheduleInput(Input):
    """A new secret every so often, for the app to claim; what works is not ended before the new one is in use."""

    interval_days: Annotated[int, Field(ge=1, le=LONGEST_INTERVAL_DAYS)]
    """Days from one rotation to the next. Each is a little earlier, so that not all come due at once."""
    grace_seconds: Grace = ABSENT
    """How long the app has to claim the new secret, and to leave the old one once it uses the new one: 1 second to 30
    days, and shorter than the interval. Missing: 14 days, or half of an interval for which that is too long."""
    on_unclaimed: Annotated[OnUnclaimed, Field(strict=False)] = OnUnclaimed.EXTEND
    """When nobody has claimed it by then: wait once more as long, or withdraw it. The old secret goes on either way."""

    def value(self) -> RotationSchedule:
        grace = usual_grace(self.interval_days) if self.grace_seconds is ABSENT else self.grace_seconds
        return RotationSchedule(self.interval_days, grace, self.on_unclaimed)


def _grace_within_interval(schedule: ScheduleInput | None) -> ScheduleInput | None:
    if (
        schedule is not None
        and schedule.grace_seconds is not ABSENT
        and schedule.grace_seconds >= schedule.interval_days * DAY
    ):
        raise refused("The grace period must be shorter than the interval: lessen grace_seconds.")
    return schedule


Schedule = Annotated[ScheduleInput | None, AfterValidator(_grace_within_interval)]


class CredentialCreation(Input):
    name: Name
    """What people know it by: 1 to 100 characters."""
    description: Description = ""
    roles: Roles = []
    """Names of roles in the catalogue; its tokens carry them."""
    grants: Grants = []
    """One for each API."""
    allowed_ips: AllowedIps = None
    """From where: addresses, networks in CIDR notation and ranges (`192.0.2.1 - 192.0.3.254`), as one text separated by
    commas or new lines, or as a list of texts. Null or missing: from anywhere."""
    token_lifetime: Lifetime = ABSENT
    """Seconds that its tokens live. Missing: the server's setting, 900 unless it was changed."""
    expires_at: Moment | None = ABSENT
    """When it ends for good. Missing: 12 months from now; null: never."""
    rotation_schedule: Schedule = None
    """When its secret rotates by itself. Null or missing: never."""
    project: ProjectName | None = None
    """The name of a project; its tokens carry it."""
    environment: Environment | None = None
    """A label such as `production`; its tokens carry it."""
    owner: OperatorId | None = None
    """The ID of the operator whose personal credential it shall be. Null or missing: one of the organization, which
    outlives whoever made it; or your own, where you may make no other."""


class CredentialChange(Input):
    """Only members that are present change. Taking something away ends the tokens that are out."""

    name: Name = ABSENT
    description: Description = ABSENT
    roles: Roles = ABSENT
    """Replaces all roles."""
    grants: Grants = ABSENT
    """Replaces all grants."""
    allowed_ips: AllowedIps = ABSENT
    """Replaces the whole list. Null: from anywhere."""
    token_lifetime: Lifetime = ABSENT
    expires_at: Moment | None = ABSENT
    """Null: never."""
    project: ProjectName | None = ABSENT
    """Moving to another project or environment ends the tokens that are out."""
    environment: Environment | None = ABSENT
    rotation_schedule: Schedule = ABSENT
    """Replaces the schedule; disturbs no token. Null: none, and a secret that nobody has claimed is withdrawn."""


class Rotation(Input):
    grace_seconds: Grace = DEFAULT_GRACE
    """How long the old secret and its tokens go on: 1 second to 30 days. Missing: one day."""


class Revocation(Input):
    reason: Reason = ""
    """Kept with the credential and in the audit log."""


ClientIds = Annotated[list[ClientId], short(MOST_AT_ONCE), Field(min_length=1, max_length=MOST_AT_ONCE)]


class BulkFilter(Input):
    """As the parameters of the list of credentials; what is missing is any."""

    status: Annotated[list[Annotated[Status, Field(strict=False)]], Field(min_length=1)] = ABSENT
    q: Name = ABSENT
    role: RoleName = ABSENT
    owner: OperatorId = ABSENT
    project: ProjectName = ABSENT
    environment: Environment = ABSENT
    created_by: Name = ABSENT
    expires_before: Moment = ABSENT
    unused_since: Moment = ABSENT

    def value(self) -> Selection:
        given = self.given()
        return Selection(
            statuses=frozenset(given["status"]) if "status" in given else None,
            text=given.get("q"),
            role=given.get("role"),
            owner_id=given.get("owner"),
            project=given.get("project"),
            environment=given.get("environment"),
            created_by=given.get("created_by"),
            expires_before=given.get("expires_before"),
            unused_since=given.get("unused_since"),
        )


class BulkChange(Input):
    action: Annotated[Action, Field(strict=False)]
    client_ids: ClientIds = ABSENT
    """Which credentials; or else `filter`."""
    filter: BulkFilter = ABSENT
    reason: Reason = ""
    """Of a revocation."""
    grace_seconds: Grace = DEFAULT_GRACE
    """Of a rotation."""
    dry_run: bool = False
    """Tell what would happen to each, and change nothing."""

    @model_validator(mode="after")
    def _says_which(self) -> BulkChange:
        if len({"client_ids", "filter"} & self.given().keys()) != 1:
            raise refused("Name either client_ids or filter.")
        if "filter" in self.given() and not self.filter.given():
            raise refused("The filter selects nothing in particular: name at least one member of it.")
        return self


class ScopeInput(Input):
    name: ScopeName
    access: Annotated[Kind, Field(strict=False)]
    """What it does: reading or writing."""
    sensitive: bool = False
    """A sensitive scope is never part of `all_read` or `all_read_write`."""
    description: Description = ""


def _one_scope_per_name(scopes: list[ScopeInput]) -> list[ScopeInput]:
    if len({scope.name for scope in scopes}) < len(scopes):
        raise refused("Two scopes have the same name.")
    return scopes


Scopes = Annotated[
    list[ScopeInput], short(MOST_SCOPES), Field(max_length=MOST_SCOPES), AfterValidator(_one_scope_per_name)
]


class ApiCreation(Input):
    audience: Audience
    """What tokens for this API carry as `aud`. It never changes."""
    name: Name
    scopes: Scopes = []
    shared: bool = False
    """Whether it is in the catalogue of every organization. Only platform admins share."""


class ApiChange(Input):
    """Only members that are present change."""

    name: Name = ABSENT
    scopes: Scopes = ABSENT
    """Replaces all scopes."""
    shared: bool = ABSENT
    """Whether it is in the catalogue of every organization. Only platform admins share."""


Quota = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=3650)]


class OrganizationCreation(Input):
    name: Name
    credential_quota: Quota | None = None
    """How many credentials that have not ended it may have. Null or missing: any number."""
    longest_expiry_days: Days | None = None
    """How far ahead a new credential's expiry may lie. Null or missing: any time, and never."""
    names_are_fixed: bool = False
    """Whether credentials keep their names for ever."""


class OrganizationChange(Input):
    """Only members that are present change. The quota is set by platform admins."""

    name: Name = ABSENT
    credential_quota: Quota | None = ABSENT
    longest_expiry_days: Days | None = ABSENT
    """What there is already may end later."""
    names_are_fixed: bool = ABSENT


class ProjectCreation(Input):
    name: ProjectName
    """What tokens carry in `project`. It never changes."""
    description: Description = ""


class ProjectChange(Input):
    """Only members that are present change."""

    description: Description = ABSENT


MemberRole = Literal["owner", "admin", "auditor", "member"]


class OperatorCreation(Input):
    email: Email
    name: PersonName = ""
    role: MemberRole
    """owner: everything; admin: everything but the organization itself; auditor: reads everything; member: personal
    credentials only."""
    roles: Roles | None = None
    """The roles that personal credentials may hold. Null or missing: all."""
    grants: Grants | None = None
    """The scopes that personal credentials may hold, by API. Null or missing: all."""
    platform_admin: bool = False
    """Whether to manage every organization, too."""


class OperatorChange(Input):
    """Only members that are present change. What is taken away ends the tokens of personal credentials."""

    name: PersonName = ABSENT
    role: MemberRole = ABSENT
    roles: Roles | None = ABSENT
    grants: Grants | None = ABSENT
    platform_admin: bool = ABSENT


class RoleCreation(Input):
    name: RoleName
    """What tokens carry in `roles`. It never changes."""
    description: Description = ""
    audience: Audience | None = None
    """The API it belongs to. Null or missing: the whole platform."""
    shared: bool = False
    """Whether it is in the catalogue of every organization. Only platform admins share."""


class RoleChange(Input):
    """Only members that are present change."""

    description: Description = ABSENT
    shared: bool = ABSENT
    """Whether it is in the catalogue of every organization. Only platform admins share."""
