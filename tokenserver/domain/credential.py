"""What is a credential, and how does it change? A frozen value; each transition returns the next one.

A credential is a client ID, one or two live secrets, its restrictions and its generation. At most one secret is
*current*; in a grace period another is *retiring*. Every transition that could leave a token alive under terms that no
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
from tokenserver.errors import Conflict

EXPIRES_SOON = 30 * DAY
LONGEST_GRACE = 30 * DAY


class Status(StrEnum):
    ACTIVE = "active"
    EXPIRES_SOON = "expires_soon"
    EXPIRED = "expired"
    DISABLED = "disabled"
    REVOKED = "revoked"


class SecretState(StrEnum):
    CURRENT = "current"
    RETIRING = "retiring"
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
    """A name as it is compared: without regard to case, width and the spelling of characters (Unicode's NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


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

    def ended(self) -> CredentialSecret:
        return replace(self, state=SecretState.ENDED)


@dataclass(frozen=True, slots=True)
class Credential:
    """`version` counts every change and is what compare-and-swap and ETags go by.

    `owner_id` is the operator whose personal credential it is; None for one of the organization.
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

    def regenerated(self, secret: CredentialSecret, now: float) -> Credential:
        """`secret` from now on, and everything that was out has ended. A disabled credential stays disabled."""
        self._refuse_final(now)
        ended = tuple(old.ended() for old in self.secrets)
        return self._next(secrets=(secret, *ended), generation=self.generation.regenerated())

    def leaked(self, now: float) -> Credential:
        """Somebody else knows a secret of it: every secret and every token has ended, and there is none until it is
        regenerated. A disabled credential stays disabled.
        """
        self._refuse_final(now)
        ended = tuple(old.ended() for old in self.secrets)
        return self._next(secrets=ended, generation=self.generation.regenerated())

    def rotated(self, secret: CredentialSecret, now: float, grace_seconds: int) -> Credential:
        """`secret` beside the present one, which retires when the grace period ends."""
        self._refuse_final(now)
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
        return self._next(secrets=(secret, *retired), generation=generation)

    def rotation_finished(self, now: float) -> Credential:
        """The retiring secret and its tokens end now rather than later."""
        self._refuse_final(now)
        generation = self.generation.finished(now)
        kept = tuple(
            replace(old.ended(), expires_at=int(now)) if old.state is SecretState.RETIRING else old
            for old in self.secrets
        )
        return self._next(secrets=kept, generation=generation)

    def rotation_cancelled(self, now: float) -> Credential:
        """The new secret is withdrawn with its tokens; the old one is current again."""
        self._refuse_final(now)
        generation = self.generation.cancelled(now)
        if self.secret_in(SecretState.RETIRING, now) is None:
            raise NoRotation
        kept = tuple(
            replace(old, state=SecretState.CURRENT, expires_at=None)
            if old.state is SecretState.RETIRING
            else old.ended()
            for old in self.secrets
        )
        return self._next(secrets=kept, generation=generation)

    def disabled(self, now: float) -> Credential:
        """Reversible; tokens of before do not come back. Disabling twice changes nothing."""
        self._refuse_final(now)
        if self.disabled_at is not None:
            return self
        return self._bumped(now, disabled_at=int(now))

    def enabled(self, now: float) -> Credential:
        self._refuse_final(now)
        if self.disabled_at is None:
            return self
        return self._next(disabled_at=None)

    def revoked(self, now: float, reason: str) -> Credential:
        """Final, and readable for ever. Revoking twice changes nothing.

        The secrets stay known, so that whoever proves one is told why it is refused; the status refuses them.
        """
        if self.revoked_at is not None:
            return self
        return self._bumped(now, revoked_at=int(now), revoked_reason=reason)

    def deleted(self, now: float) -> Credential:
        """Gone from lists; the tombstone keeps the floor and the audit lines, and the client ID is never reused.

        Deleting twice changes nothing.
        """
        if self.deleted_at is not None:
            return self
        ended = tuple(secret.ended() for secret in self.secrets)
        return self._next(deleted_at=int(now), secrets=ended, generation=self.generation.regenerated())

    def renamed(self, name: str, description: str) -> Credential:
        if (name, description) == (self.name, self.description):
            return self
        return self._next(name=name, description=description)

    def restricted(self, new: Restrictions, catalogue: Catalogue, now: float) -> Credential:
        """Under new terms; a narrowing bumps."""
        if new == self.restrictions:
            return self
        self._refuse_final(now)
        if narrows(self.restrictions, new, catalogue):
            return self._bumped(now, restrictions=new)
        return self._next(restrictions=new)

    def placed(self, project: str | None, environment: str | None, now: float) -> Credential:
        """In another project or environment: tokens that name the one it leaves end."""
        if (project, environment) == (self.project, self.environment):
            return self
        self._refuse_final(now)
        leaves = {(self.project, project), (self.environment, environment)}
        if any(old is not None and old != new for old, new in leaves):
            return self._bumped(now, project=project, environment=environment)
        return self._next(project=project, environment=environment)

    def narrowed(self, new: Restrictions, now: float) -> Credential:
        """Under new terms that are known to take something away, as when a role or scope leaves the catalogue."""
        return self._bumped(now, restrictions=new)

    def _refuse_final(self, now: float) -> None:
        if self.status(now) is Status.REVOKED or self.has_expired(now):
            raise HasEnded

    def _bumped(self, now: float, **changes: object) -> Credential:
        """The next value, every token that is out ended. A grace period that is over is written down as over."""
        settled = tuple(old.ended() if old.state_at(now) is SecretState.ENDED else old for old in self.secrets)
        return self._next(secrets=settled, generation=self.generation.bumped(now), **changes)

    def _next(self, **changes: object) -> Credential:
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]  # replace cannot be typed
