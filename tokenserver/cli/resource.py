"""What can be said of a thing that is managed? A row of the table in `resources`, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from tokenserver.cli.fields import Field
from tokenserver.cli.screen import Column


@dataclass(frozen=True, slots=True)
class Action:
    """A POST under one thing. `consequence` is what a person confirms; `secret` the member that is shown once."""

    name: str
    path: str
    help: str
    fields: tuple[Field, ...] = ()
    consequence: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection of the admin API.

    `known_by`: a member that may be typed instead of the ID. `title`: what a person types to confirm. `secret`: the
    member that is shown once, when one is made. `cascades`: commands by which credentials may lose something. `lacks`:
    commands that there are not.
    """

    name: str
    path: str
    one: str
    help: str
    columns: tuple[Column, ...]
    fields: tuple[Field, ...]
    filters: tuple[Field, ...] = ()
    actions: tuple[Action, ...] = ()
    id: str = "id"
    title: str = "name"
    known_by: str = ""
    secret: str = ""
    cascades: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    deletion: str = "It is gone from every list."

    @property
    def many(self) -> str:
        many = self.help.partition(":")[0]
        return many if many.startswith("API") else many.lower()

    @property
    def metavar(self) -> str:
        return f"{self.id.upper()}|{self.known_by.upper()}" if self.known_by else self.id.upper()
