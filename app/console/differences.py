"""In what do two states of a credential differ? In words, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.console import words
from app.console.terms import days_told
from tokenserver.clock import rfc3339
from tokenserver.domain.catalogue import Api
from tokenserver.domain.credential import Credential
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.domain.schedule import RotationSchedule

_MOST_RANGES = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """What a member is called, and what it says in two states of the credential."""

    label: str
    before: str
    after: str


def differences(before: Credential, after: Credential, apis: Sequence[Api]) -> list[Difference]:
    old, new = _told(before, apis), _told(after, apis)
    return [Difference(label, old[label], new[label]) for label in new if old[label] != new[label]]


def members_told(credential: Credential, names: Sequence[str], apis: Sequence[Api]) -> Mapping[str, str]:
    """Label to what it says, of these members of a body."""
    wanted = [words.CHANGED[name] for name in names if name != "grants"]
    told = _told(credential, apis)
    return {label: said for label, said in told.items() if label in wanted or ("grants" in names and _is_access(label))}


def _told(credential: Credential, apis: Sequence[Api]) -> dict[str, str]:
    terms, grants = credential.restrictions, {grant.audience: grant for grant in credential.restrictions.grants}
    return {
        words.CHANGED["name"]: credential.name,
        words.CHANGED["description"]: credential.description or words.NONE,
        words.CHANGED["roles"]: ", ".join(sorted(terms.roles)) or words.NONE,
        **{words.SCOPES_AT.format(api.audience): _access_told(grants.get(api.audience)) for api in apis},
        words.CHANGED["allowed_ips"]: _ranges_told(credential),
        words.CHANGED["token_lifetime"]: f"{terms.token_lifetime:,}",
        words.CHANGED["expires_at"]: _moment_told(terms.expires_at),
        words.CHANGED["project"]: credential.project or words.NONE,
        words.CHANGED["environment"]: credential.environment or words.NONE,
        words.CHANGED["rotation_schedule"]: _schedule_told(credential.schedule),
    }


def _is_access(label: str) -> bool:
    return label.startswith(words.SCOPES_AT.format(""))


def _access_told(grant: Grant | None) -> str:
    if grant is None:
        return words.NONE
    if grant.access is not Access.CUSTOM:
        return words.ACCESS[grant.access.value]
    return ", ".join(sorted(grant.scopes)) or words.NONE


def _ranges_told(credential: Credential) -> str:
    allowed = credential.restrictions.allowed_ips
    if allowed is None:
        return words.ANYWHERE
    ranges = allowed.normal_form()
    more = len(ranges) - _MOST_RANGES
    shown = ", ".join(ranges[:_MOST_RANGES])
    return shown if more <= 0 else words.AND_MORE_RANGES.format(shown, more, allowed.digest()[:8])


def _moment_told(moment: int | None) -> str:
    text = rfc3339(moment)
    return words.NEVER if text is None else f"{text[:10]} {text[11:19]} UTC"


def _schedule_told(schedule: RotationSchedule | None) -> str:
    if schedule is None:
        return words.NONE
    then = words.ON_UNCLAIMED[schedule.on_unclaimed.value]
    return words.SCHEDULE.format(schedule.interval_days, days_told(schedule.grace_seconds), then)
