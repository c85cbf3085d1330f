"""What must a caller be and be allowed to do? A requirement of one route, or of a whole app.

A caller meets a `Require` when its token carries *all* that is named: the roles and the scopes, compared whole and
case-sensitively, and the organization, project and environment. Requiring nothing is a decision and must be said:
`Require(any_caller=True)` admits every caller with a valid token.

`any_of` and `all_of` compose: `any_of(Require(roles={"cloud_admin"}), Require(scopes={"reports:read"}))`. Inside, a
requirement is what is named by itself and a number of choices, of each of which one must be met; `all_of` joins both.

Ways to require different things of different routes:

- a `policy.Policy`, the table of a whole app, as the third argument of a middleware;
- an adapter's `require(...)` at the route itself, with or without a table in front;
- a function `(method, path) -> Require | None` in place of the table; None, or no answer that is a `Require`, means
  that nobody may pass (403). `path` is the decoded path inside the app, as its router sees it, and is not normalised:
  write the function so that what it does not know gives None;
- `Require(...).check(principal)` in a handler, for what only the handler knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Literal, TypedDict

from tokenserver.domain.names import is_name
from tokenserver.errors import InsufficientScope
from tokenserver.resource.principal import Principal


class OnStale(StrEnum):
    """What to do with a good token when the feed is older than `max_staleness`."""

    REFUSE = "refuse"
    """503 with `Retry-After`: what may have ended cannot be known (the default)."""
    INTROSPECT = "introspect"
    """Ask the issuer about this one token, with the verifier's `credential`; 503 where it does not answer."""
    ACCEPT = "accept"
    """Go on with what is known, endings that have been heard of included. Who chooses this chooses it in writing."""

    @classmethod
    def read(cls, text: str) -> OnStale:
        try:
            return cls(text)
        except ValueError:
            raise ValueError(f"on_stale must be one of {', '.join(cls)}") from None


Needs = tuple[tuple[str, ...], tuple[str, ...]]
"""Roles and scopes, each in order."""


class Lacking(InsufficientScope):
    """Something required is missing. `scopes` are those required, for the `scope` of the challenge (RFC 6750 §3)."""

    def __init__(self, scopes: frozenset[str] = frozenset(), *, detail: str = "") -> None:
        self.scopes = scopes
        super().__init__(detail=detail)


class Elsewhere(Lacking):
    public = "The access token is of another organization, project or environment than is required."


@dataclass(frozen=True, slots=True, init=False)
class Require:
    """All of what is named; `on_stale` overrides the verifier's policy where this is required."""

    roles: frozenset[str]
    scopes: frozenset[str]
    organization: str | None
    project: str | None
    environment: str | None
    on_stale: OnStale | None
    choices: tuple[tuple[Require, ...], ...]
    """One requirement of each must be met: what `any_of` has made."""
    _named: tuple[tuple[str, ...], tuple[str, ...]] = field(repr=False, compare=False)

    def __init__(
        self,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        *,
        organization: str | None = None,
        project: str | None = None,
        environment: str | None = None,
        any_caller: bool = False,
        on_stale: str | None = None,
        choices: Iterable[tuple[Require, ...]] = (),
    ) -> None:
        named_roles, named_scopes = _names("roles", roles), _names("scopes", scopes)
        chosen = tuple(choices)
        places: dict[str, object] = {"organization": organization, "project": project, "environment": environment}
        for what, place in places.items():
            if place is not None and (not isinstance(place, str) or not place):
                raise ValueError(f"{what} must be one, as tokens name it; for several, write any_of(...)")
        named = bool(named_roles or named_scopes or chosen or any(places.values()))
        if any_caller and named:
            raise ValueError("any_caller=True goes with neither roles nor scopes nor a place: it admits every token")
        if not (any_caller or named):
            raise ValueError("name roles or scopes, or say any_caller=True to admit every valid token")
        object.__setattr__(self, "roles", named_roles)
        object.__setattr__(self, "scopes", named_scopes)
        for what, place in places.items():
            object.__setattr__(self, what, place)
        object.__setattr__(self, "on_stale", None if on_stale is None else OnStale.read(on_stale))
        object.__setattr__(self, "choices", chosen)
        object.__setattr__(self, "_named", (tuple(sorted(named_roles)), tuple(sorted(named_scopes))))

    def met_by(self, principal: Principal) -> bool:
        """Whether `principal` has all of it."""
        try:
            self.check(principal)
        except InsufficientScope:
            return False
        return True

    def check(self, principal: Principal) -> None:
        """Raise InsufficientScope unless `principal` meets this: for use inside a handler."""
        if not self.roles <= principal.roles:
            raise Lacking(self._scopes_to_ask_for, detail=f"lacks the role {_listed(self.roles - principal.roles)}")
        if not self.scopes <= principal.scopes:
            raise Lacking(self._scopes_to_ask_for, detail=f"lacks the scope {_listed(self.scopes - principal.scopes)}")
        if self.organization is not None and self.organization != principal.organization:
            raise Elsewhere(detail="of another organization")
        if self.project is not None and self.project != principal.project:
            raise Elsewhere(detail="of another project, or of none")
        if self.environment is not None and self.environment != principal.environment:
            raise Elsewhere(detail="of another environment, or of none")
        for choice in self.choices:
            if not any(one.met_by(principal) for one in choice):
                raise Lacking(self._scopes_to_ask_for, detail="meets none of the alternatives")

    def relied_on(self, principal: Principal) -> Needs:
        """The roles and scopes by which `principal`, who has been let in, met this: of each choice, the first."""
        if not self.choices:
            return self._named
        relied_on = (
            self._named,
            *(one.relied_on(principal) for choice in self.choices for one in _met(choice, principal)),
        )
        return _together(relied_on)

    def all_scopes(self) -> frozenset[str]:
        """Every scope that is named anywhere in it."""
        return self.scopes.union(*(one.all_scopes() for choice in self.choices for one in choice))

    @property
    def _scopes_to_ask_for(self) -> frozenset[str]:
        """With the first alternative of each choice, since a challenge cannot say "or"."""
        return self.scopes.union(*(choice[0]._scopes_to_ask_for for choice in self.choices))  # noqa: SLF001  our own


class Open(Enum):
    """No token is needed: see `policy`."""

    OPEN = "open to all"


Required = Require | Literal[Open.OPEN]

RequireOf = Callable[[str, str], Required | None]
"""Method and path inside the app to what is required there."""


class Terms(TypedDict, total=False):
    """What a `Require` can be made of: the arguments of every adapter's `require(...)`."""

    roles: Iterable[str]
    scopes: Iterable[str]
    organization: str
    project: str
    environment: str
    any_caller: bool
    on_stale: str


def requirement(given: Require | None, terms: Terms) -> Require:
    """`require(Require(...))` and `require(scopes={...})` mean the same."""
    if given is None:
        return Require(**terms)
    if terms or not isinstance(given, Require):
        raise TypeError("give one Require, or what it is made of: roles, scopes, organization, project, environment")
    return given


def any_of(*requirements: Require, on_stale: str | None = None) -> Require:
    """One of them must be met."""
    _refuse_what_does_not_compose("any_of", requirements)
    if Require(any_caller=True) in requirements:
        raise ValueError("any_of with any_caller=True admits every valid token: require that alone")
    return Require(choices=[requirements], on_stale=on_stale)


def all_of(*requirements: Require, on_stale: str | None = None) -> Require:
    """All of them must be met."""
    _refuse_what_does_not_compose("all_of", requirements)
    return Require(
        roles=frozenset().union(*(one.roles for one in requirements)),
        scopes=frozenset().union(*(one.scopes for one in requirements)),
        organization=_one("organization", [one.organization for one in requirements]),
        project=_one("project", [one.project for one in requirements]),
        environment=_one("environment", [one.environment for one in requirements]),
        any_caller=all(one == Require(any_caller=True) for one in requirements),
        on_stale=on_stale,
        choices=[choice for one in requirements for choice in one.choices],
    )


def _refuse_what_does_not_compose(how: str, requirements: tuple[Require, ...]) -> None:
    if len(requirements) < 2 or not all(isinstance(one, Require) for one in requirements):
        raise TypeError(f"{how} takes two requirements or more, each a Require")
    if any(one.on_stale is not None for one in requirements):
        raise ValueError(f"on_stale is decided before what is required: write {how}(..., on_stale=...)")


def _one(what: str, named: list[str | None]) -> str | None:
    found = {one for one in named if one is not None}
    if len(found) > 1:
        raise ValueError(f"no token is of more than one {what}, so nobody could meet all of this")
    return found.pop() if found else None


def _met(choice: tuple[Require, ...], principal: Principal) -> Iterator[Require]:
    """The first that is met."""
    for one in choice:
        if one.met_by(principal):
            yield one
            return


@lru_cache(maxsize=1024)
def _together(needs: tuple[Needs, ...]) -> Needs:
    roles, scopes = (sorted(frozenset().union(*named)) for named in zip(*needs, strict=True))
    return tuple(roles), tuple(scopes)


def _names(what: str, given: Iterable[str]) -> frozenset[str]:
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{what} must be a set or list of names: write {what}={{{given!r}}}")
    names = frozenset(given)
    if not all(map(is_name, names)):
        raise ValueError(f"each of {what} must be one name, as it is in the catalogue: letters, digits and _ . : / * -")
    return names


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
