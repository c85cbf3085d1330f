"""What does the console call things, where code chooses the word? All other texts are in `templates/`."""

from __future__ import annotations

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
