"""Who manages an organization? Adding operators, changing what they are, and what becomes of their credentials.

Nobody grants what they do not hold: whoever adds, changes or removes an operator must hold every permission of the role
it was and of the role it becomes, and hands on no more of the organization's roles and scopes than they hold. There is
always an owner.

What an operator loses, their personal credentials lose at once: every token that is out ends, and the next one carries
less. With an operator who leaves, they are revoked; credentials of the organization that the operator made go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from app.services.audit import Caller
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.saving import save_changes
from app.services.standing import changing
from app.store import Store, Transaction
from app.store.operators import SignInFacts
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential, Status
from tokenserver.domain.operators import (
    PERMISSIONS,
    WRITE_ALL,
    Member,
    Membership,
    Operator,
    OperatorRole,
    Rights,
    rights_of,
)
from tokenserver.domain.restrictions import Restrictions
from tokenserver.errors import Conflict, Fault, InsufficientScope, InvalidInput, NotFound, PreconditionFailed

OWNER_LEFT = "The operator whose personal credential it was has left."


class IsMember(Conflict):
    code = "is_member"
    public = "This operator is a member of the organization already."


class LastOwner(Conflict):
    code = "last_owner"
    public = "The organization would have no owner: make somebody else one first."


class BeyondYou(InsufficientScope):
    """`part` is what of the operator is more than the caller holds: `role`, `roles`, `grants`, or the `name`."""

    def __init__(self, part: str, public: str) -> None:
        self.part = part
        super().__init__(public)


class Operators:
    def __init__(self, store: Store, feed: Feed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    def add(self, caller: Caller, email: str, name: str, membership: Membership, *, platform_admin: bool) -> Member:
        """A person who is known elsewhere stays who they are; nothing of that is told: until they have been here, they
        are called what the caller calls them.
        """
        with changing(self._store, caller, self._clock) as (tx, now):
            return self.add_in(tx, caller, email, name, membership, platform_admin=platform_admin, now=now)

    @staticmethod
    def add_in(
        tx: Transaction,
        caller: Caller,
        email: str,
        name: str,
        membership: Membership,
        *,
        platform_admin: bool,
        now: float,
    ) -> Member:
        """The same as a part of a transaction."""
        person, called = tx.operators.by_email(email), None
        if person is None:
            person = Operator(new_id("op"), email, name, platform_admin, int(now))
            tx.operators.add(person)
        elif tx.operators.member(caller.organization_id, person.id) is not None:
            raise IsMember
        else:
            tx.sessions.uninvite(person.id)  # who made the link was to reach no more than what they were then
            called = name
        made = replace(membership, operator_id=person.id, created_at=int(now))
        _refuse_unknown_rights(tx, caller, made)
        _refuse_beyond(tx, caller, Rights(PERMISSIONS[made.role], made.roles, made.grants))
        if platform_admin:
            _refuse_beyond(tx, caller, Rights(PERMISSIONS[OperatorRole.PLATFORM_ADMIN]))
            person = replace(person, platform_admin=True)
            tx.operators.save(person)
        tx.operators.add_member(caller.organization_id, made, called)
        added = (person if called is None else replace(person, name=called)), made
        tx.audit.append(caller.did(Event.OPERATOR_ADDED, now, **_shown(added)))
        return added

    def list(self, caller: Caller, after: tuple[int, str] | None, limit: int) -> list[Member]:
        """Who has been a member for longest first."""
        with self._store.reading() as tx:
            return tx.operators.page(caller.organization_id, after, limit)

    def sign_ins(self, caller: Caller, members: Sequence[Member]) -> dict[str, SignInFacts]:
        """How each of them stands with signing in, by operator ID."""
        with self._store.reading() as tx:
            return tx.operators.sign_ins(caller.organization_id, [person.id for person, _ in members], self._clock())

    def owned(self, caller: Caller, operator_id: str) -> Sequence[Credential]:
        """Their personal credentials here that have not ended, in the order of client IDs."""
        now = self._clock()
        with self._store.reading() as tx:
            _found(tx, caller, operator_id)
            owned = tx.credentials.owned_by(operator_id, caller.organization_id)
        living = [c for c in owned if c.status(now) not in {Status.REVOKED, Status.EXPIRED}]
        return sorted(living, key=lambda credential: credential.client_id)

    def get(self, caller: Caller, operator_id: str) -> Member:
        with self._store.reading() as tx:
            return _found(tx, caller, operator_id)

    def update(self, caller: Caller, operator_id: str, version: int | None, edit: Callable[[Member], Member]) -> Member:
        """Apply `edit`, which sets the name, whether a platform admin, the role, and the bounds."""
        with changing(self._store, caller, self._clock) as (tx, now):
            after = self.update_in(tx, caller, operator_id, version, edit, now)
        self._feed.changed()
        return after

    def update_in(
        self,
        tx: Transaction,
        caller: Caller,
        operator_id: str,
        version: int | None,
        edit: Callable[[Member], Member],
        now: float,
    ) -> Member:
        """The same as a part of a transaction; who calls it tells the feed."""
        before = _found(tx, caller, operator_id)
        _refuse_stale(before[1], version)
        after = edit(before)
        if after == before:
            return before
        person, own = after[0], tx.operators.get(operator_id)
        if own is not None and tx.operators.called(caller.organization_id, operator_id) is not None:
            tx.operators.call(caller.organization_id, operator_id, person.name)  # here, and nowhere else
            person = replace(person, name=own.name)
        elif person.name != before[0].name:
            _refuse_renaming(tx, caller, operator_id)
        after = (after[0], replace(after[1], version=before[1].version + 1))
        _refuse_unknown_rights(tx, caller, after[1])
        for member in (before, after):
            _refuse_beyond(tx, caller, rights_of(*member))
        if before[1].role is OperatorRole.OWNER and after[1].role is not OperatorRole.OWNER:
            _refuse_last_owner(tx, caller)
        tx.operators.save(person)
        tx.operators.save_member(caller.organization_id, after[1], was=before[1])
        if not rights_of(*after).permissions <= rights_of(*before).permissions:
            tx.sessions.uninvite(operator_id)  # who made the link may not reach what they are now
        old, new = _shown(before), _shown(after)
        changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
        tx.audit.append(caller.did(Event.OPERATOR_UPDATED, now, operator=operator_id, changed=changed))
        everywhere = before[0].platform_admin and not after[0].platform_admin
        catalogue = tx.catalogue.of(caller.organization_id)
        if everywhere or rights_of(*before).shrinks_to(rights_of(*after), catalogue):
            self._end_tokens(tx, caller, operator_id, now, everywhere=everywhere)
        return after

    def remove(self, caller: Caller, operator_id: str, version: int | None) -> None:
        """Their personal credentials in this organization are revoked."""
        with changing(self._store, caller, self._clock) as (tx, now):
            self.remove_in(tx, caller, operator_id, version, now)
        self._feed.changed()

    @staticmethod
    def remove_in(tx: Transaction, caller: Caller, operator_id: str, version: int | None, now: float) -> None:
        """The same as a part of a transaction; who calls it tells the feed."""
        member = _found(tx, caller, operator_id)
        _refuse_stale(member[1], version)
        _refuse_beyond(tx, caller, rights_of(*member))
        if member[1].role is OperatorRole.OWNER:
            _refuse_last_owner(tx, caller)
        owned = tx.credentials.owned_by(operator_id, caller.organization_id)
        revoked = [(c, c.revoked(now, OWNER_LEFT)) for c in owned if c.revoked_at is None]
        if revoked:
            save_changes(tx, caller, Event.CREDENTIAL_REVOKED, revoked, now)
        tx.operators.remove_member(caller.organization_id, operator_id)
        tx.audit.append(caller.did(Event.OPERATOR_REMOVED, now, **_shown(member)))

    @staticmethod
    def _end_tokens(tx: Transaction, caller: Caller, operator_id: str, now: float, *, everywhere: bool) -> None:
        owned = tx.credentials.owned_by(operator_id, None if everywhere else caller.organization_id)
        live = [c for c in owned if c.status(now) not in {Status.REVOKED, Status.EXPIRED}]
        if live:
            changed = [(credential, credential.narrowed(credential.restrictions, now)) for credential in live]
            save_changes(tx, caller, Event.CREDENTIAL_UPDATED, changed, now)


def _found(tx: Transaction, caller: Caller, operator_id: str) -> Member:
    found = tx.operators.member(caller.organization_id, operator_id)
    if found is None:
        raise NotFound("There is no operator with this ID.")
    return found


def _refuse_stale(membership: Membership, version: int | None) -> None:
    if version is not None and membership.version != version:
        raise PreconditionFailed


def _refuse_renaming(tx: Transaction, caller: Caller, operator_id: str) -> None:
    """A name is shown wherever somebody is a member, and no organization writes what another one reads."""
    if WRITE_ALL not in caller.scopes and len(tx.operators.organizations_of(operator_id)) > 1:
        raise BeyondYou("name", "This operator belongs to other organizations, too: only platform admins rename them.")


def _refuse_last_owner(tx: Transaction, caller: Caller) -> None:
    if tx.operators.owners(caller.organization_id) < 2:
        raise LastOwner


def _refuse_unknown_rights(tx: Transaction, caller: Caller, membership: Membership) -> None:
    """Bounds name roles and APIs that are there."""
    faults = []
    if (membership.roles or frozenset()) - tx.catalogue.role_names(caller.organization_id):
        faults.append(Fault("/roles", "A role is not in the catalogue: create it first with POST /v1/roles."))
    catalogue = tx.catalogue.of(caller.organization_id)
    for place, grant in enumerate(membership.grants or ()):
        api = catalogue.get(grant.audience)
        if api is None:
            faults.append(Fault(f"/grants/{place}/audience", "There is no such API: create it with POST /v1/apis."))
        elif not grant.scopes <= api.scope_names():
            faults.append(Fault(f"/grants/{place}/scopes", "A scope is not in the catalogue of this API."))
    if faults:
        raise InvalidInput(faults)


def _refuse_beyond(tx: Transaction, caller: Caller, rights: Rights) -> None:
    """Raise BeyondYou where the caller does not hold all of `rights`."""
    if not rights.permissions <= caller.scopes:
        raise BeyondYou("role", "This operator has, or would get, permissions that you do not hold.")
    if caller.operator_id is None:
        return
    own = tx.operators.rights(caller.organization_id, caller.operator_id)
    beyond = "This operator has, or would get, roles or scopes that you do not hold."
    if own.roles is not None and (rights.roles is None or not rights.roles <= own.roles):
        raise BeyondYou("roles", beyond)
    terms = Restrictions(grants=rights.grants or ())
    if (own.grants is not None and rights.grants is None) or not own.covers(
        terms, tx.catalogue.of(caller.organization_id)
    ):
        raise BeyondYou("grants", beyond)


def _shown(member: Member) -> dict[str, Any]:
    person, membership = member
    grants = membership.grants
    return {
        "operator": person.id,
        "email": person.email,
        "name": person.name,
        "platform_admin": person.platform_admin,
        "role": membership.role.value,
        "roles": None if membership.roles is None else sorted(membership.roles),
        "grants": None if grants is None else [[g.audience, g.access.value, sorted(g.scopes)] for g in grants],
    }
