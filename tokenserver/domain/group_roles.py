"""Which operator role does a person get by the groups that they are in at another place?

Written as `platform-team=platform_admin, auditors=auditor`. Names of groups are compared letter by letter; who is in
several gets the first role in the order of `OperatorRole`, from platform admin to member. The name of a group has
neither commas nor semicolons: who separates by the latter would otherwise map one group of a strange name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tokenserver.domain.operators import OperatorRole


@dataclass(frozen=True, slots=True)
class GroupRoles:
    """Empty: groups say nothing about roles."""

    roles: Mapping[str, OperatorRole] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> GroupRoles:
        """Raises ValueError, in words that repeat nothing of the text."""
        roles: dict[str, OperatorRole] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            group, _, role = (part.strip() for part in item.rpartition("="))
            if not group or ";" in group or role not in set(OperatorRole):
                raise ValueError(
                    "must be groups and operator roles such as platform-team=platform_admin, auditors=auditor;"
                    f" roles are {', '.join(OperatorRole)}"
                )
            if group in roles:
                raise ValueError("names a group twice")
            roles[group] = OperatorRole(role)
        return cls(roles)

    def __bool__(self) -> bool:
        return bool(self.roles)

    def role_of(self, groups: Iterable[str]) -> OperatorRole | None:
        """None: none of the groups has a role."""
        found = {self.roles[group] for group in groups if group in self.roles}
        return next((role for role in OperatorRole if role in found), None)
