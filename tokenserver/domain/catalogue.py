"""Which APIs, scopes and roles are there to be granted?

An API is a protected resource: an audience (an absolute URI without fragment, RFC 8707 §2) with scopes. A scope reads
or writes; a *sensitive* one is never part of "all". Roles say what a token's bearer is; they belong to the whole
platform or to one API. Names are plain ASCII, so that they mean the same in tokens, headers and log lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

LONGEST_NAME = 100
LONGEST_AUDIENCE = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/*-]{0,99}\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+\Z")


class Kind(StrEnum):
    """What a scope does."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Scope:
    name: str
    access: Kind
    sensitive: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    id: str
    organization_id: str
    audience: str
    name: str
    scopes: tuple[Scope, ...] = ()
    created_at: int = 0
    version: int = 1

    def scope_names(self) -> frozenset[str]:
        return frozenset(scope.name for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    organization_id: str
    name: str
    description: str = ""
    audience: str | None = None
    created_at: int = 0
    version: int = 1


Catalogue = Mapping[str, Api]
"""The APIs of one organization, by audience."""


def is_name(text: str) -> bool:
    """Whether `text` may name a scope or a role: 1 to 100 of letters, digits and `_ . : / * -`."""
    return _NAME.match(text) is not None


def is_audience(text: str) -> bool:
    """Whether `text` is an absolute URI without fragment, of at most 255 characters."""
    if len(text) > LONGEST_AUDIENCE or "#" in text or _URI.match(text) is None:
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host or (parts.scheme not in {"http", "https"} and parts.path))
