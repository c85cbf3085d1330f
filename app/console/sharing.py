"""Whose is an API or a role, and who may change it? What the pages say of what is shared with every organization.

What another organization shares is shown as it is, without forms. Who manages it is told to platform admins by name,
to others as "another organization"; and whose credentials hold it, to platform admins only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.console import words
from app.console.editing import MOST_NAMED
from app.console.page import Visit
from app.services.organizations import Organizations
from app.services.sharing import refuse_unowned
from tokenserver.domain.catalogue import Api, Role
from tokenserver.domain.credential import Credential
from tokenserver.domain.operators import WRITE_ALL
from tokenserver.errors import InsufficientScope


def may_change(visit: Visit, entry: Api | Role) -> bool:
    """Whether it is this organization's, and either not shared, or the viewer is a platform admin."""
    own = entry.organization_id == visit.viewer.organization.id
    return own and (not entry.shared or visit.viewer.may(WRITE_ALL))


def refuse_others(visit: Visit, entry: Api | Role) -> None:
    """Raise what the change itself would, before there is a form for it."""
    refuse_unowned(visit.caller, entry)
    if not may_change(visit, entry):
        raise InsufficientScope(words.SHARED_BY_PLATFORM)


class Sharing:
    def __init__(self, organizations: Organizations) -> None:
        self._organizations = organizations

    def shown(self, visit: Visit, entry: Api | Role) -> dict[str, Any]:
        """`manager`: what another organization that shares it is called, where the viewer may know it."""
        names = self._names(visit, [entry.organization_id])
        return {"may_change": may_change(visit, entry), "manager": names.get(entry.organization_id)}

    def named(self, visit: Visit, holders: Sequence[Credential]) -> dict[str, Any]:
        """The first of the credentials that hold it, and how many there are."""
        first = holders[:MOST_NAMED]
        return {"holders": first, "count": len(holders), "elsewhere": self.elsewhere(visit, first)}

    def elsewhere(self, visit: Visit, holders: Iterable[Credential]) -> Mapping[str, str]:
        """What the other organizations that these credentials are of are called, by ID."""
        return self._names(visit, (holder.organization_id for holder in holders))

    def _names(self, visit: Visit, organization_ids: Iterable[str]) -> dict[str, str]:
        others = set(organization_ids) - {visit.viewer.organization.id}
        return self._organizations.names(visit.caller, others) if others else {}
