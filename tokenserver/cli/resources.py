"""What can be managed, and how is it typed? The one table; `building` makes commands of it.

A resource with create, list, show, update and delete costs a few lines here. What a row does not say, the server says:
bodies may come from `--json` as well, so that a member that a newer server knows needs no newer command.
"""

from __future__ import annotations

from tokenserver.cli.fields import (
    Field,
    addresses,
    duration,
    grant,
    moment,
    schedule,
    scope,
)
from tokenserver.cli.resource import Action, Resource
from tokenserver.cli.screen import Column

ON_CREATION = frozenset({"create"})
NAME = Field("name", "What people know it by.", required=True)
DESCRIPTION = Field("description", "What it is for.")

SELECTION = (
    Field("status", "active, expires_soon, expired, disabled, revoked; several with commas.", metavar="STATUS"),
    Field("q", "A word in name, description, client ID or hint.", "--search"),
    Field("role", "That hold this role.", metavar="NAME"),
    Field("owner", "Personal ones of this operator.", metavar="ID"),
    Field("project", "Of this project.", metavar="NAME"),
    Field("environment", "With this label.", metavar="LABEL"),
    Field("created_by", "Made by this credential or operator."),
    Field("expires_before", "That end before then: a date, a moment, or +30d.", metavar="MOMENT", read=moment),
    Field("unused_since", "That nobody has used since then.", metavar="MOMENT", read=moment),
)
ORDER = Field("sort", "By created_at, name, expires_at or last_used_at; with a hyphen backwards, as -created_at is.")

CREDENTIAL = Resource(
    name="credential",
    path="/v1/credentials",
    one="a credential",
    help="Credentials: client ID, secret, and what they may do from where.",
    id="client_id",
    columns=(
        Column("client_id"),
        Column("name"),
        Column("status"),
        Column("roles"),
        Column("last_used_at", "last used"),
        Column("expires_at", "expires"),
        Column("allowed_ips", "from"),
        Column("generation"),
        Column("created_by"),
    ),
    fields=(
        NAME,
        DESCRIPTION,
        Field(
            "roles",
            "A role that its tokens carry.",
            "--role",
            "NAME",
            many=True,
            empty=(("--no-roles", [], "No role."),),
            steps="role",
        ),
        Field(
            "grants",
            "What it may ask for at an API: AUDIENCE=scope,scope, AUDIENCE=all_read or AUDIENCE=all_read_write.",
            "--grant",
            "GRANT",
            grant,
            many=True,
            empty=(("--no-grants", [], "No grant, so that no token is issued."),),
            steps="grant",
            key="audience",
        ),
        Field(
            "allowed_ips",
            "From where it may be used: addresses, CIDR and ranges (192.0.2.1 - 192.0.3.254), or @FILE.",
            metavar="ADDRESSES",
            read=addresses,
            many=True,
            empty=(("--from-anywhere", None, "From any address."),),
        ),
        Field("token_lifetime", "How long its tokens live: 900 or 15m.", metavar="DURATION", read=duration),
        Field(
            "expires_at",
            "When it ends for good: a date, a moment, or +90d. Not said: 12 months after it was made.",
            metavar="MOMENT",
            read=moment,
            empty=(("--never-expires", None, "It does not end by itself."),),
        ),
        Field(
            "project",
            "The name of the project it belongs to.",
            metavar="NAME",
            empty=(("--no-project", None, "Of no project."),),
        ),
        Field(
            "environment",
            "A label such as production.",
            metavar="LABEL",
            empty=(("--no-environment", None, "Without a label."),),
        ),
        Field("owner", "The ID of the operator whose personal credential it is.", metavar="ID", when=ON_CREATION),
        Field(
            "rotation_schedule",
            "A new secret every so often, for the app to claim: 90d, 90d,14d or 90d,14d,withdraw.",
            "--rotate-every",
            "EVERY[,GRACE[,extend|withdraw]]",
            schedule,
            empty=(("--rotate-never", None, "Rotated by hand only."),),
        ),
    ),
    filters=(*SELECTION, ORDER),
    actions=(
        Action(
            "regenerate",
            "/regenerate",
            "A new secret now; the old one and every token that is out have ended.",
            consequence="The old secret and every token that is out end now.",
            secret="client_secret",
        ),
        Action(
            "rotate",
            "/rotate",
            "A new secret; the old one and its tokens go on until the grace period ends.",
            fields=(
                Field("grace_seconds", "How long: 3600, 24h, 7d. Default: a day.", "--grace", "DURATION", duration),
            ),
            secret="client_secret",
        ),
        Action(
            "rotation-finish",
            "/rotation/finish",
            "End the grace period now: the old secret and its tokens end.",
            consequence="The old secret and its tokens end now.",
        ),
        Action(
            "rotation-cancel",
            "/rotation/cancel",
            "Withdraw the new secret; the old one goes on.",
            consequence="The new secret and every token that is out end now; the old secret goes on.",
        ),
        Action(
            "disable",
            "/disable",
            "Every token ends, and none is issued until it is enabled.",
            consequence="Every token that is out ends now, and no new one is issued.",
        ),
        Action("enable", "/enable", "Let it be used again; tokens of before do not come back."),
        Action(
            "revoke",
            "/revoke",
            "End it for good; it stays readable.",
            fields=(Field("reason", "Why; kept with it and in the audit log."),),
            consequence="It ends for good, with every token that is out. It cannot be undone.",
        ),
    ),
    secret="client_secret",
    deletion="It ends with every token that is out, and is gone from every list.",
)

SCOPES = Field(
    "scopes",
    "NAME=read or NAME=write, with ,sensitive for one that `all` leaves out. Replaces all.",
    "--scope",
    "SCOPE",
    scope,
    many=True,
    empty=(("--no-scopes", [], "No scope."),),
)
SHARED = Field("shared", "Every organization has it in its catalogue, too; for platform admins to say.", is_switch=True)

API = Resource(
    name="api",
    path="/v1/apis",
    one="an API",
    help="APIs: what tokens are for, with their scopes.",
    columns=(Column("id"), Column("audience"), Column("name"), Column("shared"), Column("own"), Column("scopes")),
    fields=(
        Field("audience", "What its tokens carry as aud. It never changes.", required=True, when=ON_CREATION),
        NAME,
        SCOPES,
        SHARED,
    ),
    actions=(
        Action(
            "preview",
            "/preview",
            "Show which credentials a change of its scopes would give something or take it from; nothing changes.",
            fields=(SCOPES, SHARED),
        ),
    ),
    known_by="audience",
    cascades=frozenset({"create", "update", "delete"}),
)

ROLE = Resource(
    name="role",
    path="/v1/roles",
    one="a role",
    help="Roles: what a token says its bearer is.",
    columns=(
        Column("id"),
        Column("name"),
        Column("audience", "of API"),
        Column("shared"),
        Column("own"),
        Column("description"),
    ),
    fields=(
        Field("name", "What tokens carry in roles. It never changes.", required=True, when=ON_CREATION),
        DESCRIPTION,
        Field("audience", "The API it belongs to. Not said: the whole platform.", when=ON_CREATION),
        SHARED,
    ),
    known_by="name",
    cascades=frozenset({"update", "delete"}),
)
