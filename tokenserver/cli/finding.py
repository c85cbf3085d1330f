"""Which one is meant? By its ID, or by the member that people know it by, where there is one."""

from __future__ import annotations

import re

from tokenserver.cli.admin import AdminApi, Answer
from tokenserver.cli.failures import Exit, Failure, Problem
from tokenserver.cli.resource import Resource

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def checked_id(identifier: str) -> str:
    """An ID that is one part of a path and nothing else."""
    if _ID.match(identifier) is None:
        raise Failure(Exit.NOT_FOUND, "There is nothing with this ID.")
    return identifier


def identified(admin: AdminApi, resource: Resource, identifier: str) -> Answer:
    """The one that is meant, as it is now."""
    if _ID.match(identifier):
        try:
            return admin.get(f"{resource.path}/{identifier}")
        except Problem as problem:
            if problem.status != 404 or not resource.known_by:
                raise
    if resource.known_by:
        for page in admin.pages(resource.path):
            for item in page["items"]:
                if item.get(resource.known_by) == identifier:
                    return admin.get(f"{resource.path}/{item[resource.id]}")
    by = f"ID or {resource.known_by}" if resource.known_by else "client ID" if resource.id == "client_id" else "ID"
    raise Failure(
        Exit.NOT_FOUND,
        f"There is no {resource.name} with this {by}.",
        f"`tokenserver {resource.name} list` shows those there are.",
    )
