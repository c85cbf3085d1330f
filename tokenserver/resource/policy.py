"""What does each route of an app require? One table, read from top to bottom, and what it does not name is closed.

    policy = Policy([
        ("GET",      "/healthz",      Policy.OPEN),
        ("GET",      "/reports",      Require(scopes={"reports:read"})),
        ("POST PUT", "/reports/{id}", Require(scopes={"reports:write"})),
        ("*",        "/admin/**",     Require(roles={"cloud_admin"}, environment="production")),
    ])
    app = TokenMiddleware(app, verifier, policy)

- The first rule that matches holds. A rule that could never be met because one above it takes all its paths and
  methods is refused when the table is made, unless both require the same.
- Methods are compared by the letter (RFC 9110 §9.1), and one that is not in capitals matches nothing, since frameworks
  put it into capitals. `GET` stands for HEAD as well, which they answer with it; `*` is every method. OPTIONS is a
  method like others: open what browsers ask before they call.
- Paths are those inside the app, decoded, as its router sees them: see `paths` for the patterns. What can be read in
  more ways than one names nothing (`//admin`, `/reports/../admin`, `/%61dmin`, `/admin;x`), and where only case, width
  or a slash at the end differ from another rule, as in `/Admin`, that rule must require the same, or nobody may pass.
- A request with a header that asks for another method (`X-HTTP-Method-Override` and its kin) matches nothing. Do not
  let an app behind a table take its method from the query or the body.
- A route that is `Policy.OPEN` is open to all: no token is looked at, and there is no principal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, Literal

from tokenserver.resource.paths import Pattern, plain_segments_of, segments_of
from tokenserver.resource.require import Open, Require, Required

LONGEST_REMEMBERED: Final = 256
"""Characters of a path; longer ones are looked up each time."""
_MOST_REMEMBERED: Final = 2048
_METHOD = re.compile(r"[A-Z][A-Z-]*\Z")
_EVERY: Final[frozenset[str]] = frozenset()
_USUAL: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


Row = tuple[str, str, Required]


@dataclass(frozen=True, slots=True)
class Rule:
    """`methods` is empty where every one is meant."""

    methods: frozenset[str]
    pattern: Pattern
    required: Required

    @classmethod
    def parse(cls, row: object) -> Rule:
        match row:
            case (str(methods), str(path), Require() | Open.OPEN as required):
                return cls(_methods(methods), Pattern.parse(path), required)
        raise TypeError('a rule is ("GET", "/reports", Require(...)), or Policy.OPEN for what is open to all')

    def takes(self, method: str) -> bool:
        return not self.methods or method in self.methods

    def covers(self, other: Rule) -> bool:
        methods = not self.methods or (bool(other.methods) and other.methods <= self.methods)
        return methods and self.pattern.covers(other.pattern)

    def __str__(self) -> str:
        return f"{' '.join(sorted(self.methods)) or '*'} {self.pattern.text}"


class Policy:
    """Call it with method and path for what is required there; None: nobody may pass."""

    OPEN: ClassVar[Literal[Open.OPEN]] = Open.OPEN

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rules = tuple(Rule.parse(row) for row in rows)
        if not self.rules:
            raise ValueError("a table without rules closes everything: name a route")
        _refuse_the_unreachable(self.rules)
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._required)
        self._routes_remembered = lru_cache(_MOST_REMEMBERED)(self._route)

    def __call__(self, method: str, path: str) -> Required | None:
        return self._remembered(method, path) if len(path) < LONGEST_REMEMBERED else self._required(method, path)

    def route_of(self, method: str, path: str) -> str | None:
        """`GET /reports/{id}`: by the pattern of the rule that holds, since a path may hold secrets; None: no rule."""
        return self._routes_remembered(method, path) if len(path) < LONGEST_REMEMBERED else self._route(method, path)

    def scopes(self) -> frozenset[str]:
        """Every scope that the table names."""
        return frozenset().union(*(rule.required.all_scopes() for rule in self.rules if rule.required is not Open.OPEN))

    def _route(self, method: str, path: str) -> str | None:
        if self(method, path) is None:
            return None
        read = segments_of(path)
        pattern = next(rule.pattern.text for rule in self.rules if rule.takes(method) and rule.pattern.matches(read))
        return f"{method if method in _USUAL else '*'} {pattern}"

    def _required(self, method: str, path: str) -> Required | None:
        read, plainly_read = segments_of(path), plain_segments_of(path)
        if plainly_read is None or _METHOD.match(method) is None:
            return None
        rules = [rule for rule in self.rules if rule.takes(method)]
        required = next((rule.required for rule in rules if rule.pattern.matches(read)), None)
        elsewhere = next((rule.required for rule in rules if rule.pattern.matches_plainly(plainly_read)), None)
        return required if required == elsewhere else None


def _methods(text: str) -> frozenset[str]:
    if text == "*":
        return _EVERY
    names = text.replace(",", " ").split()
    if not names or not all(map(_METHOD.match, names)):
        raise ValueError('name methods in capitals, separated by spaces, or write "*" for every method')
    return frozenset(names) | ({"HEAD"} if "GET" in names else frozenset())


def _refuse_the_unreachable(rules: tuple[Rule, ...]) -> None:
    for at, rule in enumerate(rules):
        for above in rules[:at]:
            if above.covers(rule) and above.required != rule.required:
                raise ValueError(f"the rule {rule} is never met, because {above} stands above it: put it first")
