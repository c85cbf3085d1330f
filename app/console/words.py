"""What does the console call things, where code chooses the word? All other texts are in `templates/`.

Who translates the console translates these two places. What stands in braces is filled in.
"""

from __future__ import annotations

from typing import NamedTuple


class Counted(NamedTuple):
    """What is said of one, and of any other number."""

    one: str
    many: str


def counted(count: int, names: Counted) -> str:
    """`{}` is the number; what else is in braces stays for who asked."""
    return (names.one if count == 1 else names.many).replace("{}", str(count))


NOTICES = {
    "signed_out": "You are signed out.",
    "typed_is_gone": "What had been typed was somebody else's, or is too old: it is gone, and nothing was done.",
    "saved": "Saved.",
    "password_set": "Your password is changed. Wherever else you were signed in, you are not any more.",
    "codes_off": "One-time codes are off.",
    "codes_dropped": "One-time codes were not set up.",
    "passkey_added": "The passkey is added.",
    "passkey_named": "The passkey is renamed.",
    "passkey_removed": "The passkey is removed.",
    "session_ended": "The session is ended.",
    "sessions_ended": "All your other sessions are ended.",
    "created": "Created.",
    "deleted": "Deleted.",
    "operator_removed": "Removed. Their personal credentials here are revoked.",
    "organization_created": "Created. Nobody is in it yet: go there, and add its operators.",
    "suspend": "Suspended. Every token of this organization that was out has ended.",
    "resume": "Resumed. Its credentials get tokens again.",
    "end_everything": "Ended. Every token of this organization that was out has ended; its apps fetch new ones.",
    "key_rotated": "There is a new key. It is published now, and signs as soon as every resource server knows it.",
    "key_revoked": "Revoked. Every token that it signed has ended.",
    "webhook_enabled": "Enabled. What was pending is tried anew.",
    "webhook_disabled": "Disabled.",
    "test_sent": "A test event is on its way: what comes of it is among the deliveries, in a moment.",
    "redelivered": "It is being delivered again.",
    "disabled": "The credential is disabled.",
    "enabled": "The credential is enabled.",
    "revoked": "The credential is revoked, for good.",
    "credential_deleted": "The credential is deleted.",
    "unshared": "It is not shared any more: other organizations do not have it.",
    "rotation_finished": "The rotation is finished: the old secret has ended.",
    "rotation_cancelled": "The rotation is cancelled: the new secret is withdrawn.",
}
"""What has been done, told on the page that follows. Only its name travels: nobody can make us say other things."""

STATUSES = {
    "active": "Active",
    "expires_soon": "Expires soon",
    "expired": "Expired",
    "disabled": "Disabled",
    "revoked": "Revoked",
}

REFUSALS = {
    "address_not_allowed": "The address is not allowed",
    "disabled": "The credential is disabled",
    "expired": "The credential has expired",
    "malformed": "What was sent has not the form of a client ID and a secret",
    "many strangers": "Many strangers at once, counted together",
    "not proven": "Unknown client ID, or wrong secret",
    "organization_suspended": "The organization is suspended",
    "revoked": "The credential is revoked",
    "secret_ended": "The secret has ended",
    "too many failures": "Too many wrong secrets before, from the same address",
}
"""Reason in an audit line to why a token was refused; other reasons are sentences already."""

OPERATOR_ROLES = {
    "platform_admin": "Platform admin",
    "owner": "Owner",
    "admin": "Admin",
    "auditor": "Auditor",
    "member": "Member",
}

EVENTS = {
    "admin:refused": "was refused at the admin API",
    "api:created": "registered an API",
    "api:deleted": "deleted an API",
    "api:updated": "changed an API",
    "audit:pruned": "pruned old audit lines",
    "credential:created": "created the credential",
    "credential:deleted": "deleted the credential",
    "credential:disabled": "disabled the credential",
    "credential:enabled": "enabled the credential",
    "credential:revoked": "revoked the credential",
    "credential:updated": "changed the credential",
    "identity:linked": "linked an identity of another issuer",
    "installation:bootstrapped": "made the first admin credential",
    "installation:restored": "went on with a restored database",
    "introspection:refused": "was refused at introspection",
    "one_time_codes:disabled": "turned one-time codes off",
    "one_time_codes:enabled": "turned one-time codes on",
    "operator:added": "added an operator",
    "operator:invited": "made a link for an operator",
    "operator:removed": "removed an operator",
    "operator:signed_in": "signed in",
    "operator:signed_out": "signed out",
    "operator:updated": "changed an operator",
    "organization:created": "created the organization",
    "organization:resumed": "resumed the organization",
    "organization:suspended": "suspended the organization",
    "organization:tokens_ended": "ended every token of the organization",
    "organization:updated": "changed the organization",
    "passkey:added": "added a passkey",
    "passkey:removed": "removed a passkey",
    "passkey:renamed": "renamed a passkey",
    "password:set": "set a password",
    "project:created": "created a project",
    "project:deleted": "deleted a project",
    "project:updated": "changed a project",
    "recovery_code:used": "used a recovery code",
    "recovery_codes:made": "made new recovery codes",
    "request:limited": "was held back by a limit",
    "revocation:refused": "was refused at revoking a token",
    "role:created": "created a role",
    "role:deleted": "deleted a role",
    "role:updated": "changed a role",
    "rotation:cancelled": "cancelled the rotation",
    "rotation:claimed": "claimed the new secret",
    "rotation:completed": "completed the rotation on schedule",
    "rotation:extended": "extended the grace period",
    "rotation:finished": "finished the rotation",
    "rotation:prepared": "prepared a rotation on schedule",
    "rotation:refused": "was refused at claiming a secret",
    "rotation:reminded": "reminded of an unclaimed secret",
    "rotation:unused": "found that a claimed secret is not used yet",
    "rotation:withdrawn": "withdrew a rotation that nobody claimed",
    "schedule:changed": "changed the rotation schedule",
    "schedule:ended": "ended the rotation schedule",
    "schedule:postponed": "postponed the rotation on schedule",
    "secret:leaked": "ended a secret that had leaked",
    "secret:regenerated": "regenerated the secret",
    "secret:rotated": "rotated the secret",
    "session:ended": "ended sessions",
    "sign_in:refused": "was refused at signing in",
    "signing_key:created": "made a signing key",
    "signing_key:revoked": "revoked a signing key",
    "signing_key:rotated": "rotated the signing key",
    "token:issued": "got a token",
    "token:refused": "was refused a token",
    "token:revoked": "revoked a token",
    "webhook:created": "created a webhook",
    "webhook:deleted": "deleted a webhook",
    "webhook:disabled": "disabled a webhook",
    "webhook:secret_rotated": "rotated a webhook's secret",
    "webhook:updated": "changed a webhook",
}
"""What somebody did, behind their name: a sentence."""

ACTORS = {
    "clock": "The schedule",
    "schedule": "The schedule",
    "shell": "Somebody at the server's shell",
    "stranger": "A stranger",
}
"""Who is nobody in particular."""

SEVERAL_ARE_CALLED_SO = "Several go by this name. Choose one on the page, then take the file along."
NO_SUCH_ACTOR = (
    "Nobody here goes by this name or e-mail address. Of whoever has left, write the ID as it stands in a line of the"
    " log: operator: and an ID."
)
NO_SUCH_CREDENTIAL = (
    "No credential here has this in its name. Of one that was deleted, write the whole client ID: tsc_ and 22 letters"
    " and digits."
)

CHANGED = {
    "allowed_ips": "Allowed IPs",
    "description": "Description",
    "disabled": "Disabled",
    "environment": "Environment",
    "expires_at": "Expires",
    "floor": "Accepted from generation",
    "generation": "Generation",
    "grace_expires_at": "Grace period ends",
    "grants": "Scopes",
    "name": "Name",
    "owner": "Owner",
    "project": "Project",
    "roles": "Roles",
    "rotates_at": "Rotates",
    "rotation_schedule": "Rotation schedule",
    "secrets": "Secrets",
    "status": "Status",
    "token_lifetime": "Token lifetime (seconds)",
}
"""What an audit line says was changed; anything else goes by its own name."""

BULK = {
    "disable": ("Disable", "disabled"),
    "enable": ("Enable", "enabled"),
    "revoke": ("Revoke", "revoked"),
    "rotate": ("Rotate", "rotated"),
}
"""Action to what the button says, and what has been done."""

NOT_DONE = {
    "not_found": "there is no such credential any more",
    "credential_ended": "it has been revoked or has expired",
    "credential_disabled": "it is disabled",
    "credential_without_secret": "it has no working secret: regenerate it",
    "rotation_open": "a rotation is in progress",
    "insufficient_scope": "it holds roles or scopes that you do not hold",
}
"""Code of a refusal to why it cannot be done to one of many."""

SECRET_STATES = {
    "current": ("current", "good"),
    "retiring": ("retiring", "care"),
    "waiting": ("waiting to be claimed", "care"),
    "ended": ("ended", ""),
}
"""State to word and badge."""

ACCESS = {
    "custom": "Only the scopes that are named",
    "all_read": "All that read, future ones too",
    "all_read_write": "All that read or write, future ones too",
}
WHAT_ROLES_MAY = {
    "owner": "Everything in this organization.",
    "admin": "Everything but the organization itself: its name, its policy, and ending everything.",
    "auditor": "Reads everything, changes nothing.",
    "member": "Makes and manages personal credentials, and sees nothing else.",
}

TO_HAND_ON = {
    "": "Nothing",
    "custom": "The scopes that are ticked",
    "all_read": "All that read, now and later",
    "all_read_write": "All, now and later",
}
"""Of a grant. What is sensitive is never part of all."""

KEY_STATES = {
    "waiting": "Signs soon",
    "signs": "Signs now",
    "kept": "Signs no more",
    "over": "Over",
    "revoked": "Revoked",
}

DELIVERIES = {"pending": "Pending", "delivered": "Delivered", "failed": "Given up"}

ON_UNCLAIMED = {"extend": "waits once more as long", "withdraw": "is withdrawn"}

REFUSED_FOR = {
    "api": "no access any more",
    "address": "the address",
    "role": "the role",
    "scope": "the scope",
}
"""Why a call would have been refused."""

# --- moments, numbers, and what holds nothing ---

DAYS = Counted("{} day", "{} days")
HOURS = Counted("{} hour", "{} hours")
MINUTES = Counted("{} minute", "{} minutes")
SECONDS = Counted("{} second", "{} seconds")
AGO, AHEAD, NEVER = "{} ago", "in {}", "never"
YES, NO, ALL, NONE = "yes", "no", "all", "none"
AND, ABOUT, ANYWHERE = " and ", "about {}", "anywhere"
ADDRESSES = Counted("{number} {family} address", "{number} {family} addresses")
AND_MORE_RANGES = "{} and {:,} more (list {})"
SCOPES_AT = "Scopes at {}"
"""An audience; begins as the label of every API's scopes does."""
SCHEDULE = "every {} days; {} days to claim; then {}"
BROWSER_ON, UNKNOWN_BROWSER = " on ", "an unknown browser"
TOKENS_ISSUED, TOKENS_REFUSED = "Tokens issued", "Tokens refused"
CODES_ON = "One-time codes are on."
CODES_RENEWED = "The codes you had before are worth nothing now."

SNIPPET_CURL = "curl, jq; export {}=…"
SNIPPET_PYTHON = "pip install tokenserver requests; export {}=…"
SNIPPET_NODE = "Node 18 or newer, as a file app.mjs; export {}=…"
SNIPPET_NGINX = "TOKENSERVER_TRUSTED_PROXIES names the address of nginx"
"""What an example takes."""

# --- what is wrong with a form ---

WHOLE_NUMBER = "Write a whole number."
NUMBER_OF_DAYS = "Write a number of days."
DAYS_UP_TO = "Write a number of days from 1 to {}."
DATE = "Write a date such as 2027-11-21."
CHOOSE_THE_DAY = "Choose the day."
GRACE_OFFERED = "Choose from 1 hour to 30 days."
NOT_THE_SAME = "The two are not the same."
NOT_AS_SHOWN = "This is not it: nothing was done. Type it as it is shown."
PASTE_A_TOKEN = "Paste an access token."
TICK_SOME = "Tick the credentials that you mean."
TICK_FEWER = "Tick at most {} at a time."
CHOOSE_WHAT_TO_DO = "Choose what to do with them."
FILTER_FIRST = "Filter the list first: this would be all that there are."
TYPE_THEIR_NUMBER = "Type {} to revoke them for ever."
TYPE_THEIR_NUMBER_FOR_ALL = "Type {} to revoke all of them for ever."
SCOPES_HELD = "Credentials hold what you take away: tick that it is taken from them, or go back and leave it."
SHARED = "shared with every organization"
NOT_SHARED = "not shared"
LACKS_WHAT_IS_SHARED = (
    "Another organization shares an API with this audience, and credentials here hold scopes of it that this one lacks:"
    " give it those, too. Once it is there, take away what you like, and see first who loses it."
)
SHARED_BY_PLATFORM = "It is shared with every organization: only platform admins change it."
ROLE_HELD = "Credentials hold this role: tick that it is taken from them, or change them first."

# --- why it was not done ---

CHANGED_MEANWHILE = (
    "Somebody else has changed it since you opened this form. What you typed is still here, with what they saved"
    " beside it: save again to put yours in its place."
)
NOT_FROM_OUR_PAGE = (
    "This did not come from a page of this console, or that page is too old: open it again and repeat it."
)
SENT_ALREADY = (
    "This form has been sent before, and what it asks for is done once. A secret that was shown then is not shown"
    " again: if nobody kept it, make another one."
)
TOO_MANY_FIELDS = "This form has too many fields."
NOT_YOUR_ROLE = "Your role does not allow this. Ask an owner of the organization."
NO_PROOF = "Nothing was sent that proves who you are."
NO_SUCH_CHANGE = "There is no change with this number yet."
NO_SUCH_KEY = "There is no signing key with this ID that could be revoked."

INSTEAD = {
    "idempotency_key_reused": "This form was sent before, with something else in it. Reload the page, and try again.",
    "method_not_allowed": "This is not a page that can be opened.",
    "not_all": "It cannot be done to some of them any more, so that nothing was done. This is how they are now.",
    "still_held": "Credentials hold it: change them first, or have it taken from each of them.",
    "too_many": "These are too many at once: select fewer at a time.",
}
"""Code of a refusal to what a page says instead of what it says of itself."""

OTHERWISE = {
    "A role is not in the catalogue: create it first with POST /v1/roles.": (
        "One of the roles is not there any more. Reload the page to see which there are."
    ),
    "A scope is not in the catalogue of this API.": (
        "One of the scopes is not there any more. Reload the page to see which there are."
    ),
    "cursor is not one that this list gave out: begin again without it.": (
        "This part of the list is not there: begin with its first page."
    ),
    "It has changed since you read it: read it again and repeat your change.": (
        "Somebody else has changed it since you opened the page. This is how it is now: look at it, and repeat what"
        " you meant to do."
    ),
    "List scopes only where access is custom.": "Tick scopes only where you name them one by one.",
    "Must be an absolute URI without fragment, of at most 255 characters, such as https://api.example.com.": (
        "Write an address such as https://api.example.com: at most 255 characters, and no #."
    ),
    "Must be an ID as it was given out.": "This is no ID of anything here.",
    "Must be an object.": "Reload the page, and try again.",
    "Must be a date and time with offset as in RFC 3339, such as 2030-12-31T23:59:59Z; or null.": DATE,
    "Name at least one address; null, not an empty list, means from anywhere.": (
        "Write at least one address, or leave it empty: then it may be used from anywhere."
    ),
    "The grace period must be shorter than the interval: lessen grace_seconds.": (
        "The days to claim the new secret must be fewer than those between two rotations."
    ),
    "The request body is too large.": "This is more than can be sent at once.",
    "The request conflicts with the present state.": "This cannot be done as things are now.",
    "The request is malformed.": "What was sent cannot be read. Reload the page, and try again.",
    "There is no operator with this ID: see GET /v1/operators.": "This person is not an operator here any more.",
    "There is no such API: create it with POST /v1/apis.": (
        "There is no such API any more. Reload the page to see which there are."
    ),
    "There is no such project: create it with POST /v1/projects.": (
        "There is no project with this name: choose another, or add it first on the page Projects."
    ),
    "Too many failed authentications from this address. Wait as long as Retry-After says, then try again.": (
        "This was wrong too often. Wait {wait}, then try again."
    ),
    "Too many requests. Wait as long as Retry-After says, then try again.": (
        "Too much at once. Wait {wait}, then try again."
    ),
    "Two grants name the same API: there is one grant for each.": "Reload the page, and try again.",
}
"""What the use cases and the inputs say, to what a page says: it knows no requests, members or headers."""

OTHERWISE_FROM = {
    "Has a member that is not known.": "This form is too old. Reload the page, and try again.",
    "Must be one of:": "Choose one of those that are offered.",
    "action is an event": "Choose one of the events that are offered.",
    "actor is as in audit events": "Write a name, an e-mail address, or who did it as a line of the log has it.",
    "address is a single address": "Write one address or network, such as 192.0.2.1 or 2001:db8::/32.",
    "environment has 1 to": "An environment has 1 to 100 characters.",
    "format is": "Choose one of the formats that are offered.",
    "outcome is": "Choose one of those that are offered.",
    "owner has 1 to": "There is no such operator.",
    "project has 1 to": "There is no such project.",
    "q has 1 to": "Search for 1 to 200 characters.",
    "q holds no control characters": "Search for letters or digits.",
    "role has 1 to": "There is no such role.",
    "since must lie": "The first day must not come after the last.",
    "sort is one of": "The list can be sorted by name, last use, expiry and age.",
    "status is one": "Choose one of the statuses that are offered.",
}
"""The same, of sentences that go on with what differs."""
