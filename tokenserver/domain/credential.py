"""What is a credential, and how does it change? A frozen value; each transition returns the next one.

A credential is a client ID, one or two live secrets, its restrictions and its generation. At most one secret is
*current*; in a grace period another is *retiring*; a rotation on schedule prepares one that is *waiting* to be claimed,
and proves nothing until then (see `rotation`). Every transition that could leave a token alive under terms that no
longer hold bumps the generation (see `generation`). Revoked, deleted and expired are final; a credential that is
disabled when its expiry comes is expired too, whatever its status shows first.

*Status* is computed here and nowhere else: revoked > disabled > expired > expires_soon (within 30 days) > active.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

from tokenserver.clock import DAY
from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.generation import Generation, NoRotation
from tokenserver.domain.restrictions import Restrictions, narrows
from tokenserver.domain.schedule import RotationSchedule
from tokenserver.errors import Conflict

EXPIRES_SOON = 30 * DAY


class Status(StrEnum):
    ACTIVE = "active"
    EXPIRES_SOON = "expires_soon"
    EXPIRED = "expired"
    DISABLED = "disabled"
    REVOKED = "revoked"


class SecretState(StrEnum):
    CURRENT = "current"
    RETIRING = "retiring"
    WAITING = "waiting"
    ENDED = "ended"


class HasEnded(Conflict):
    code = "credential_ended"
    public = "The credential has been revoked or has expired; that is final. Create a new one."


class HasNoSecret(Conflict):
    code = "credential_without_secret"
    public = "The credential has no working secret, since it leaked: regenerate it."


class IsDisabled(Conflict):
    code = "credential_disabled"
    public = "The credential is disabled: enable it first."


def name_key(name: str) -> str:
    """A name as it is compared: without regard to case, width and the spelling of characters (Unicode's NFKC), and
    without what nobody sees (format characters, such as the joiners of emoji, and variation selectors).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return " ".join(seen.split())


@dataclass(frozen=True, slots=True)
class CredentialSecret:
    """One secret as it is remembered: never the secret itself. `expires_at` is the end of its grace period.

    `fingerprint` is None for one that is older than fingerprints.
    """

    id: str
    digest: bytes
    pepper_id: str
    hint: str
    created_at: int
    state: SecretState = SecretState.CURRENT
    expires_at: int | None = None
    fingerprint: bytes | None = None

    def __repr__(self) -> str:
        return f"CredentialSecret(id={self.id!r}, state={self.state.value!r})"

    def state_at(self, now: float) -> SecretState:
        """Retiring secrets end by themselves."""
        if self.state is SecretState.RETIRING and self.expires_at is not None and now >= self.expires_at:
            return SecretState.ENDED
        return self.state

    def works_at(self, now: float) -> bool:
        """Whether it proves anything."""
        return self.state_at(now) in _WORKING

    def ended(self) -> CredentialSecret:
        return replace(self, state=SecretState.ENDED)


_WORKING = {SecretState.CURRENT, SecretState.RETIRING}


@dataclass(frozen=True, slots=True)
class Credential:
    """`version` counts every change and is what compare-and-swap and ETags go by.

    `owner_id` is the operator whose personal credential it is; None for one of the organization. `rotate_at` is when it
    is due by its schedule; None without one, and while a new secret is waiting or claimed.
    """

    client_id: str
    organization_id: str
    name: str
    restrictions: Restrictions
    generation: Generation
    secrets: tuple[CredentialSecret, ...]
    created_at: int
    created_by: str
    description: str = ""
    project: str | None = None
    environment: str | None = None
    disabled_at: int | None = None
    revoked_at: int | None = None
    revoked_reason: str = ""
    deleted_at: int | None = None
    version: int = 1
    owner_id: str | None = None
    schedule: RotationSchedule | None = None
    rotate_at: int | None = None

    def status(self, now: float) -> Status:
        if self.revoked_at is not None or self.deleted_at is not None:
            return Status.REVOKED
        if self.disabled_at is not None:
            return Status.DISABLED
        expires_at = self.restrictions.expires_at
        if expires_at is not None and now >= expires_at:
            return Status.EXPIRED
        if expires_at is not None and now >= expires_at - EXPIRES_SOON:
            return Status.EXPIRES_SOON
        return Status.ACTIVE

    def has_expired(self, now: float) -> bool:
        """Whatever else its status shows."""
        return self.restrictions.expires_at is not None and now >= self.restrictions.expires_at

    def secret_in(self, state: SecretState, now: float) -> CredentialSecret | None:
        return next((secret for secret in self.secrets if secret.state_at(now) is state), None)

    def generation_minted_by(self, secret: CredentialSecret, now: float) -> int:
        """The retiring secret mints the floor, the current one the current number."""
        if secret.state_at(now) is SecretState.RETIRING:
            return self.generation.floor_at(now)
        return self.generation.current

    def minter_of(self, number: int) -> CredentialSecret | None:
        """The secret whose tokens carry this generation; None where that is not certain, as of one that has ended.

        No number is minted by two secrets, and the row keeps that of the retiring one for as long as it is written
        down, which may be longer than it works: what it did until its end is told after it.
        """
        if number == self.generation.current:
            state = SecretState.CURRENT
        elif self.generation.floor <= number < self.generation.next_floor:
            state = SecretState.RETIRING
        else:
            return None
        return next((secret for secret in self.secrets if secret.state is state), None)

    @property
    def waiting(self) -> CredentialSecret | None:
        """A new secret that its app has not claimed yet."""
        return next((secret for secret in self.secrets if secret.state is SecretState.WAITING), None)

    @property
    def pending(self) -> CredentialSecret | None:
        """A new secret that its app has not used yet, as far as we know: waiting, or claimed.

        It is claimed where the old one retires without an end.
        """
        if self.revoked_at is not None or self.deleted_at is not None:
            return None
        claimed = any(old.state is SecretState.RETIRING and old.expires_at is None for old in self.secrets)
        found = SecretState.CURRENT if claimed else SecretState.WAITING
        return next((secret for secret in self.secrets if secret.state is found), None)

    def following(self, now: float) -> int | None:
        """When it is due next, counted from now."""
        return None if self.schedule is None else int(now) + self.schedule.period(self.client_id)

    def regenerated(self, secret: CredentialSecret, now: float) -> Credential:
        """`secret` from now on, and everything that was out has ended. A disabled credential stays disabled."""
        self.refuse_final(now)
        ended, generation = tuple(old.ended() for old in self.secrets), self.generation.regenerated()
        return self.next(secrets=(secret, *ended), generation=generation, rotate_at=self.following(now))

    def leaked(self, now: float) -> Credential:
        """Somebody else knows a secret of it: every secret and every token has ended, and there is none until it is
        regenerated. A disabled credential stays disabled.
        """
        self.refuse_final(now)
        ended = tuple(old.ended() for old in self.secrets)
        return self.next(secrets=ended, generation=self.generation.regenerated(), rotate_at=None)

    def rotated(self, secret: CredentialSecret, now: float, grace_seconds: int) -> Credential:
        """`secret` beside the present one, which retires when the grace period ends. One that waits is superseded."""
        self.refuse_final(now)
        if self.disabled_at is not None:
            raise IsDisabled
        if all(old.state is not SecretState.CURRENT for old in self.secrets):
            raise HasNoSecret
        generation = self.generation.rotated(now, grace_seconds)
        retired = tuple(
            replace(old, state=SecretState.RETIRING, expires_at=generation.next_floor_at)
            if old.state is SecretState.CURRENT
            else old.ended()
            for old in self.secrets
        )
        return self.next(secrets=(secret, *retired), generation=generation, rotate_at=self.following(now))

    def rotation_finished(self, now: float) -> Credential:
        """The retiring secret and its tokens end now rather than later."""
        self.refuse_final(now)
        generation = self.generation.finished(now)
        kept = tuple(
            replace(old.ended(), expires_at=int(now)) if old.state is SecretState.RETIRING else old
            for old in self.secrets
        )
        return self.next(secrets=kept, generation=generation, rotate_at=self.rotate_at or self.following(now))

    def rotation_cancelled(self, now: float) -> Credential:
        """The new secret is withdrawn with its tokens; the old one is current again. One that nobody has claimed has
        no tokens, and nothing ends with it.
        """
        self.refuse_final(now)
        if self.waiting is not None:
            return self.next(secrets=self.without_waiting(), rotate_at=self.following(now))
        generation = self.generation.cancelled(now)
        if self.secret_in(SecretState.RETIRING, now) is None:
            raise NoRotation
        kept = tuple(
            replace(old, state=SecretState.CURRENT, expires_at=None)
            if old.state is SecretState.RETIRING
            else old.ended()
            for old in self.secrets
        )
        return self.next(secrets=kept, generation=generation, rotate_at=self.following(now))

    def disabled(self, now: float) -> Credential:
        """Reversible; tokens of before do not come back. Disabling twice changes nothing.

        A secret that waits is withdrawn: another is prepared once the credential is enabled.
        """
        self.refuse_final(now)
        if self.disabled_at is not None:
            return self
        due = self.rotate_at if self.waiting is None else int(now)
        return self._bumped(now, disabled_at=int(now), secrets=self.without_waiting(), rotate_at=due)

    def enabled(self, now: float) -> Credential:
        self.refuse_final(now)
        if self.disabled_at is None:
            return self
        return self.next(disabled_at=None)

    def revoked(self, now: float, reason: str) -> Credential:
        """Final, and readable for ever. Revoking twice changes nothing.

        The secrets stay known, so that whoever proves one is told why it is refused; the status refuses them.
        """
        if self.revoked_at is not None:
            return self
        kept = self.without_waiting()
        ending: dict[str, object] = {"revoked_at": int(now), "revoked_reason": reason}
        return self._bumped(now, secrets=kept, schedule=None, rotate_at=None, **ending)

    def deleted(self, now: float) -> Credential:
        """Gone from lists; the tombstone keeps the floor and the audit lines, and the client ID is never reused.

        Deleting twice changes nothing.
        """
        if self.deleted_at is not None:
            return self
        ended = tuple(secret.ended() for secret in self.secrets)
        generation = self.generation.regenerated()
        return self.next(deleted_at=int(now), secrets=ended, generation=generation, schedule=None, rotate_at=None)

    def renamed(self, name: str, description: str) -> Credential:
        if (name, description) == (self.name, self.description):
            return self
        return self.next(name=name, description=description)

    def restricted(self, new: Restrictions, catalogue: Catalogue, now: float) -> Credential:
        """Under new terms; a narrowing bumps."""
        if new == self.restrictions:
            return self
        self.refuse_final(now)
        if narrows(self.restrictions, new, catalogue):
            return self._bumped(now, restrictions=new)
        return self.next(restrictions=new)

    def placed(self, project: str | None, environment: str | None, now: float) -> Credential:
        """In another project or environment: tokens that name the one it leaves end."""
        if (project, environment) == (self.project, self.environment):
            return self
        self.refuse_final(now)
        leaves = {(self.project, project), (self.environment, environment)}
        if any(old is not None and old != new for old, new in leaves):
            return self._bumped(now, project=project, environment=environment)
        return self.next(project=project, environment=environment)

    def narrowed(self, new: Restrictions, now: float) -> Credential:
        """Under new terms that are known to take something away, as when a role or scope leaves the catalogue."""
        return self._bumped(now, restrictions=new)

    def without_waiting(self) -> tuple[CredentialSecret, ...]:
        """The secrets, with one that waits ended."""
        return tuple(s.ended() if s.state is SecretState.WAITING else s for s in self.secrets)

    def refuse_final(self, now: float) -> None:
        if self.status(now) is Status.REVOKED or self.has_expired(now):
            raise HasEnded

    def _bumped(self, now: float, **changes: object) -> Credential:
        """The next value, every token that is out ended. A grace period that is over is written down as over."""
        changed = replace(self, **changes)  # type: ignore[arg-type]  # replace cannot be typed
        settled = tuple(old.ended() if old.state_at(now) is SecretState.ENDED else old for old in changed.secrets)
        return changed.next(secrets=settled, generation=self.generation.bumped(now))

    def next(self, **changes: object) -> Credential:
        """With these changes, and counted as one."""
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]  # replace cannot be typed
