"""What must a caller be and be allowed to do? A requirement of one route, or of a whole app.

A caller meets a `Require` when its token carries *all* the roles and *all* the scopes that are named, compared whole
and case-sensitively. Requiring nothing is a decision and must be said: `Require(any_caller=True)` admits every caller
with a valid token.

Three ways to require different things of different routes:

- one middleware with a function `(method, path) -> Require | None` as its third argument; None, or no answer that is a
  `Require`, means that nobody may pass (403). `path` is the decoded path inside the app, as its router sees it, and is
  not normalised: write the function so that what it does not know gives None;
- a middleware with `Require(any_caller=True)` in front, and `Require(...).check(principal)` in the handler;
- a middleware of its own around each sub-app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from tokenserver.domain.catalogue import is_name
from tokenserver.errors import InsufficientScope
from tokenserver.resource.principal import Principal


class OnStale(StrEnum):
    """What to do with a good token when the feed is older than `max_staleness`."""

    REFUSE = "refuse"
    """503 with `Retry-After`: what may have ended cannot be known (the default)."""
    INTROSPECT = "introspect"
    """Ask the issuer about this one token."""
    ACCEPT = "accept"
    """Go on with what is known, endings that have been heard of included. Who chooses this chooses it in writing."""

    @classmethod
    def read(cls, text: str) -> OnStale:
        try:
            return cls(text)
        except ValueError:
            raise ValueError(f"on_stale must be one of {', '.join(cls)}") from None


class Lacking(InsufficientScope):
    """A role or a scope is missing. `scopes` are those required, for the `scope` of the challenge (RFC 6750 §3)."""

    def __init__(self, scopes: frozenset[str] = frozenset(), *, detail: str = "") -> None:
        self.scopes = scopes
        super().__init__(detail=detail)


@dataclass(frozen=True, slots=True, init=False)
class Require:
    """All of `roles` and all of `scopes`; `on_stale` overrides the verifier's policy where this is required."""

    roles: frozenset[str]
    scopes: frozenset[str]
    on_stale: OnStale | None

    def __init__(
        self,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        *,
        any_caller: bool = False,
        on_stale: str | None = None,
    ) -> None:
        named_roles, named_scopes = _names("roles", roles), _names("scopes", scopes)
        if any_caller and (named_roles or named_scopes):
            raise ValueError("any_caller=True goes with neither roles nor scopes: it admits every valid token")
        if not (any_caller or named_roles or named_scopes):
            raise ValueError("name roles or scopes, or say any_caller=True to admit every valid token")
        object.__setattr__(self, "roles", named_roles)
        object.__setattr__(self, "scopes", named_scopes)
        object.__setattr__(self, "on_stale", None if on_stale is None else OnStale.read(on_stale))

    def met_by(self, principal: Principal) -> bool:
        """Whether `principal` has every role and every scope."""
        return self.roles <= principal.roles and self.scopes <= principal.scopes

    def check(self, principal: Principal) -> None:
        """Raise InsufficientScope unless `principal` meets this: for use inside a handler."""
        if not self.roles <= principal.roles:
            raise Lacking(self.scopes, detail="role")
        if not self.scopes <= principal.scopes:
            raise Lacking(self.scopes, detail="scope")


RequireOf = Callable[[str, str], Require | None]
"""Method and path inside the app to what is required there."""


def _names(what: str, given: Iterable[str]) -> frozenset[str]:
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{what} must be a set or list of names: write {what}={{{given!r}}}")
    names = frozenset(given)
    if not all(map(is_name, names)):
        raise ValueError(f"each of {what} must be one name, as it is in the catalogue: letters, digits and _ . : / * -")
    return names
