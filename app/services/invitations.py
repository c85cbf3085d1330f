"""How does an operator get their first password, or another one when it was lost? By a link that works once.

Whoever may manage an operator makes the link and hands it over; this server sends no mail. A new link ends the one
before. Following it sets the password, ends every session of the operator, and opens one, which still awaits a second
factor where they have any. For who has lost those, too, a link is made that forgets them at once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from app.services.audit import Caller
from app.services.passwords import Passwords
from app.services.recovery_codes import forget_second_factors_in
from app.services.sessions import SECOND_FACTOR, Sessions, Visitor, digest_of, home_of
from app.services.signing_in import Opened
from app.services.standing import changing
from app.settings import Settings
from app.store import Store, Transaction
from app.store.sessions import Invitation
from tokenserver.clock import DAY, Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.operators import Operator, rights_of
from tokenserver.errors import InsufficientScope, NotFound, Refused

LASTS = 7 * DAY
PATH = "/console/set-up/"


class LinkIsOver(Refused):
    code = "link_is_over"
    status = 404
    public = "This link has been used, was replaced, or has expired. Ask for another one."


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: int


class Invitations:
    def __init__(
        self, store: Store, sessions: Sessions, passwords: Passwords, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._issuer = settings.issuer
        self._clock = clock

    def invite(self, caller: Caller, operator_id: str, *, without_second_factor: bool = False) -> Link:
        """A link for a member of the caller's organization whose every permission the caller holds.

        `without_second_factor` forgets their one-time codes, passkeys and recovery codes, and ends their sessions.
        """
        with changing(self._store, caller, self._clock) as (tx, now):
            member = tx.operators.member(caller.organization_id, operator_id)
            if member is None:
                raise NotFound("There is no operator with this ID.")
            everywhere = [
                tx.operators.rights(organization_id, operator_id).permissions
                for organization_id in tx.operators.organizations_of(operator_id)
            ]
            elsewhere = {*tx.operators.organizations_of(operator_id)} - {caller.organization_id}
            reach = rights_of(*member).permissions.union(*everywhere)
            if not reach <= caller.scopes or (elsewhere and "organizations:write" not in caller.scopes):
                raise InsufficientScope("This operator has permissions, here or elsewhere, that you do not hold.")
            if without_second_factor:
                _forget_in(tx, caller, member[0], now)
            return self.invite_in(tx, caller, member[0], now)

    def invite_by_shell(self, shell: Caller, email: str, *, without_second_factor: bool = False) -> Link:
        """The same for any operator, as whoever has the server's machine has everything: the last way back in."""
        with changing(self._store, shell, self._clock) as (tx, now):
            operator = tx.operators.by_email(email.strip().lower())
            if operator is None:
                raise NotFound("There is no operator with this e-mail address.")
            caller = replace(shell, organization_id=home_of(tx, operator))
            if without_second_factor:
                _forget_in(tx, caller, operator, now)
            return self.invite_in(tx, caller, operator, now)

    def invite_in(self, tx: Transaction, caller: Caller, operator: Operator, now: float) -> Link:
        token = secrets.token_urlsafe(32)
        expires_at = int(now) + LASTS
        tx.sessions.invite(
            Invitation(digest_of(token), operator.id, caller.organization_id, int(now), caller.actor, expires_at)
        )
        tx.audit.append(caller.did(Event.OPERATOR_INVITED, now, operator=operator.id))
        return Link(f"{self._issuer}{PATH}{token}", expires_at)

    def invited(self, token: str) -> Operator:
        """Whose link it is; raises LinkIsOver."""
        with self._store.reading() as tx:
            return self._found(tx, token)

    def accept(self, token: str, password: str, visitor: Visitor) -> Opened:
        """Set the password and open a session; raises LinkIsOver, InvalidInput."""
        self._passwords.refuse_unfit(password, self.invited(token).email)
        hashed = self._passwords.hash(password)
        with self._store.writing() as tx:
            now = self._clock()
            operator = self._found(tx, token)
            tx.sessions.uninvite(operator.id)
            tx.sessions.end(*(session.id for session in tx.sessions.of(operator.id)))
            tx.sign_in.set_password(operator.id, hashed, int(now))
            actor, organization_id = f"operator:{operator.id}", home_of(tx, operator)
            caller = Caller(actor, organization_id, address=visitor.address, request_id=visitor.request_id)
            tx.audit.append(caller.did(Event.PASSWORD_SET, now, by="link"))
            awaits = SECOND_FACTOR if tx.sign_in.has_second_factor(operator.id) else None
            opened = self._sessions.open_in(tx, operator, "link", visitor, now, awaits=awaits)
        return Opened(opened, awaits, operator.id)

    def _found(self, tx: Transaction, token: str) -> Operator:
        invitation = tx.sessions.invitation(digest_of(token))
        if invitation is None or invitation.expires_at <= self._clock():
            raise LinkIsOver
        operator = tx.operators.get(invitation.operator_id)
        if operator is None:
            raise LinkIsOver
        return operator


def _forget_in(tx: Transaction, caller: Caller, operator: Operator, now: float) -> None:
    forget_second_factors_in(tx, caller, operator.id, now)
    tx.sessions.end(*(session.id for session in tx.sessions.of(operator.id)))
