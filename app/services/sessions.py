"""Who is looking at the console? Sessions, kept by the server: each can be listed and ended by itself.

A session ends when it was not used for `console_idle_minutes`, after `console_session_hours` at the latest, and at
once with sign-out, with another password, and with the operator. What the operator may do is looked up for each
request, and again in the transaction of each change (`standing.changing`): a right that is taken away is gone.

The cookie holds 256 random bits; the database holds their digest. What destroys or reveals something asks for a proof
that is younger than `FRESH` (ASVS 5.0 §7.5.3).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.services.audit import Caller
from app.services.shared_failures import prune_in
from app.settings import Settings
from app.store import Store, Transaction
from app.store.sessions import Session
from tokenserver.clock import HOUR, MINUTE, Clock
from tokenserver.domain.audit import Entry, Event
from tokenserver.domain.operators import NO_RIGHTS, WRITE_ALL, Operator, Rights
from tokenserver.domain.organizations import Organization
from tokenserver.errors import NotFound, Refused

FRESH = 15 * MINUTE
HALF_OPEN = 10 * MINUTE
"""How long a session waits for its second factor."""
_CLOCKS_DIFFER = 5 * MINUTE
_TOUCHED_EVERY = MINUTE
_KEPT_FOR = 12 * HOUR
"""How long after its end a session is forgotten: clocks differ, and settings change."""
_LONGEST_AGENT = 200
SECOND_FACTOR = "second_factor"
"""What a session awaits that was opened with a password where more is asked."""
__all__ = [
    "FRESH",
    "SECOND_FACTOR",
    "Session",
    "Sessions",
    "SignedOut",
    "Suspended",
    "Viewer",
    "Visitor",
    "digest_of",
    "home_of",
]


class SignedOut(Refused):
    code = "signed_out"
    status = 401
    public = "You are not signed in, or your session has ended."


class Suspended(Refused):
    code = "organization_suspended"
    status = 403
    public = "This organization is suspended. Ask whoever runs this server."


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sends a request, before anything is proven."""

    address: str = ""
    agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """An operator who is signed in, where they are and what they may do there."""

    session: Session
    operator: Operator
    organization: Organization
    rights: Rights
    visitor: Visitor
    page_key: str = field(default="", repr=False)
    """See `page_key`."""

    def may(self, permission: str) -> bool:
        return permission in self.rights.permissions

    @property
    def is_shut_out(self) -> bool:
        """Whether the organization is suspended, for them."""
        return _is_shut(self.organization, self.rights)

    def caller(self, *, only_own: bool = False) -> Caller:
        """As whom use cases are called."""
        return Caller(
            actor=f"operator:{self.operator.id}",
            organization_id=self.organization.id,
            scopes=self.rights.permissions,
            address=self.visitor.address,
            request_id=self.visitor.request_id,
            operator_id=self.operator.id,
            only_own=only_own,
            session_id=self.session.id,
        )


class Sessions:
    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self.idle = settings.console_idle_minutes * MINUTE
        self.longest = settings.console_session_hours * HOUR
        self._clock = clock

    def open_in(
        self,
        tx: Transaction,
        operator: Operator,
        method: str,
        visitor: Visitor,
        now: float,
        *,
        awaits: str | None,
        proven_at: float | None = None,
    ) -> str:
        """A new session, as a part of a transaction; returns what the cookie holds. They have proven who they are at
        this moment, or earlier, at `proven_at`.
        """
        token = _new_token()
        organization_id = home_of(tx, operator)
        session = Session(
            id=digest_of(token),
            operator_id=operator.id,
            organization_id=organization_id,
            method=method,
            created_at=int(now),
            seen_at=int(now),
            proven_at=int(now if proven_at is None else min(now, proven_at)),
            address=visitor.address,
            agent=visitor.agent[:_LONGEST_AGENT],
            awaits=awaits,
        )
        tx.sessions.add(session)
        if awaits is None:
            tx.operators.call(organization_id, operator.id, None)
            tx.sign_in.signed_in(operator.id, int(now))
            tx.audit.append(_line(Event.OPERATOR_SIGNED_IN, session, visitor, now, method=method))
        return token

    def viewer(
        self, token: str, visitor: Visitor, *, awaiting: str | None = None, also_suspended: bool = False
    ) -> Viewer:
        """Whoever holds this cookie; raises SignedOut unless the session is live and awaits nothing else, and Suspended
        unless that does not matter.
        """
        now = self._clock()
        with self._store.reading() as tx:
            session = tx.sessions.get(digest_of(token))
            if session is None or session.awaits != awaiting or self._is_over(session, now):
                raise SignedOut
            viewer = replace(_viewer(tx, session, visitor), page_key=page_key(token))
        if now - session.seen_at >= _TOUCHED_EVERY or session.organization_id != viewer.organization.id:
            touched = replace(session, seen_at=int(now), organization_id=viewer.organization.id)
            changed: dict[str, object] = {"seen_at": touched.seen_at}
            if touched.organization_id != session.organization_id:
                changed["organization_id"] = touched.organization_id
            with self._store.writing() as tx:
                tx.sessions.change(session.id, **changed)
                tx.operators.call(touched.organization_id, touched.operator_id, None)
            viewer = replace(viewer, session=touched)
        if viewer.is_shut_out and not also_suspended:
            raise Suspended
        return viewer

    def is_fresh(self, viewer: Viewer) -> bool:
        """Whether the last proof is young enough for what destroys or reveals something."""
        return 0 <= self._clock() - viewer.session.proven_at < FRESH

    def proven_in(self, tx: Transaction, viewer: Viewer, by: str, now: float, *, proven_at: float | None = None) -> str:
        """They have proven who they are at this moment, or earlier, at `proven_at`: once more, or by the second factor
        that was awaited.

        The session goes on under another token, which is returned: whoever had planted or seen the one before has
        nothing (ASVS 5.0 §7.2.4). Raises SignedOut where it has ended meanwhile.
        """
        was = tx.sessions.get(viewer.session.id)
        if was is None:
            raise SignedOut
        token = _new_token(viewer.page_key if was.awaits is None else "")
        proven_at = max(was.proven_at, now if proven_at is None else min(now, proven_at))
        session = replace(was, id=digest_of(token), seen_at=int(now), proven_at=int(proven_at), awaits=None)
        if was.awaits is not None:
            session = replace(session, method=f"{was.method} and {by}", created_at=int(now))
            tx.sign_in.signed_in(was.operator_id, int(now))
            tx.audit.append(_line(Event.OPERATOR_SIGNED_IN, session, viewer.visitor, now, method=session.method))
        tx.sessions.end(was.id)
        tx.sessions.add(session)
        return token

    def list(self, viewer: Viewer) -> Sequence[Session]:
        """Their own sessions that are live, newest use first."""
        now = self._clock()
        with self._store.reading() as tx:
            theirs = tx.sessions.of(viewer.operator.id)
        return [session for session in theirs if session.awaits is None and not self._is_over(session, now)]

    def sign_out(self, viewer: Viewer) -> None:
        with self._store.writing() as tx:
            tx.sessions.end(viewer.session.id)
            tx.audit.append(_line(Event.OPERATOR_SIGNED_OUT, viewer.session, viewer.visitor, self._clock()))

    def end(self, viewer: Viewer, session_id: str) -> None:
        """One of their own; raises NotFound for any other."""
        with self._store.writing() as tx:
            session = tx.sessions.get(session_id)
            if session is None or session.operator_id != viewer.operator.id:
                raise NotFound("There is no session with this ID.")
            tx.sessions.end(session_id)
            tx.audit.append(_line(Event.SESSION_ENDED, session, viewer.visitor, self._clock(), count=1))

    def leave(self, token: str) -> None:
        """Another session begins in its place (ASVS 5.0 §7.2.4); nothing where it is gone already."""
        with self._store.reading() as tx:
            if tx.sessions.get(digest_of(token)) is None:
                return
        with self._store.writing() as tx:
            tx.sessions.end(digest_of(token))

    def end_others(self, viewer: Viewer) -> int:
        """All of their own but this one; returns how many."""
        with self._store.writing() as tx:
            others = [one.id for one in tx.sessions.of(viewer.operator.id) if one.id != viewer.session.id]
            tx.sessions.end(*others)
            now = self._clock()
            tx.audit.append(_line(Event.SESSION_ENDED, viewer.session, viewer.visitor, now, count=len(others)))
        return len(others)

    def switch(self, viewer: Viewer, organization_id: str) -> None:
        """Look at another organization from now on; raises NotFound where they have no business."""
        with self._store.writing() as tx:
            there = tx.organizations.get(organization_id)
            if there is None or tx.operators.rights(organization_id, viewer.operator.id) == NO_RIGHTS:
                raise NotFound("There is no organization with this ID.")
            tx.sessions.change(viewer.session.id, organization_id=organization_id)
            tx.operators.call(organization_id, viewer.operator.id, None)

    def organizations(self, viewer: Viewer) -> Sequence[Organization]:
        """Where they may look: their own, and every one for a platform admin (the first 200)."""
        with self._store.reading() as tx:
            if viewer.operator.platform_admin:
                return tx.organizations.page(None, 200)
            found = [tx.organizations.get(one) for one in tx.operators.organizations_of(viewer.operator.id)]
            return [organization for organization in found if organization is not None]

    def prune(self, now: float) -> bool:
        """Forget what has been over for a while, and who was wrong long ago. Never more to do at once."""
        kept_since = int(now) - _KEPT_FOR
        with self._store.writing() as tx:
            tx.sessions.prune(kept_since - self.idle, kept_since - self.longest, int(now))
            prune_in(tx, now)
        return False

    def _is_over(self, session: Session, now: float) -> bool:
        """Also of one that was opened in the future: a clock was wrong, and it would live until that comes."""
        longest = self.longest if session.awaits is None else HALF_OPEN
        if min(session.seen_at, session.created_at) - now > _CLOCKS_DIFFER:
            return True
        return now - session.seen_at >= self.idle or now - session.created_at >= longest


def digest_of(token: str) -> str:
    """By which the database knows a token that somebody holds."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(known: str = "") -> str:
    return f"{secrets.token_urlsafe(32)}.{known or secrets.token_urlsafe(24)}"


def page_key(token: str) -> str:
    """The part of a session's token that it keeps when its holder proves once more who they are: pages that are open in
    other tabs were made for the same session.
    """
    return token.rpartition(".")[2]


def _viewer(tx: Transaction, session: Session, visitor: Visitor) -> Viewer:
    """In the organization of the session or, where they have left it or it is suspended, in another one of theirs."""
    operator = tx.operators.get(session.operator_id)
    if operator is None:
        raise SignedOut
    organization = tx.organizations.get(session.organization_id)
    rights = tx.operators.rights(session.organization_id, operator.id)
    if organization is None or rights == NO_RIGHTS or _is_shut(organization, rights):
        organization = tx.organizations.get(home_of(tx, operator))
        if organization is None:
            raise SignedOut
        rights = tx.operators.rights(organization.id, operator.id)
    return Viewer(session, operator, organization, rights, visitor)


def _is_shut(organization: Organization, rights: Rights) -> bool:
    return organization.suspended_at is not None and WRITE_ALL not in rights.permissions


def home_of(tx: Transaction, operator: Operator) -> str:
    """Where they have been a member for longest, and it is not suspended unless all are; a platform admin who is none
    anywhere begins in the first of all.
    """
    theirs = tx.operators.organizations_of(operator.id)
    for organization in map(tx.organizations.get, theirs):
        if organization is not None and organization.suspended_at is None:
            return organization.id
    if theirs:
        return theirs[0]
    first = tx.organizations.first() if operator.platform_admin else None
    if first is None:
        raise SignedOut
    return first.id


def _line(event: Event, session: Session, visitor: Visitor, now: float, **detail: object) -> Entry:
    return Entry(
        event=event,
        at=now,
        actor=f"operator:{session.operator_id}",
        organization=session.organization_id,
        address=visitor.address,
        request_id=visitor.request_id,
        detail=detail,
    )
