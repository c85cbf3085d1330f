"""How is one put into a list that is there, or taken out of it? `--add-…` and `--remove-…` beside the option for all.

The server knows whole lists only, so that the list is read first, and changed at the version that was read. What is to
be taken out must be there: a name that is misspelt would else be kept in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from tokenserver.cli.failures import usage
from tokenserver.cli.fields import Field, Reading


@dataclass(frozen=True, slots=True)
class Steps:
    """What was typed for one list."""

    field: Field
    added: tuple[Any, ...]
    removed: tuple[str, ...]


def options_of(fields: Iterable[Field]) -> list[click.Parameter]:
    """Two options for each list that can be changed one by one."""
    made: list[click.Parameter] = []
    for field in fields:
        if field.steps:
            kind, named = Reading(field.metavar, field.read), field.key.upper() or field.metavar
            instead = f", or another in place of the one with the same {field.key}" if field.key else ""
            add = f"One more for {field.option}{instead}. May be repeated."
            remove = f"One less for {field.option}; it must be there. May be repeated."
            made.append(click.Option([_adding(field)], type=kind, metavar=field.metavar, multiple=True, help=add))
            made.append(click.Option([_removing(field)], metavar=named, multiple=True, help=remove))
    return made


def steps_of(fields: Iterable[Field], given: dict[str, Any], body: Mapping[str, Any]) -> list[Steps]:
    """What was typed; takes it out of `given`. Raises Failure where a list is to be replaced (`body`) as well."""
    typed = []
    for field in fields:
        if not field.steps:
            continue
        added, removed = given.pop(f"add_{field.steps}", ()), given.pop(f"remove_{field.steps}", ())
        if not added and not removed:
            continue
        flag = _adding(field) if added else _removing(field)
        if field.member in body:
            raise usage(f"{flag} does not go together with what replaces the whole list, such as {field.option}.")
        if {_name(field, item) for item in added} & set(removed):
            raise usage(f"{_adding(field)} and {_removing(field)} name the same.")
        typed.append(Steps(field, added, removed))
    return typed


def lists_after(typed: Iterable[Steps], document: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The members of a body for what `document` shows and the steps make of it."""
    return {steps.field.member: _after(steps, document.get(steps.field.member)) for steps in typed}


def _after(steps: Steps, before: Any) -> list[Any]:
    field = steps.field
    if not isinstance(before, list):
        raise usage(
            "There is no list yet, since nothing is left out:"
            f" name with {field.option} all that there shall be, rather than one more or one less."
        )
    left = {_name(field, item): item for item in before}
    for place, name in enumerate(steps.removed, start=1):
        if name not in left:
            raise usage(
                f"{_removing(field)} (number {place}): it is not there. There are: {', '.join(left) or 'none'}."
            )
        del left[name]
    return list({**left, **{_name(field, item): item for item in steps.added}}.values())


def _name(field: Field, item: Any) -> str:
    return str(item[field.key] if field.key else item)


def _adding(field: Field) -> str:
    return f"--add-{field.steps}"


def _removing(field: Field) -> str:
    return f"--remove-{field.steps}"
