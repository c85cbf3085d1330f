"""What becomes of an operator whose groups elsewhere say their role? What any change of an operator does.

The mapping speaks for the first organization of the installation and for who is a platform admin, and for nothing
else: what an operator is in other organizations, and the bounds of a membership, stay as they are. A platform admin who
was no member becomes an admin there.

A role that the groups give no more is taken away as a person would take it (`operators`): tokens of personal
credentials end, with the last role the membership itself, and personal credentials with it. There is always an owner.
"""

from __future__ import annotations

from dataclasses import replace

from app.services.audit import Caller
from app.services.operators import Operators
from app.store import Transaction
from tokenserver.domain.operators import ADMIN_SCOPES, Member, Membership, Operator, OperatorRole

SINGLE_SIGN_ON = "single_sign_on"
"""The actor of what the mapping does."""


def mapping_caller(organization_id: str, address: str, request_id: str) -> Caller:
    """The mapping was set by whoever runs the server, and may do what they may."""
    everything = frozenset(scope.name for scope in ADMIN_SCOPES)
    return Caller(SINGLE_SIGN_ON, organization_id, everything, address=address, request_id=request_id)


def made_by_mapping(tx: Transaction, caller: Caller, email: str, name: str, role: OperatorRole, now: float) -> Operator:
    """A new operator; a person who is known elsewhere stays who they are."""
    is_platform_admin = role is OperatorRole.PLATFORM_ADMIN
    membership = Membership("", OperatorRole.ADMIN if is_platform_admin else role)
    return Operators.add_in(tx, caller, email, name, membership, platform_admin=is_platform_admin, now=now)[0]


def settle(
    tx: Transaction, operators: Operators, caller: Caller, person: Operator, role: OperatorRole | None, now: float
) -> None:
    """Make of a known operator what the mapping says; None: nothing. Raises LastOwner."""
    is_platform_admin = role is OperatorRole.PLATFORM_ADMIN
    if tx.operators.member(caller.organization_id, person.id) is None:
        if role is None and not person.platform_admin:
            return
        made_by_mapping(tx, caller, person.email, person.name, role or OperatorRole.MEMBER, now)

    def edit(member: Member) -> Member:
        there, membership = member
        if role is not None and not is_platform_admin:
            membership = replace(membership, role=role)
        return replace(there, platform_admin=is_platform_admin), membership

    operators.update_in(tx, caller, person.id, None, edit, now)
    if role is None:
        operators.remove_in(tx, caller, person.id, None, now)
