"""What can be managed, and how is it typed? The one table; `building` makes commands of it.

A resource with create, list, show, update and delete costs a few lines here. What a row does not say, the server says:
bodies may come from `--json` as well, so that a member that a newer server knows needs no newer command.
"""

from __future__ import annotations

from tokenserver.cli.fields import Field, addresses, choice, duration, grant, moment, scope, whole_number
from tokenserver.cli.resource import Action, Resource
from tokenserver.cli.screen import Column

_CREATE = frozenset({"create"})
_NAME = Field("name", "What people know it by.", required=True)
_DESCRIPTION = Field("description", "What it is for.")

CREDENTIAL = Resource(
    name="credential",
    path="/v1/credentials",
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
        _NAME,
        _DESCRIPTION,
        Field("roles", "A role that its tokens carry.", "--role", "NAME", many=True, empty=("--no-roles", [])),
        Field(
            "grants",
            "What it may ask for at an API: AUDIENCE=scope,scope, AUDIENCE=all_read or AUDIENCE=all_read_write.",
            "--grant",
            "GRANT",
            grant,
            many=True,
            empty=("--no-grants", []),
        ),
        Field(
            "allowed_ips",
            "From where it may be used: addresses, CIDR and ranges (192.0.2.1 - 192.0.3.254), or @FILE.",
            metavar="ADDRESSES",
            read=addresses,
            many=True,
            empty=("--from-anywhere", None),
        ),
        Field("token_lifetime", "How long its tokens live: 900 or 15m.", metavar="DURATION", read=duration),
        Field(
            "expires_at",
            "When it ends for good: a date, a moment, or +90d. Not said: 12 months after it was made.",
            metavar="MOMENT",
            read=moment,
            empty=("--never-expires", None),
        ),
        Field("project", "The project it belongs to.", metavar="ID", when=_CREATE),
        Field("environment", "A label such as production.", when=_CREATE),
    ),
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

API = Resource(
    name="api",
    path="/v1/apis",
    help="APIs: what tokens are for, with their scopes.",
    columns=(Column("id"), Column("audience"), Column("name"), Column("scopes")),
    fields=(
        Field("audience", "What its tokens carry as aud. It never changes.", required=True, when=_CREATE),
        _NAME,
        Field(
            "scopes",
            "NAME=read or NAME=write, with ,sensitive for one that `all` leaves out. Replaces all.",
            "--scope",
            "SCOPE",
            scope,
            many=True,
            empty=("--no-scopes", []),
        ),
    ),
    known_by="audience",
    cascades=True,
)

ROLE = Resource(
    name="role",
    path="/v1/roles",
    help="Roles: what a token says its bearer is.",
    columns=(Column("id"), Column("name"), Column("audience", "of API"), Column("description")),
    fields=(
        Field("name", "What tokens carry in roles. It never changes.", required=True, when=_CREATE),
        _DESCRIPTION,
        Field("audience", "The API it belongs to. Not said: the whole platform.", when=_CREATE),
    ),
    known_by="name",
    cascades=True,
)

ORGANIZATION = Resource(
    name="organization",
    path="/v1/organizations",
    help="Organizations: whose credentials they are.",
    columns=(Column("id"), Column("name"), Column("status"), Column("created_at", "created")),
    fields=(
        _NAME,
        _DESCRIPTION,
        Field("credential_quota", "How many credentials it may have.", metavar="NUMBER", read=whole_number),
    ),
    actions=(
        Action(
            "suspend",
            "/suspend",
            "End every token of it, and issue none until it is resumed.",
            consequence="Every token of every credential of it ends now, and no new one is issued.",
        ),
        Action("resume", "/resume", "Let it go on; tokens of before do not come back."),
        Action(
            "end-everything",
            "/end-everything",
            "In an incident: end every token of every credential of it. Secrets go on.",
            consequence="Every token of every credential of it ends now.",
        ),
    ),
)

PROJECT = Resource(
    name="project",
    path="/v1/projects",
    help="Projects: parts of an organization.",
    columns=(Column("id"), Column("name"), Column("description"), Column("created_at", "created")),
    fields=(_NAME, _DESCRIPTION),
)

OPERATOR = Resource(
    name="operator",
    path="/v1/operators",
    help="Operators: the people who manage.",
    title="email",
    columns=(Column("id"), Column("email"), Column("role"), Column("status"), Column("created_at", "created")),
    fields=(
        Field("email", "The address they sign in with.", required=True, when=_CREATE),
        Field("name", "What they are called."),
        Field(
            "role",
            "platform_admin, owner, admin, auditor or member.",
            read=choice("platform_admin", "owner", "admin", "auditor", "member"),
            required=True,
        ),
    ),
    known_by="email",
    deletion="They can sign in no more, and their personal credentials end with every token.",
)

WEBHOOK = Resource(
    name="webhook",
    path="/v1/webhooks",
    help="Webhooks: where events are told.",
    title="url",
    columns=(Column("id"), Column("url"), Column("events"), Column("status")),
    fields=(
        Field("url", "Where events are sent: an https address.", required=True, metavar="URL"),
        Field("events", "An event, such as credential.revoked.", "--event", "EVENT", many=True),
        _DESCRIPTION,
    ),
    secret="secret",
)

RESOURCES = (CREDENTIAL, API, ROLE, ORGANIZATION, PROJECT, OPERATOR, WEBHOOK)
