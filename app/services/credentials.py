"""What can be done with a credential? Create, list, read, change, end; each with its audit line.

A change is one transaction: read, decide, compare-and-swap on the version, floors into the feed, audit line. Without
`If-Match` a change of the state (disable, revoke, regenerate, …) is repeated on what it finds when it lost a race;
one with it, and every PATCH, is refused with 412 instead. After the reply, no node accepts what the change has ended.

Nobody raises their own rights through another credential: whoever touches a credential that holds scopes of the admin
API must hold those scopes as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.services.audit import Caller, changes, schedule_shown
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.standing import changing
from app.store import Store, Transaction
from app.store.credentials import SecretHistory
from tokenserver.clock import DAY, Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState, name_key
from tokenserver.domain.generation import Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.operators import ADMIN_AUDIENCE
from tokenserver.domain.organizations import Policy
from tokenserver.domain.restrictions import Access, Restrictions
from tokenserver.domain.rotation import rescheduled
from tokenserver.domain.schedule import RotationSchedule
from tokenserver.domain.secret import Pepper, Secret, digest, fingerprint, hint, new_client_id, new_secret
from tokenserver.domain.selection import Place, Selection
from tokenserver.errors import Conflict, Fault, InsufficientScope, InvalidInput, NotFound, PreconditionFailed

_TRIES = 5


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


Transition = Callable[[Credential, Transaction, float], Credential]


@dataclass(frozen=True, slots=True)
class CredentialView:
    """A credential with every secret it ever had and their last uses, as of `now`.

    After a change that ended something: the number under which the feed tells of it, and the APIs that are concerned.
    """

    credential: Credential
    history: SecretHistory
    now: float
    feed_seq: int | None = None
    api_ids: tuple[str, ...] = ()


PlacedView = tuple[CredentialView, Place]
"""With its place in the list."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A credential with a secret that is seen this once. `retiring` is the secret beside it, in a grace period."""

    view: CredentialView
    secret: Secret
    secret_id: str
    retiring: CredentialSecret | None = None


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


class Credentials:
    def __init__(self, store: Store, feed: Feed, pepper: Pepper, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._pepper = pepper
        self._clock = clock

    def create(self, caller: Caller, draft: Draft) -> NewSecret:
        with changing(self._store, caller, self._clock) as (tx, now):
            return self.create_in(tx, caller, draft, now)

    def create_in(self, tx: Transaction, caller: Caller, draft: Draft, now: float) -> NewSecret:
        """`create` as a part of a larger transaction."""
        owner_id = caller.operator_id if caller.only_own else draft.owner_id
        draft = _capped(tx, caller, draft, now)
        _refuse_unknown_terms(tx, caller, draft.restrictions, now)
        _refuse_unknown_place(tx, caller, draft.project)
        refuse_escalation(tx, caller, draft.restrictions)
        _refuse_beyond_owner(tx, caller, owner_id, draft.restrictions)
        _refuse_beyond_policy(tx, caller, draft, now)
        _refuse_taken_name(tx, caller.organization_id, draft.name, now)
        client_id, secret = new_client_id(), new_secret()
        kept = self._kept(client_id, secret, now)
        credential = Credential(
            client_id=client_id,
            organization_id=caller.organization_id,
            name=draft.name,
            description=draft.description,
            restrictions=draft.restrictions,
            generation=Generation(),
            secrets=(kept,),
            created_at=int(now),
            created_by=caller.actor,
            project=draft.project,
            environment=draft.environment,
            owner_id=owner_id,
        )
        blank = replace(credential, name="", restrictions=Restrictions(token_lifetime=0), secrets=())
        credential = rescheduled(credential, draft.schedule, now)
        credential = replace(credential, version=1)
        tx.credentials.add(credential)
        created = caller.did(Event.CREDENTIAL_CREATED, now, client_id, changed=changes(blank, credential, now))
        tx.audit.append(created, *_of_schedule(caller, blank, credential, now))
        return NewSecret(CredentialView(credential, [(kept, None)], now), secret, kept.id)

    def list(self, caller: Caller, selection: Selection, after: Place | None, limit: int) -> list[PlacedView]:
        """What is selected, in its order; `limit` at most, after the place of the last one seen."""
        now = self._clock()
        if caller.only_own:
            selection = replace(selection, owner_id=caller.operator_id)
        with self._store.reading() as tx:
            found = tx.credentials.page(caller.organization_id, selection, after, limit, now)
            histories = tx.credentials.secret_histories([credential for credential, _ in found])
        return [(CredentialView(c, histories[c.client_id], now), place) for c, place in found]

    def get(self, caller: Caller, client_id: str) -> CredentialView:
        with self._store.reading() as tx:
            return self._view(tx, caller, client_id, self._clock())

    def update(
        self, caller: Caller, client_id: str, version: int | None, edit: Callable[[Credential], Credential]
    ) -> CredentialView:
        """Apply `edit`, which sets name, description, place, restrictions or schedule; a narrowing ends what is out."""

        def transition(credential: Credential, tx: Transaction, now: float) -> Credential:
            wanted = edit(credential)
            if wanted.restrictions != credential.restrictions:
                _refuse_unknown_terms(tx, caller, wanted.restrictions, now, known=credential.restrictions)
                refuse_escalation(tx, caller, wanted.restrictions)
                _refuse_beyond_owner(tx, caller, credential.owner_id, wanted.restrictions)
                if wanted.restrictions.expires_at != credential.restrictions.expires_at:
                    _refuse_late_end(tx, caller, wanted.restrictions, now)
            if wanted.project != credential.project:
                _refuse_unknown_place(tx, caller, wanted.project)
            if wanted.name != credential.name and _policy(tx, caller).names_are_fixed:
                raise NamesAreFixed
            if name_key(wanted.name) != name_key(credential.name):
                _refuse_taken_name(tx, caller.organization_id, wanted.name, now)
            catalogue = tx.catalogue.of(caller.organization_id)
            changed = credential.renamed(wanted.name, wanted.description)
            changed = changed.restricted(wanted.restrictions, catalogue, now)
            changed = changed.placed(wanted.project, wanted.environment, now)
            changed = rescheduled(changed, wanted.schedule, now)
            return replace(changed, version=credential.version + 1) if changed != credential else credential

        return self._change(caller, client_id, Event.CREDENTIAL_UPDATED, transition, version)

    def regenerate(self, caller: Caller, client_id: str, version: int | None = None) -> NewSecret:
        """A new secret now; the old one and every token that is out have ended when this returns."""
        secret = new_secret()
        kept = self._kept(client_id, secret, self._clock())
        view = self._change(
            caller, client_id, Event.SECRET_REGENERATED, lambda c, _tx, now: c.regenerated(kept, now), version
        )
        return NewSecret(view, secret, kept.id)

    def rotate(self, caller: Caller, client_id: str, grace_seconds: int, version: int | None = None) -> NewSecret:
        """A new secret beside the old one, which retires when the grace period ends. Nothing ends early."""
        secret = new_secret()
        kept = self._kept(client_id, secret, self._clock())
        view = self._change(
            caller, client_id, Event.SECRET_ROTATED, lambda c, _tx, now: c.rotated(kept, now, grace_seconds), version
        )
        retiring = view.credential.secret_in(SecretState.RETIRING, view.now)
        return NewSecret(view, secret, kept.id, retiring)

    def rotated_in(
        self, tx: Transaction, before: Credential, grace_seconds: int, now: float
    ) -> tuple[Credential, NewSecret]:
        """What `before` is after a rotation, unsaved, and its new secret: a part of a larger transaction."""
        secret = new_secret()
        kept = self._kept(before.client_id, secret, now)
        after = before.rotated(kept, now, grace_seconds)
        history = tx.credentials.secret_histories([before])[before.client_id]
        view = CredentialView(after, [(kept, None), *history], now)
        return after, NewSecret(view, secret, kept.id, after.secret_in(SecretState.RETIRING, now))

    def finish_rotation(self, caller: Caller, client_id: str, version: int | None = None) -> CredentialView:
        return self._change(
            caller, client_id, Event.ROTATION_FINISHED, lambda c, _tx, now: c.rotation_finished(now), version
        )

    def cancel_rotation(self, caller: Caller, client_id: str, version: int | None = None) -> CredentialView:
        return self._change(
            caller, client_id, Event.ROTATION_CANCELLED, lambda c, _tx, now: c.rotation_cancelled(now), version
        )

    def disable(self, caller: Caller, client_id: str, version: int | None = None) -> CredentialView:
        return self._change(caller, client_id, Event.CREDENTIAL_DISABLED, lambda c, _tx, now: c.disabled(now), version)

    def enable(self, caller: Caller, client_id: str, version: int | None = None) -> CredentialView:
        return self._change(caller, client_id, Event.CREDENTIAL_ENABLED, lambda c, _tx, now: c.enabled(now), version)

    def revoke(self, caller: Caller, client_id: str, reason: str, version: int | None = None) -> CredentialView:
        return self._change(
            caller, client_id, Event.CREDENTIAL_REVOKED, lambda c, _tx, now: c.revoked(now, reason), version
        )

    def delete(self, caller: Caller, client_id: str, version: int | None = None) -> None:
        self._change(caller, client_id, Event.CREDENTIAL_DELETED, lambda c, _tx, now: c.deleted(now), version)

    def _change(
        self, caller: Caller, client_id: str, event: Event, transition: Transition, version: int | None
    ) -> CredentialView:
        for attempt in range(_TRIES):
            try:
                view = self._try(caller, client_id, event, transition, version)
            except PreconditionFailed:
                if version is not None or attempt == _TRIES - 1:
                    raise
            else:
                self._feed.changed()
                return view
        raise PreconditionFailed

    def _try(
        self, caller: Caller, client_id: str, event: Event, transition: Transition, version: int | None
    ) -> CredentialView:
        with changing(self._store, caller, self._clock) as (tx, now):
            before = self._view(tx, caller, client_id, now).credential
            if version is not None and before.version != version:
                raise PreconditionFailed
            refuse_escalation(tx, caller, before.restrictions, own=_is_own(caller, before))
            after = transition(before, tx, now)
            seq = None
            if after is not before:
                seq = save_changes(tx, caller, event, [(before, after)], now).get(reference(client_id))
            history = tx.credentials.secret_histories([after])[client_id]
            api_ids = () if seq is None else _concerned(tx, before)
        return CredentialView(after, history, now, seq, api_ids)

    def _view(self, tx: Transaction, caller: Caller, client_id: str, now: float) -> CredentialView:
        credential = tx.credentials.get(caller.organization_id, client_id)
        if credential is None or (caller.only_own and credential.owner_id != caller.operator_id):
            raise NotFound("There is no credential with this client ID.")
        return CredentialView(credential, tx.credentials.secret_histories([credential])[client_id], now)

    def _kept(self, client_id: str, secret: Secret, now: float) -> CredentialSecret:
        return CredentialSecret(
            id=new_id("sec"),
            digest=digest(client_id, secret.reveal(), self._pepper),
            pepper_id=self._pepper.id,
            hint=hint(secret),
            created_at=int(now),
            fingerprint=fingerprint(secret.reveal(), self._pepper),
        )


def save_changes(
    tx: Transaction,
    caller: Caller,
    event: Event,
    changed: Sequence[tuple[Credential, Credential]],
    now: float,
    **detail: str,
) -> dict[str, int]:
    """What every change of credentials does, before and after each: rows, floors that moved, audit lines; in this
    order. `detail` is told in the lines as well. By reference, the number of the last floor that was told.
    """
    tx.credentials.save_all(changed)
    told = [
        (reference(after.client_id), floor)
        for before, after in changed
        for floor in after.generation.floors_to_tell(before.generation, now)
    ]
    numbers = tx.feed.tell_all(caller.organization_id, told, now)
    lines = []
    for before, after in changed:
        seq = numbers.get(reference(after.client_id))
        more: dict[str, object] = {**detail} if seq is None else {**detail, "feed_seq": seq}
        lines.append(caller.did(event, now, after.client_id, changed=changes(before, after, now), **more))
        lines.extend(_of_schedule(caller, before, after, now))
    tx.audit.append(*lines)
    return numbers


def _concerned(tx: Transaction, credential: Credential) -> tuple[str, ...]:
    """The APIs whose resource servers its tokens were good for."""
    catalogue = tx.catalogue.of(credential.organization_id)
    audiences = (grant.audience for grant in credential.restrictions.grants)
    return tuple(catalogue[audience].id for audience in audiences if audience in catalogue)


def _policy(tx: Transaction, caller: Caller) -> Policy:
    organization = tx.organizations.get(caller.organization_id)
    return Policy() if organization is None else organization.policy


def _capped(tx: Transaction, caller: Caller, draft: Draft, now: float) -> Draft:
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


def _of_schedule(caller: Caller, before: Credential, after: Credential, now: float) -> Iterator[Entry]:
    """A line of its own where the schedule changed."""
    old, new = schedule_shown(before.schedule), schedule_shown(after.schedule)
    if old != new:
        changed = {"rotation_schedule": [old, new]}
        yield caller.did(Event.SCHEDULE_CHANGED, now, after.client_id, changed=changed)


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


def _is_own(caller: Caller, credential: Credential) -> bool:
    return caller.operator_id is not None and credential.owner_id == caller.operator_id


def refuse_escalation(tx: Transaction, caller: Caller, terms: Restrictions, *, own: bool = False) -> None:
    """Raise InsufficientScope where `terms` hold admin scopes, or may be used from addresses, that the caller may
    not; and for an operator, where they hold any roles or scopes that the operator does not. An operator's `own`
    credential may hold more than is left to its owner: its tokens do not.
    """
    if caller.operator_id is not None and not own:
        rights = tx.operators.rights(caller.claims.organization if caller.claims else "", caller.operator_id)
        if not rights.covers(terms, tx.catalogue.of(caller.organization_id)):
            raise InsufficientScope("The credential holds roles or scopes that you do not hold.")
    if all(grant.audience != ADMIN_AUDIENCE for grant in terms.grants):
        return
    held = terms.scopes_at(tx.catalogue.of(caller.organization_id)).get(ADMIN_AUDIENCE, frozenset())
    if not held <= caller.scopes:
        raise InsufficientScope("The credential holds admin scopes that you do not hold.")
    calling = None if caller.claims is None else tx.credentials.get(caller.claims.organization, caller.claims.client_id)
    mine = None if calling is None else calling.restrictions.allowed_ips
    if mine is not None and (terms.allowed_ips is None or not mine.covers(terms.allowed_ips)):
        raise InsufficientScope("The credential holds admin scopes, and may be used from addresses that yours may not.")
