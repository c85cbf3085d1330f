"""What would other terms have refused, of what a credential has done?

A kind of calls is refused for each reason that holds: no grant at the API any more, an address that is not allowed, a
role or a scope that the route required and that is no longer held. Only what the new terms refuse *and the present ones
do not* counts, so that a change that takes nothing away refuses nothing.

Not everything is told. Where addresses become fewer, a call whose address is not known may be refused or not; and so
may, where roles or scopes go, one of which it is not known what its route required. Those are counted as unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from tokenserver.domain.catalogue import Catalogue
from tokenserver.domain.restrictions import Restrictions, narrows
from tokenserver.domain.usage import Total

_TERMS = ("allowed_ips", "roles", "grants", "token_lifetime", "expires_at")


class Reason(StrEnum):
    API = "api"
    ADDRESS = "address"
    ROLE = "role"
    SCOPE = "scope"


@dataclass(frozen=True, slots=True)
class Why:
    """One reason: `what` is the address, the role or the scope; empty for the API as a whole."""

    reason: Reason
    audience: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Numbers of calls. One call may have several reasons, so that these may sum up to more than `refused`."""

    calls: int
    refused: int
    unknown: int
    by_reason: tuple[tuple[Why, int], ...]
    """Most first."""


def would_have_refused(
    old: Restrictions, new: Restrictions, catalogue: Catalogue, calls: Iterable[tuple[str, Total]]
) -> Refusals:
    """Of `calls`, by audience, all of which were let in."""
    refused = unknown = count = 0
    by_reason: Counter[Why] = Counter()
    for audience, call in calls:
        count += call.count
        why = _reasons(new, catalogue, audience, call) - _reasons(old, catalogue, audience, call)
        if why:
            refused += call.count
            by_reason.update(dict.fromkeys(why, call.count))
        elif _cannot_be_said(old, new, catalogue, call):
            unknown += call.count
    ordered = sorted(by_reason.items(), key=lambda one: (-one[1], one[0].reason, one[0].audience, one[0].what))
    return Refusals(count, refused, unknown, tuple(ordered))


def narrowed(old: Restrictions, new: Restrictions, catalogue: Catalogue) -> tuple[str, ...]:
    """The names of the terms that take something away, each by itself."""
    return tuple(name for name in _TERMS if narrows(_alone(old, name), _alone(new, name), catalogue))


def _alone(terms: Restrictions, name: str) -> Restrictions:
    """One of the terms, among others that are the same for all."""
    return replace(Restrictions(), **{name: getattr(terms, name)})


def _reasons(terms: Restrictions, catalogue: Catalogue, audience: str, call: Total) -> set[Why]:
    found: set[Why] = set()
    if call.address and terms.allowed_ips is not None and not terms.allowed_ips.admits(call.address):
        found.add(Why(Reason.ADDRESS, audience, call.address))
    granted = terms.scopes_at(catalogue).get(audience)
    if granted is None:
        found.add(Why(Reason.API, audience))
    if call.needs is not None:
        found |= {Why(Reason.ROLE, audience, name) for name in call.needs.roles - terms.roles}
        if granted is not None:
            found |= {Why(Reason.SCOPE, audience, name) for name in call.needs.scopes - granted}
    return found


def _cannot_be_said(old: Restrictions, new: Restrictions, catalogue: Catalogue, call: Total) -> bool:
    less = narrowed(old, new, catalogue)
    return (not call.address and "allowed_ips" in less) or (
        call.needs is None and ("roles" in less or "grants" in less)
    )
