"""Does a change take something away, so that tokens that are out end? The server's own rule, asked before the server.

Only for telling people beforehand: what counts is what the server does. What cannot be read here is left to the server,
which refuses it; what cannot be known here (the catalogue may not be read) is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tokenserver.cli.admin import AdminApi
from tokenserver.cli.failures import Problem
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Api, Catalogue, Kind, Scope
from tokenserver.domain.operators import PERMISSIONS, OperatorRole, Rights
from tokenserver.domain.restrictions import Access, Grant, Restrictions, narrows
from tokenserver.errors import InvalidInput

ENDS = "This takes something away, so that every token that is out ends."
ENDS_PERSONAL = "This takes something away, so that every token of their personal credentials ends."
MAY_END = "If this takes a scope away, every token that is out ends."
Document = Mapping[str, Any]


def consequence(admin: AdminApi, resource: str, before: Document, change: Document) -> str:
    """What to ask a person before `change`; empty where nothing ends."""
    if resource not in {"credential", "operator"}:
        return ""
    try:
        apis = [api for page in admin.pages("/v1/apis") for api in page["items"]] if "grants" in change else []
    except Problem as problem:
        if problem.status != 403:
            raise
        return MAY_END
    if "grants" not in change:  # what the scopes of a grant are does not matter, as long as it stays
        before = {**before, "grants": []}
    if resource == "operator":
        return ENDS_PERSONAL if loses(before, {**before, **change}, catalogue_of(apis)) else ""
    if any(name in change and change[name] != before.get(name) for name in ("project", "environment")):
        return ENDS
    return ENDS if ends_tokens(before, {**before, **change}, catalogue_of(apis)) else ""


def ends_tokens(before: Document, after: Document, catalogue: Catalogue) -> bool:
    """Whether going from `before` to `after` narrows; False where one of them cannot be read."""
    try:
        return narrows(_terms(before), _terms(after), catalogue)
    except (InvalidInput, ValueError, KeyError, TypeError, AttributeError):
        return False


def loses(before: Document, after: Document, catalogue: Catalogue) -> bool:
    """Whether an operator holds less afterwards; False where one of them cannot be read."""
    try:
        return _rights(before).shrinks_to(_rights(after), catalogue)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def catalogue_of(apis: Iterable[Document]) -> Catalogue:
    """APIs as the admin API shows them, or as a file declares them."""
    return {api["audience"]: Api("", "", api["audience"], "", tuple(map(_scope, api["scopes"]))) for api in apis}


def _scope(shown: Document) -> Scope:
    return Scope(shown["name"], Kind(shown["access"]), sensitive=bool(shown.get("sensitive", False)))


def _terms(shown: Document) -> Restrictions:
    allowed = shown["allowed_ips"]
    return Restrictions(
        allowed_ips=None if allowed is None else AllowedIPs.parse(allowed),
        roles=frozenset(shown["roles"]),
        grants=_grants(shown["grants"]),
        token_lifetime=shown["token_lifetime"],
        expires_at=_seconds(shown["expires_at"]),
    )


def _rights(shown: Document) -> Rights:
    role = OperatorRole.PLATFORM_ADMIN if shown.get("platform_admin") else OperatorRole(shown["role"])
    if role is OperatorRole.PLATFORM_ADMIN:
        return Rights(PERMISSIONS[role])
    roles, grants = shown["roles"], shown["grants"]
    return Rights(
        PERMISSIONS[role],
        None if roles is None else frozenset(roles),
        None if grants is None else _grants(grants),
    )


def _grants(shown: Iterable[Document]) -> tuple[Grant, ...]:
    return tuple(
        Grant(one["audience"], Access(one.get("access", "custom")), frozenset(one.get("scopes", ()))) for one in shown
    )


def _seconds(moment: str | None) -> int | None:
    return None if moment is None else int(datetime.fromisoformat(moment).timestamp())
