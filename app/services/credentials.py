"""What can be done with a credential? Create, list, read, change, end; each with its audit line.

A change is one transaction: read, decide, compare-and-swap on the version, floors into the feed, audit line. Without
`If-Match` a change of the state (disable, revoke, regenerate, …) is repeated on what it finds when it lost a race;
one with it, and every PATCH, is refused with 412 instead. After the reply, no node accepts what the change has ended.

Which terms a credential may have is in `terms`, and what every change leaves behind in `saving`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.services.audit import Caller, changes
from app.services.feed import Feed
from app.services.ids import new_id
from app.services.saving import lines_of_schedule, save_changes
from app.services.standing import changing
from app.services.terms import Draft, capped, refuse_escalation, refuse_unfit, refuse_unfit_change
from app.store import Store, Transaction
from app.store.secrets import LastUse, SecretHistory
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.credential import Credential, CredentialSecret, SecretState, Status
from tokenserver.domain.generation import Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.restrictions import Restrictions
from tokenserver.domain.rotation import rescheduled
from tokenserver.domain.secret import Pepper, Secret, digest, fingerprint, hint, new_client_id, new_secret
from tokenserver.domain.selection import Place, Selection
from tokenserver.errors import NotFound, PreconditionFailed

_TRIES = 5


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

    @property
    def last_use(self) -> LastUse | None:
        """The latest of all its secrets."""
        return max((use for _, use in self.history if use is not None), key=lambda use: use.at, default=None)

    @property
    def has_ended(self) -> bool:
        """For good."""
        return self.credential.status(self.now) in {Status.REVOKED, Status.EXPIRED}

    @property
    def retiring(self) -> CredentialSecret | None:
        """The old secret, while a rotation is in progress."""
        if self.has_ended or self.credential.secret_in(SecretState.CURRENT, self.now) is None:
            return None
        return self.credential.secret_in(SecretState.RETIRING, self.now)

    def state_of(self, secret: CredentialSecret) -> SecretState:
        """With a credential that has ended for good its secrets have, though the rows stay as they were."""
        return SecretState.ENDED if self.has_ended else secret.state_at(self.now)


PlacedView = tuple[CredentialView, Place]
"""With its place in the list."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A credential with a secret that is seen this once. `retiring` is the secret beside it, in a grace period."""

    view: CredentialView
    secret: Secret
    secret_id: str
    retiring: CredentialSecret | None = None


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
        draft = replace(draft, owner_id=caller.operator_id) if caller.only_own else draft
        draft = capped(tx, caller, draft, now)
        refuse_unfit(tx, caller, draft, now)
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
            owner_id=draft.owner_id,
        )
        blank = replace(credential, name="", restrictions=Restrictions(token_lifetime=0), secrets=())
        credential = rescheduled(credential, draft.schedule, now)
        credential = replace(credential, version=1)
        tx.credentials.add(credential)
        created = caller.did(Event.CREDENTIAL_CREATED, now, client_id, changed=changes(blank, credential, now))
        tx.audit.append(created, *lines_of_schedule(caller, blank, credential, now))
        return NewSecret(CredentialView(credential, [(kept, None)], now), secret, kept.id)

    def list(self, caller: Caller, selection: Selection, after: Place | None, limit: int) -> list[PlacedView]:
        """What is selected, in its order; `limit` at most, after the place of the last one seen."""
        now = self._clock()
        if caller.only_own:
            selection = replace(selection, owner_id=caller.operator_id)
        with self._store.reading() as tx:
            found = tx.credentials.page(caller.organization_id, selection, after, limit, now)
            histories = tx.secrets.histories([credential for credential, _ in found])
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
            refuse_unfit_change(tx, caller, credential, wanted, now)
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
        history = tx.secrets.histories([before])[before.client_id]
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
            history = tx.secrets.histories([after])[client_id]
            api_ids = () if seq is None else _concerned(tx, before)
        return CredentialView(after, history, now, seq, api_ids)

    def _view(self, tx: Transaction, caller: Caller, client_id: str, now: float) -> CredentialView:
        credential = tx.credentials.get(caller.organization_id, client_id)
        if credential is None or (caller.only_own and credential.owner_id != caller.operator_id):
            raise NotFound("There is no credential with this client ID.")
        return CredentialView(credential, tx.secrets.histories([credential])[client_id], now)

    def _kept(self, client_id: str, secret: Secret, now: float) -> CredentialSecret:
        return CredentialSecret(
            id=new_id("sec"),
            digest=digest(client_id, secret.reveal(), self._pepper),
            pepper_id=self._pepper.id,
            hint=hint(secret),
            created_at=int(now),
            fingerprint=fingerprint(secret.reveal(), self._pepper),
        )


def _concerned(tx: Transaction, credential: Credential) -> tuple[str, ...]:
    """The APIs whose resource servers its tokens were good for."""
    catalogue = tx.catalogue.of(credential.organization_id)
    audiences = (grant.audience for grant in credential.restrictions.grants)
    return tuple(catalogue[audience].id for audience in audiences if audience in catalogue)


def _is_own(caller: Caller, credential: Credential) -> bool:
    return caller.operator_id is not None and credential.owner_id == caller.operator_id
