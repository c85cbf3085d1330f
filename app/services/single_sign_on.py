"""Who is at the door of the console, according to a provider that they signed in at? And what are they here?

Somebody is known by issuer and subject, which never change hands. The first time, they are the operator who has their
verified e-mail address; unless that operator is somebody else at the provider already, since addresses do change hands.
Where groups are mapped to roles (`mapped_roles`), that is done at each sign-in, and who has a role need not be known.

The provider is responsible for second factors: no other proof is asked for. Who is refused is told why, and the audit
log has the reason, but no name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.services.audit import STRANGER, Caller, Folding
from app.services.feed import Feed
from app.services.identity import Identity
from app.services.mapped_roles import made_by_mapping, mapping_caller, settle
from app.services.operators import LastOwner, Operators
from app.services.sessions import Sessions, Viewer, Visitor
from app.services.sign_on_attempts import Attempt, Attempts, ProviderUnavailable, SignOnRefused
from app.services.signing_in import Opened
from app.settings import Settings
from app.store import Store, Transaction
from tokenserver.clock import Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.liveness import reference
from tokenserver.domain.operators import Operator

_DECLINED = {
    "access_denied",
    "consent_required",
    "login_required",
    "interaction_required",
    "account_selection_required",
}


class Provider(Protocol):
    """An `IdentityProvider`, which is slow to import."""

    def address(self, attempt: Attempt) -> str: ...

    def refuse_stranger(self, issuer: str | None) -> None: ...

    def identify(self, code: str, attempt: Attempt) -> Identity: ...


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where to go, and what the browser is to remember meanwhile."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Signed in, perhaps in the session that was there. `then` is the page that was wanted, and `kept` what had been
    typed into its form, sealed.
    """

    opened: Opened
    then: str
    kept: str = field(repr=False)


class SingleSignOn:
    def __init__(
        self,
        *,
        store: Store,
        sessions: Sessions,
        operators: Operators,
        feed: Feed,
        attempts: Attempts,
        provider: Provider,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.name = settings.sso_name
        self._store = store
        self._sessions = sessions
        self._operators = operators
        self._feed = feed
        self._attempts = attempts
        self._provider = provider
        self._roles = settings.group_roles
        self._clock = clock
        self._folding = Folding()
        self._lock = threading.Lock()

    def begin(self, then: str, kept: str = "", *, again: bool = False) -> Leaving:
        """`then`: the page that is wanted; `kept`: what was typed into its form, sealed. `again`: they are to prove
        once more who they are, though they are signed in at the provider. Raises TooMuchTyped, ProviderUnavailable.
        """
        attempt, cookie = self._attempts.new(then, kept, again=again)
        return Leaving(self._provider.address(attempt), cookie)

    def finish(self, cookie: str, answer: Mapping[str, str], visitor: Visitor, viewer: Viewer | None = None) -> Arrived:
        """What came of it: `answer` is the query with which somebody came back, who may be signed in already, as
        `viewer`. Raises SignOnRefused, Unavailable.
        """
        try:
            if "state" not in answer:  # some providers leave it out of a refusal: which ends nothing
                _code_of(answer, self.name)
            attempt = self._attempts.taken(cookie, answer.get("state", ""))  # 1. is it an answer to our question
            self._provider.refuse_stranger(answer.get("iss"))
            code = _code_of(answer, self.name)
            identity = self._provider.identify(code, attempt)  # 2. who is it there
            opened = self._signed_in(identity, attempt, visitor, viewer)  # 3. who is it here
            return Arrived(opened, attempt.then, attempt.kept)
        except SignOnRefused as refusal:
            self._refused(visitor, refusal.reason, refusal.account)
            raise
        except ProviderUnavailable as fault:
            self._refused(visitor, fault.detail, "")
            raise

    def _signed_in(self, identity: Identity, attempt: Attempt, visitor: Visitor, viewer: Viewer | None) -> Opened:
        with self._store.writing() as tx:
            now = self._clock()
            organization = tx.organizations.first()
            caller = mapping_caller(organization.id if organization else "", visitor.address, visitor.request_id)
            person = self._person(tx, caller, identity, now)
            has_place = person is not None and (person.platform_admin or tx.operators.organizations_of(person.id))
            opened = None
            if person is not None and has_place:
                self._link(tx, caller, person, identity, now)
                proven_at = _proven_at(identity, attempt, now)
                if viewer is not None and viewer.operator.id == person.id:
                    token = self._sessions.proven_in(tx, viewer, "sso", now, proven_at=proven_at)
                else:
                    token = self._sessions.open_in(tx, person, "sso", visitor, now, awaits=None, proven_at=proven_at)
                opened = Opened(token, None, person.id)
        self._feed.changed()
        if opened is None:  # what was taken away stays so
            raise self._no_role(identity) if self._roles else self._unknown(identity)
        return opened

    def _person(self, tx: Transaction, caller: Caller, identity: Identity, now: float) -> Operator | None:
        """The operator as they are once the mapping was done; None: they have no place here any more."""
        person = self._known(tx, identity)
        if not self._roles:
            if person is None:
                raise self._unknown(identity)
            return person
        if identity.groups is None:
            raise SignOnRefused(
                f"Which groups you are in was not said when you signed in with {self.name}."
                " Tell whoever runs this server.",
                "the provider did not say the groups",
            )
        role = self._roles.role_of(identity.groups)
        if person is None:
            if role is None:
                raise self._no_role(identity)
            if identity.email is None:
                raise self._unknown(identity)
            return made_by_mapping(tx, caller, identity.email, identity.name, role, now)
        try:
            settle(tx, self._operators, caller, person, role, now)
        except LastOwner:
            raise SignOnRefused(
                "You are the last owner of the organization, and your groups would take that away. Have your groups"
                " corrected, or sign in another way and make somebody else an owner first.",
                "the groups would leave no owner",
                account=person.email,
            ) from None
        return tx.operators.get(person.id)

    def _known(self, tx: Transaction, identity: Identity) -> Operator | None:
        operator_id = tx.identities.operator_of(identity.issuer, identity.subject)
        if operator_id is not None:
            return tx.operators.get(operator_id)
        person = tx.operators.by_email(identity.email) if identity.email is not None else None
        if person is not None and tx.identities.is_linked(identity.issuer, person.id):
            raise SignOnRefused(
                f"The operator with your e-mail address is somebody else at {self.name}. Ask an administrator to remove"
                " that operator, and to add you.",
                "the address belongs to another subject",
                account=person.email,
            )
        return person

    def _link(self, tx: Transaction, caller: Caller, person: Operator, identity: Identity, now: float) -> None:
        if tx.identities.operator_of(identity.issuer, identity.subject) is None:
            tx.identities.link(identity.issuer, identity.subject, person.id, int(now))
            tx.audit.append(caller.did(Event.IDENTITY_LINKED, now, operator=person.id, issuer=identity.issuer))

    def _unknown(self, identity: Identity) -> SignOnRefused:
        if identity.email is None:
            return SignOnRefused(
                f"Your e-mail address is not verified at {self.name}, so that nobody can tell who you are here."
                " Verify it there, then begin again.",
                "no verified e-mail address",
            )
        return SignOnRefused(
            "There is no operator with your e-mail address. Ask an administrator to add you.",
            "no such operator",
            account=identity.email,
        )

    def _no_role(self, identity: Identity) -> SignOnRefused:
        return SignOnRefused(
            f"None of your groups at {self.name} has a role here. Ask whoever assigns the groups.",
            "no group with a role",
            account=identity.email or "",
        )

    def _refused(self, visitor: Visitor, reason: str, account: str) -> None:
        """Folded, since anybody can bring this about as often as they like."""
        detail = {"reason": reason, "method": "sso", **({"account": reference(account)} if account else {})}
        entry = Entry(
            event=Event.SIGN_IN_REFUSED,
            at=self._clock(),
            actor=STRANGER,
            address=visitor.address,
            request_id=visitor.request_id,
            outcome="refused",
            detail=detail,
        )
        with self._lock:
            entries = list(self._folding.fold(entry, account))
        if entries:
            with self._store.writing() as tx:
                tx.audit.append(*entries)


def _code_of(answer: Mapping[str, str], name: str) -> str:
    """Raises SignOnRefused for anything else; what was sent is not repeated."""
    error = answer.get("error")
    if error in _DECLINED:
        raise SignOnRefused(
            f"You were not signed in with {name}: it was declined there, or you may not use this server.",
            f"the provider answered {error}",
        )
    if error in {"temporarily_unavailable", "server_error"}:
        raise ProviderUnavailable(detail=f"the sign-in provider answered {error}")
    if error is not None or not answer.get("code"):
        raise SignOnRefused(
            "The answer of the provider says neither who you are nor why not. Begin again; if that does not help, tell"
            " whoever runs this server.",
            "neither code nor known error",
        )
    return answer["code"]


def _proven_at(identity: Identity, attempt: Attempt, now: float) -> float:
    """Of a provider that does not say when: now, if it was asked to have it proven now; else long ago."""
    if identity.proven_at is not None:
        return min(now, identity.proven_at)
    return now if attempt.again_since is not None else 0
