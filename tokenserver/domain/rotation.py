"""How does a secret rotate by itself, and why can that never cut an app off? The states, and every way between them.

A rotation is prepared for an app that may not be there: it may run once a month, be switched off, lose our reply, or
crash with the new secret in its hands. So nothing that works is ever ended by time alone until the app has shown that
it *uses* the new secret. The grace period of the old one, which ends by itself on every machine (see `generation`),
begins only then.

| State | What is so | Goes on when | To |
| --- | --- | --- | --- |
| scheduled | one secret; `rotate_at` is set | it is due | waiting |
| waiting | the old secret as ever; the new one is sealed, and proves nothing | the app claims it | claimed |
| | | half of the time is over: the app's owner is reminded, once | waiting |
| | | all of it is over: it is extended, once, where the schedule says so | waiting |
| | | it is over otherwise: the new secret is withdrawn, with an alert | scheduled |
| | | somebody cancels, regenerates, rotates by hand, disables | scheduled |
| claimed | both secrets work, the old one without an end; the claim may be repeated | the new one is used | in grace |
| | | half of the time is over: reminder; all of it is over: alert; once each | claimed |
| | | somebody finishes, cancels or regenerates | scheduled |
| in grace | the sealed value is destroyed; the old secret ends by time alone | the time is over | scheduled |

From each of them, revoking, deleting and expiring end the schedule with the credential. Withdrawing what nobody has
claimed moves no generation and ends no token. What somebody has claimed is never withdrawn by us: they may have thrown
the old one away. Time only ever tells the clock's work to look; what counts is the row. A claim that comes late, but
before anybody has looked, is good; and a server that was down over every deadline has ended nothing by that.

Everything here is pure: a step is one transaction (`services.rotation`), so that a crash falls between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tokenserver.domain.credential import Credential, CredentialSecret, SecretState
from tokenserver.domain.generation import NoRotation
from tokenserver.domain.schedule import OnUnclaimed, RotationSchedule

SOONEST_LOOK, LATEST_LOOK = 2, 600
"""Seconds between two looks at whether a claimed secret is in use: an eighth of the time since the claim."""


class Step(StrEnum):
    """What is to be done with a rotation that is under way."""

    WAIT = "wait"
    REMIND = "remind"
    EXTEND = "extend"
    WITHDRAW = "withdraw"
    ALERT = "alert"
    COMPLETE = "complete"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new secret on its way to its app, which should use it by `ends_at`. `look_at`: when to look at it next."""

    client_id: str
    organization_id: str
    secret_id: str
    grace_seconds: int
    on_unclaimed: OnUnclaimed
    prepared_at: int
    ends_at: int
    look_at: int
    claimed_at: int | None = None
    reminded: bool = False
    extended: bool = False
    alerted: bool = False

    @property
    def half_at(self) -> int:
        return self.ends_at - self.grace_seconds // 2


def begun(credential: Credential, secret_id: str, schedule: RotationSchedule, now: float) -> Rotation:
    ends_at = int(now) + schedule.grace_seconds
    made = Rotation(
        client_id=credential.client_id,
        organization_id=credential.organization_id,
        secret_id=secret_id,
        grace_seconds=schedule.grace_seconds,
        on_unclaimed=schedule.on_unclaimed,
        prepared_at=int(now),
        ends_at=ends_at,
        look_at=ends_at,
    )
    return replace(made, look_at=made.half_at)


# --- what becomes of the credential ---


def rescheduled(credential: Credential, schedule: RotationSchedule | None, now: float) -> Credential:
    """Under another schedule, or none. No token and no working secret is disturbed; one that waits goes with it.

    The interval counts from when it began, however often it is changed: nobody puts a rotation off by asking.
    """
    if schedule == credential.schedule:
        return credential
    credential.refuse_final(now)
    if schedule is None:
        return credential.next(schedule=None, rotate_at=None, secrets=credential.without_waiting())
    if credential.schedule is None:
        due = None if credential.pending else int(now) + schedule.period(credential.client_id)
    elif credential.rotate_at is None:
        due = None
    else:
        begun_at = credential.rotate_at - credential.schedule.period(credential.client_id)
        due = max(int(now), begun_at + schedule.period(credential.client_id))
    return credential.next(schedule=schedule, rotate_at=due)


def is_due(credential: Credential, now: float) -> bool:
    """Whether there is something to do by its schedule."""
    return credential.rotate_at is not None and credential.rotate_at <= now and credential.disabled_at is None


def prepared(credential: Credential, secret: CredentialSecret, now: float) -> Credential:
    """With `secret` waiting beside the one that works. In a grace period, later; of an expired credential, never."""
    if credential.has_expired(now):
        return abandoned(credential)
    if credential.generation.in_grace(now):
        return credential.next(rotate_at=credential.generation.next_floor_at)
    waiting = replace(secret, state=SecretState.WAITING)
    return credential.next(secrets=(waiting, *credential.secrets), rotate_at=None)


def claimed(credential: Credential, now: float) -> Credential:
    """Both secrets work from now on; the old one has no end yet."""
    if credential.waiting is None:
        raise NoRotation
    new_state = {SecretState.WAITING: SecretState.CURRENT, SecretState.CURRENT: SecretState.RETIRING}
    moved = tuple(replace(s, state=new_state.get(s.state_at(now), SecretState.ENDED)) for s in credential.secrets)
    return credential.next(secrets=moved, generation=credential.generation.rotated(now, None))


def completed(credential: Credential, now: float, grace_seconds: int) -> Credential:
    """The new secret is in use: the grace period of the old one begins."""
    generation = credential.generation.bounded(now, grace_seconds)
    ending = tuple(
        replace(s, expires_at=generation.next_floor_at) if s.state is SecretState.RETIRING else s
        for s in credential.secrets
    )
    return credential.next(secrets=ending, generation=generation, rotate_at=credential.following(now))


def withdrawn(credential: Credential, now: float) -> Credential:
    """Without the secret that waits; nothing else changes until it is due again."""
    return credential.next(secrets=credential.without_waiting(), rotate_at=credential.following(now))


def abandoned(credential: Credential) -> Credential:
    """Of a credential that has expired: nothing waits, nothing will be due, and all of its secrets end with it."""
    ends_at = credential.restrictions.expires_at
    ending = tuple(
        replace(s, expires_at=ends_at) if s.state is SecretState.RETIRING and s.expires_at is None else s
        for s in credential.without_waiting()
    )
    return credential.next(secrets=ending, schedule=None, rotate_at=None)


# --- what becomes of the rotation ---


def next_step(rotation: Rotation, credential: Credential, *, used: bool, now: float) -> Step:
    """What is to be done now. `used`: whether the new secret has ever proved itself."""
    if credential.has_expired(now):
        return Step.ABANDON
    if rotation.claimed_at is not None and used:
        return Step.COMPLETE
    if credential.disabled_at is not None:
        return Step.WAIT
    if now >= rotation.ends_at:
        return _at_the_end(rotation)
    if now >= rotation.half_at and not rotation.reminded:
        return Step.REMIND
    return Step.WAIT


def _at_the_end(rotation: Rotation) -> Step:
    if rotation.claimed_at is not None:
        return Step.WAIT if rotation.alerted else Step.ALERT
    if rotation.on_unclaimed is OnUnclaimed.EXTEND and not rotation.extended:
        return Step.EXTEND
    return Step.WITHDRAW


def stepped(rotation: Rotation, step: Step, now: float) -> Rotation:
    """The rotation after a step that leaves it under way, with the moment of the next look."""
    if step is Step.EXTEND:
        rotation = replace(rotation, extended=True, reminded=True, ends_at=int(now) + rotation.grace_seconds)
    rotation = replace(
        rotation,
        reminded=rotation.reminded or step in {Step.REMIND, Step.ALERT},
        alerted=rotation.alerted or step is Step.ALERT,
    )
    return replace(rotation, look_at=_next_look(rotation, now))


def handed_out(rotation: Rotation, now: float) -> Rotation:
    """After a claim, the first or another: there is all of the time again to begin using the new secret."""
    ends_at = max(rotation.ends_at, int(now) + rotation.grace_seconds)
    first = rotation.claimed_at if rotation.claimed_at is not None else int(now)
    return replace(rotation, claimed_at=first, ends_at=ends_at, look_at=int(now) + SOONEST_LOOK)


def _next_look(rotation: Rotation, now: float) -> int:
    """Never now: whoever looks comes round to the others before."""
    moments = [rotation.half_at, rotation.ends_at]
    if rotation.claimed_at is not None:
        pause = min(max((now - rotation.claimed_at) // 8, SOONEST_LOOK), LATEST_LOOK)
        moments.append(int(now + pause))
    return min((moment for moment in moments if moment > now), default=int(now) + LATEST_LOOK)


def is_awaited(proven: CredentialSecret, known: tuple[CredentialSecret, ...], used: object) -> bool:
    """Whether a new secret waits for the app that has proven the old one. `used`: the IDs of secrets with a use."""
    if proven.state is SecretState.RETIRING:
        new = next((s for s in known if s.state is SecretState.CURRENT), None)
        return proven.expires_at is None and new is not None and new.id not in used  # type: ignore[operator]
    return any(secret.state is SecretState.WAITING for secret in known)
