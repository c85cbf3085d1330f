"""Paths that somebody could take for `/admin`, before they are decoded, and a policy that closes it above all else."""

from __future__ import annotations

from tests.support.callers import ANYBODY
from tokenserver.resource import Policy, Require

CLOSED_BELOW = Policy([("*", "/admin/**", Require(roles={"cloud_admin"})), ("*", "/**", ANYBODY)])

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "get", "PROPFIND"]

SPELLINGS = [
    *("/admin", "/admin/", "/admin/x", "//admin", "/admin//x", "/./admin", "/x/../admin", "/%61dmin", "/%2561dmin"),
    *("/ADMIN", "/admin;x=1", "/;x/admin", "/admin%20", "/admin%00", "/admin%2fx", "/x%2f..%2fadmin", "/%5cadmin"),
    *("/up/admin", "/up//admin", "/up/up/admin", "/up/%61dmin", "/admin%3fx", "/%EF%BD%81dmin", "/admin."),
]
