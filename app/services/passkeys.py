"""Which keys has the operator, and is this signature by one of them? Passkeys (WebAuthn).

A key is good for this installation only: for the host of the issuer, on pages from its origin. Browsers make keys for
a host name over https, or for `localhost`, and for no IP address; elsewhere there are no passkeys, and `unavailable`
says why.

A key signs a challenge that was made for this very step and is taken once. Where the key is all that is proven, it
must have asked for a finger or a PIN. A counter that does not go up means that a key may have been copied: it is
refused (WebAuthn §6.1.1). Most keys of today count nothing, and always say 0.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.services.challenges import Challenges, NotAnswered, Opened
from app.services.recovery_codes import forget_unless_needed_in, make_first_in
from app.services.sessions import Viewer
from app.services.standing import changing
from app.settings import Settings
from app.store import Store, Transaction
from app.store.sign_in import Passkey
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.errors import Conflict, Fault, InvalidInput, NotFound, Refused

if TYPE_CHECKING:
    from app.services.authenticators import Authenticators

MOST = 20
LONGEST_NAME = 60
_SIGN_IN = "sign in"
__all__ = ["Asked", "Passkey", "Passkeys", "WrongPasskey", "unavailable_at"]


class NoPasskeysHere(Conflict):
    code = "no_passkeys_here"
    public = "Passkeys do not work at this address."


class TooManyPasskeys(Conflict):
    code = "too_many_passkeys"
    public = f"You have {MOST} passkeys. Remove one first."


class WrongPasskey(Refused):
    code = "sign_in_failed"
    status = 401
    public = "This passkey is not known here, or did not answer as it should."

    def __init__(self, reason: str = "wrong passkey") -> None:
        super().__init__(detail=reason)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page hands to the browser, and what the form carries beside the answer."""

    options: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """By a key that is known, of what was asked for. `count`: how often the key says that it signed."""

    passkey: Passkey
    count: int
    challenge: Opened = field(repr=False)


class Passkeys:
    def __init__(self, store: Store, challenges: Challenges, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._challenges = challenges
        self._issuer = settings.issuer
        self._clock = clock
        self.unavailable = unavailable_at(settings.issuer)
        """Why there are none, in a sentence for the page; None where they work."""

    # --- of an operator who is signed in ---

    def list(self, viewer: Viewer) -> Sequence[Passkey]:
        with self._store.reading() as tx:
            return tx.sign_in.passkeys_of(viewer.operator.id)

    def offer(self, viewer: Viewer) -> Asked:
        """Ask for a new key."""
        challenge = self._challenges.make(_registering(viewer), self._clock())
        taken = [passkey.id for passkey in self.list(viewer)]
        options = self._authenticators.registration_options(viewer.operator, taken, challenge.value)
        return Asked(options, challenge.sealed)

    def add(self, viewer: Viewer, sealed: str, answer: str, name: str) -> Sequence[str]:
        """Take the new key; returns recovery codes where there were none. Raises InvalidInput, ChallengeIsOver."""
        name = _named(name)
        caller, operator_id = viewer.caller(), viewer.operator.id
        with changing(self._store, caller, self._clock) as (tx, now):
            challenge = self._challenges.open(sealed, _registering(viewer), now)
            self._challenges.spend_in(tx, challenge)
            try:
                made = self._authenticators.registered(answer, challenge.value)
            except NotAnswered:
                raise InvalidInput(
                    [Fault("/answer", "The authenticator's answer cannot be used. Try again.")]
                ) from None
            if len(tx.sign_in.passkeys_of(operator_id)) >= MOST:
                raise TooManyPasskeys
            if tx.sign_in.passkey(made.id) is not None:
                raise InvalidInput([Fault("/answer", "This passkey is known already.")])
            passkey = Passkey(made.id, operator_id, name, made.public_key, made.sign_count, int(now))
            tx.sign_in.add_passkey(passkey)
            tx.audit.append(caller.did(Event.PASSKEY_ADDED, now, passkey=made.id, name=name))
            return make_first_in(tx, caller, operator_id, now)

    def rename(self, viewer: Viewer, passkey_id: str, name: str) -> None:
        """One of their own; raises NotFound for any other, InvalidInput."""
        name = _named(name)
        caller = viewer.caller()
        with changing(self._store, caller, self._clock) as (tx, now):
            passkey = _own(tx, viewer, passkey_id)
            if passkey.name == name:
                return
            tx.sign_in.rename_passkey(passkey_id, name)
            changed = {"name": [passkey.name, name]}
            tx.audit.append(caller.did(Event.PASSKEY_RENAMED, now, passkey=passkey_id, changed=changed))

    def remove(self, viewer: Viewer, passkey_id: str) -> None:
        """One of their own; raises NotFound for any other. Its door asks for a fresh proof first."""
        caller = viewer.caller()
        with changing(self._store, caller, self._clock) as (tx, now):
            passkey = _own(tx, viewer, passkey_id)
            tx.sign_in.remove_passkey(passkey_id)
            tx.audit.append(caller.did(Event.PASSKEY_REMOVED, now, passkey=passkey_id, name=passkey.name))
            forget_unless_needed_in(tx, viewer.operator.id, now)

    # --- as a proof ---

    def ask(self, viewer: Viewer | None = None) -> Asked:
        """For a signature: by a key of the viewer's or, while nobody is known, by any key that knows its owner."""
        challenge = self._challenges.make(_purpose(viewer), self._clock())
        allowed = [] if viewer is None else [passkey.id for passkey in self.list(viewer)]
        options = self._authenticators.assertion_options(allowed, challenge.value, verify=viewer is None)
        return Asked(options, challenge.sealed)

    def check_in(
        self, tx: Transaction, sealed: str, answer: str, now: float, viewer: Viewer | None = None
    ) -> Signature:
        """Who signed what we asked for; raises WrongPasskey, ChallengeIsOver. Only reads: a stranger may be asking."""
        challenge = self._challenges.open(sealed, _purpose(viewer), now)
        try:
            passkey_id, owner = self._authenticators.claimed(answer)
            passkey = tx.sign_in.passkey(passkey_id)
            if passkey is None or owner not in {None, passkey.operator_id}:
                raise WrongPasskey
            if viewer is not None and passkey.operator_id != viewer.operator.id:
                raise WrongPasskey
            count = self._authenticators.signed(answer, challenge.value, passkey.public_key, verify=viewer is None)
        except NotAnswered:
            raise WrongPasskey from None
        _refuse_copy(passkey, count)
        return Signature(passkey, count, challenge)

    def use_in(self, tx: Transaction, signature: Signature, now: float) -> None:
        """The signature has done its work, and does it no second time; raises WrongPasskey, ChallengeIsOver."""
        self._challenges.spend_in(tx, signature.challenge)
        passkey = tx.sign_in.passkey(signature.passkey.id)
        if passkey is None:  # removed while we looked at it
            raise WrongPasskey
        _refuse_copy(passkey, signature.count)
        tx.sign_in.used_passkey(passkey.id, signature.count, int(now))

    @cached_property
    def _authenticators(self) -> Authenticators:
        if self.unavailable is not None:
            raise NoPasskeysHere(self.unavailable)
        from app.services.authenticators import Authenticators  # noqa: PLC0415  slow to import, and a start must not be

        return Authenticators(self._issuer)


def unavailable_at(issuer: str) -> str | None:
    """Why browsers make no passkeys for this address; None where they do."""
    url = urlsplit(issuer)
    host = url.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return "Passkeys need a host name, and this server is reached by an IP address."
    if url.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return "Passkeys need https, and this server is reached without."
    return None


def _named(text: str) -> str:
    name = " ".join(text.split()) or "Passkey"
    if len(name) > LONGEST_NAME or not name.isprintable():
        hint = f"A name has up to {LONGEST_NAME} characters, none of them a control character."
        raise InvalidInput([Fault("/name", hint)])
    return name


def _own(tx: Transaction, viewer: Viewer, passkey_id: str) -> Passkey:
    passkey = tx.sign_in.passkey(passkey_id)
    if passkey is None or passkey.operator_id != viewer.operator.id:
        raise NotFound("There is no passkey with this ID.")
    return passkey


def _refuse_copy(passkey: Passkey, count: int) -> None:
    if (count or passkey.sign_count) and count <= passkey.sign_count:
        raise WrongPasskey("the passkey's counter did not go up: it may have been copied")


def _registering(viewer: Viewer) -> str:
    return f"register {viewer.session.id}"


def _purpose(viewer: Viewer | None) -> str:
    return _SIGN_IN if viewer is None else f"prove {viewer.session.id}"
