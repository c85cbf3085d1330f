"""Which terms may a credential have, in this organization and from this caller? All the refusals, in one place.

What is named must be in the catalogue; names, expiry and number are bounded by the policy of the organization; and
nobody raises their own rights through another credential: whoever touches a credential that holds scopes of the admin
API must hold those scopes as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from app.services.audit import Caller
from app.store import Transaction
from tokenserver.clock import DAY
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.credential import Credential, name_key
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import Rights
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Restrictions
from tokenserver.domain.schedule import RotationSchedule
from tokenserver.errors import Conflict, Fault, InsufficientScope, InvalidInput


class NamesAreFixed(Conflict):
    code = "names_are_fixed"
    public = "Names of credentials are fixed in this organization: create another one."


class QuotaReached(Conflict):
    code = "quota_reached"

    def __init__(self, quota: int) -> None:
        super().__init__(
            f"The organization has as many credentials as it may have ({quota}): revoke or delete one that is not"
            " needed, or ask for a higher quota."
        )


class NameTaken(Conflict):
    code = "name_taken"
    public = "Another credential has this name already: choose another."


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new credential shall be. `owner_id` is the operator whose personal credential it will be."""

    name: str
    description: str
    restrictions: Restrictions
    project: str | None = None
    environment: str | None = None
    owner_id: str | None = None
    schedule: RotationSchedule | None = None
    expiry_is_ours: bool = False
    """Whether nobody asked for this expiry, so that the organization's cap may bring it forward."""


def refuse_unfit(tx: Transaction, caller: Caller, draft: Draft, now: float) -> None:
    """A new credential: everything that may be wrong with it."""
    _refuse_unknown_terms(tx, caller, draft.restrictions, now)
    _refuse_unknown_place(tx, caller, draft.project)
    refuse_escalation(tx, caller, draft.restrictions)
    _refuse_beyond_owner(tx, caller, draft.owner_id, draft.restrictions)
    _refuse_beyond_policy(tx, caller, draft, now)
    _refuse_taken_name(tx, caller.organization_id, draft.name, now)


def refuse_unfit_change(tx: Transaction, caller: Caller, before: Credential, wanted: Credential, now: float) -> None:
    """A credential that shall be another: what stays as it is is not asked again."""
    if wanted.restrictions != before.restrictions:
        _refuse_unknown_terms(tx, caller, wanted.restrictions, now, known=before.restrictions)
        refuse_escalation(tx, caller, wanted.restrictions)
        _refuse_beyond_owner(tx, caller, before.owner_id, wanted.restrictions)
        if wanted.restrictions.expires_at != before.restrictions.expires_at:
            _refuse_late_end(tx, caller, wanted.restrictions, now)
    if wanted.project != before.project:
        _refuse_unknown_place(tx, caller, wanted.project)
    if wanted.name != before.name and _policy(tx, caller).names_are_fixed:
        raise NamesAreFixed
    if name_key(wanted.name) != name_key(before.name):
        _refuse_taken_name(tx, caller.organization_id, wanted.name, now)


class Reach:
    """What the caller may manage, looked up once for all the credentials of a transaction."""

    def __init__(self, tx: Transaction, caller: Caller) -> None:
        self._tx = tx
        self._caller = caller

    def refuse_beyond(self, terms: Restrictions, *, own: bool = False) -> None:
        """Raise InsufficientScope where `terms` hold admin scopes, or may be used from addresses, that the caller may
        not; and for an operator, where they hold any roles or scopes that the operator does not. An operator's `own`
        credential may hold more than is left to its owner: its tokens do not.
        """
        if self._rights is not None and not own and not self._rights.covers(terms, self._catalogue):
            raise InsufficientScope("The credential holds roles or scopes that you do not hold.")
        if all(grant.audience != ADMIN_AUDIENCE for grant in terms.grants):
            return
        held = terms.scopes_at(self._catalogue).get(ADMIN_AUDIENCE, frozenset())
        if not held <= self._caller.scopes:
            raise InsufficientScope("The credential holds admin scopes that you do not hold.")
        mine = self._addresses
        if mine is not None and (terms.allowed_ips is None or not mine.covers(terms.allowed_ips)):
            raise InsufficientScope(
                "The credential holds admin scopes, and may be used from addresses that yours may not."
            )

    @cached_property
    def _catalogue(self) -> Catalogue:
        return self._tx.catalogue.of(self._caller.organization_id)

    @cached_property
    def _rights(self) -> Rights | None:
        """Of an operator."""
        caller = self._caller
        if caller.operator_id is None:
            return None
        home = caller.organization_id if caller.claims is None else caller.claims.organization
        return self._tx.operators.rights(home, caller.operator_id)

    @cached_property
    def _addresses(self) -> AllowedIPs | None:
        """From where the caller's own credential may be used, if it is one that calls."""
        claims = self._caller.claims
        calling = None if claims is None else self._tx.credentials.get(claims.organization, claims.client_id)
        return None if calling is None else calling.restrictions.allowed_ips


def refuse_escalation(tx: Transaction, caller: Caller, terms: Restrictions, *, own: bool = False) -> None:
    """The same, of one credential."""
    Reach(tx, caller).refuse_beyond(terms, own=own)


def _policy(tx: Transaction, caller: Caller) -> Policy:
    organization = tx.organizations.get(caller.organization_id)
    return Policy() if organization is None else organization.policy


def capped(tx: Transaction, caller: Caller, draft: Draft, now: float) -> Draft:
    days, ends = _policy(tx, caller).longest_expiry_days, draft.restrictions.expires_at
    if not draft.expiry_is_ours or days is None or ends is None or ends <= now + days * DAY:
        return draft
    return replace(draft, restrictions=replace(draft.restrictions, expires_at=int(now) + days * DAY))


def _refuse_beyond_policy(tx: Transaction, caller: Caller, draft: Draft, now: float) -> None:
    _refuse_late_end(tx, caller, draft.restrictions, now)
    quota = _policy(tx, caller).credential_quota
    if quota is not None and tx.credentials.count_live(caller.organization_id, now) >= quota:
        raise QuotaReached(quota)


def _refuse_late_end(tx: Transaction, caller: Caller, terms: Restrictions, now: float) -> None:
    days = _policy(tx, caller).longest_expiry_days
    if days is not None and (terms.expires_at is None or terms.expires_at > now + days * DAY):
        raise InvalidInput([Fault("/expires_at", f"Must lie within {days} days: the organization allows no later.")])


def _refuse_unknown_place(tx: Transaction, caller: Caller, project: str | None) -> None:
    if project is not None and not tx.organizations.has_project(caller.organization_id, project):
        raise InvalidInput([Fault("/project", "There is no such project: create it with POST /v1/projects.")])


def _refuse_beyond_owner(tx: Transaction, caller: Caller, owner_id: str | None, terms: Restrictions) -> None:
    """A personal credential holds no more than its owner."""
    if owner_id is None:
        return
    if tx.operators.get(owner_id) is None or tx.operators.member(caller.organization_id, owner_id) is None:
        raise InvalidInput([Fault("/owner", "There is no operator with this ID: see GET /v1/operators.")])
    rights = tx.operators.rights(caller.organization_id, owner_id)
    if not rights.covers(terms, tx.catalogue.of(caller.organization_id)):
        raise InsufficientScope("A personal credential may hold no roles and scopes that its owner does not hold.")


def _refuse_taken_name(tx: Transaction, organization_id: str, name: str, now: float) -> None:
    """Names are told apart as people do. One that has expired gives its name away."""
    holder = tx.credentials.named(organization_id, name)
    if holder is None:
        return
    if holder.has_expired(now):
        tx.credentials.free_name(holder)
    else:
        raise NameTaken


def _refuse_unknown_terms(
    tx: Transaction, caller: Caller, terms: Restrictions, now: float, known: Restrictions | None = None
) -> None:
    """Every role, API and scope must be in the catalogue; what the credential holds already is not asked again."""
    faults: list[Fault] = []
    roles = terms.roles - (known.roles if known is not None else frozenset())
    if roles - tx.catalogue.role_names(caller.organization_id):
        faults.append(Fault("/roles", "A role is not in the catalogue: create it first with POST /v1/roles."))
    catalogue = tx.catalogue.of(caller.organization_id)
    for place, grant in enumerate(terms.grants):
        api = catalogue.get(grant.audience)
        if known is not None and grant in known.grants:
            continue
        if api is None:
            faults.append(Fault(f"/grants/{place}/audience", "There is no such API: create it with POST /v1/apis."))
        elif not grant.scopes <= api.scope_names():
            faults.append(Fault(f"/grants/{place}/scopes", "A scope is not in the catalogue of this API."))
        elif grant.access is not Access.CUSTOM and grant.scopes:
            faults.append(Fault(f"/grants/{place}/scopes", "List scopes only where access is custom."))
    if (
        terms.expires_at is not None
        and terms.expires_at <= now
        and (known is None or known.expires_at != terms.expires_at)
    ):
        faults.append(Fault("/expires_at", "Must lie in the future."))
    if faults:
        raise InvalidInput(faults)
