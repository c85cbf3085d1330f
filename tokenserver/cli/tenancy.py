"""Whose credentials are they, who manages them, and who is told? The rest of the table in `resources`."""

from __future__ import annotations

from tokenserver.cli.fields import Field, choice, grant, whole_number, yes_or_no
from tokenserver.cli.resource import Action, Resource
from tokenserver.cli.resources import DESCRIPTION, NAME, ON_CREATION
from tokenserver.cli.screen import Column

ORGANIZATION = Resource(
    name="organization",
    path="/v1/organizations",
    one="an organization",
    help="Organizations: whose credentials they are.",
    columns=(
        Column("id"),
        Column("name"),
        Column("suspended_at", "suspended"),
        Column("generation"),
        Column("credential_quota", "quota"),
        Column("created_at", "created"),
    ),
    fields=(
        NAME,
        Field(
            "credential_quota",
            "How many credentials that have not ended it may have.",
            metavar="NUMBER",
            read=whole_number,
            empty=(("--no-quota", None, "Any number."),),
        ),
        Field(
            "longest_expiry_days",
            "How many days ahead a new credential's expiry may lie.",
            metavar="DAYS",
            read=whole_number,
            empty=(("--any-expiry", None, "Any time, and never."),),
        ),
        Field("names_are_fixed", "Whether credentials keep their names for ever.", metavar="yes|no", read=yes_or_no),
    ),
    lacks=frozenset({"delete"}),
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
    one="a project",
    help="Projects: parts of an organization.",
    columns=(Column("id"), Column("name"), Column("description"), Column("created_at", "created")),
    fields=(
        Field("name", "What tokens carry in project. It never changes.", required=True, when=ON_CREATION),
        DESCRIPTION,
    ),
    known_by="name",
)

OPERATOR = Resource(
    name="operator",
    path="/v1/operators",
    one="an operator",
    help="Operators: the people who manage.",
    title="email",
    columns=(
        Column("id"),
        Column("email"),
        Column("role"),
        Column("name"),
        Column("platform_admin"),
        Column("created_at", "created"),
    ),
    fields=(
        Field("email", "The address they sign in with.", metavar="EMAIL", required=True, when=ON_CREATION),
        Field("name", "What they are called."),
        Field(
            "role",
            "owner, admin, auditor (reads everything) or member (personal credentials only).",
            metavar="ROLE",
            read=choice("owner", "admin", "auditor", "member"),
            required=True,
        ),
        Field(
            "roles",
            "A role that their personal credentials may hold.",
            "--may-hold-role",
            "NAME",
            many=True,
            empty=(("--may-hold-all-roles", None, "Any role."), ("--may-hold-no-roles", [], "No role.")),
            steps="role",
        ),
        Field(
            "grants",
            "Scopes that their personal credentials may hold, as for --grant of a credential.",
            "--may-hold-grant",
            "GRANT",
            grant,
            many=True,
            empty=(
                ("--may-hold-all-grants", None, "Any scope at any API."),
                ("--may-hold-no-grants", [], "No scope at any API, but for what their operator role allows here."),
            ),
            steps="grant",
            key="audience",
        ),
        Field("platform_admin", "Whether to manage every organization, too.", metavar="yes|no", read=yes_or_no),
    ),
    known_by="email",
    deletion="Their personal credentials end, with every token that is out.",
)

WEBHOOK = Resource(
    name="webhook",
    path="/v1/webhooks",
    one="a webhook",
    help="Webhooks: where events are told.",
    title="url",
    columns=(
        Column("id"),
        Column("url"),
        Column("events"),
        Column("enabled"),
        Column("failing_since"),
        Column("last_success_at", "last success"),
    ),
    fields=(
        Field("url", "Where events are posted to: an https address.", metavar="URL", required=True),
        Field(
            "events", "secret.rotated, credential.* or *.", "--event", "EVENT", many=True, required=True, steps="event"
        ),
        DESCRIPTION,
        Field(
            "enabled",
            "Whether it is told of events.",
            metavar="yes|no",
            read=yes_or_no,
            when=frozenset({"update"}),
        ),
    ),
    actions=(
        Action(
            "rotate-secret",
            "/rotate-secret",
            "A new signing secret; for a day, what is sent is signed with the old one as well.",
            secret="secret",
        ),
        Action("test", "/test", "Send a test event; `deliveries` shows what came of it."),
    ),
    secret="secret",
    deletion="It is told nothing more.",
)
