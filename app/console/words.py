"""What does the console call things, where code chooses the word? All other texts are in `templates/`."""

from __future__ import annotations

NOTICES = {
    "signed_out": "You are signed out.",
    "saved": "Saved.",
}
"""What has been done, told on the page that follows. Only its name travels: nobody can make us say other things."""

STATUSES = {
    "active": "Active",
    "expires_soon": "Expires soon",
    "expired": "Expired",
    "disabled": "Disabled",
    "revoked": "Revoked",
}

OPERATOR_ROLES = {
    "platform_admin": "Platform admin",
    "owner": "Owner",
    "admin": "Admin",
    "auditor": "Auditor",
    "member": "Member",
}
