"""How is a member of a body typed on a command line? Each kind of value is read here, or refused with what to write.

What the server checks is left to the server, which names every fault by its pointer; `flag_of` says which option that
was. Here is only what a command line needs: lists, durations, dates, and the short forms of grants and scopes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tokenserver.cli.failures import usage
from tokenserver.cli.piped import piped_in
from tokenserver.clock import DAY, HOUR, MINUTE, rfc3339, utc_now

_LARGEST_BODY = 16 * 1024 * 1024
_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SCHEDULE = re.compile(
    r"(?:([1-9][0-9]{0,4})d|([1-9][0-9]{0,4})w)(?:,([0-9]{1,9}[smhdw]?)(?:,(extend|withdraw))?)?", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a body as an option.

    `empty`: flags that stand for a value, what each sends, and its help. `is_switch`: the option takes no value, and
    has an opposite, `--no-…`. `steps`: the word of `--add-…` and of `--remove-…`, where one can be put into the list
    that is there or taken out of it; `key` tells its items apart.
    """

    member: str
    help: str
    flag: str = ""
    metavar: str = "TEXT"
    read: Callable[[str], Any] = str
    many: bool = False
    empty: tuple[tuple[str, Any, str], ...] = ()
    is_switch: bool = False
    steps: str = ""
    key: str = ""
    required: bool = False
    when: frozenset[str] = frozenset({"create", "update"})

    @property
    def option(self) -> str:
        return self.flag or "--" + self.member.replace("_", "-")

    def options(self, *, creating: bool) -> list[click.Parameter]:
        """For click: the option, and the flags that stand for a value."""
        said = f"{self.help}{' May be repeated.' if self.many else ''}{' Required.' if self._needed(creating) else ''}"
        if self.is_switch:
            both = f"{self.option}/--no-{self.option.removeprefix('--')}"
            return [click.Option([both, self.member], default=None, help=said)]
        kind = Reading(self.metavar, self.read)
        made: list[click.Parameter] = [
            click.Option([self.option, self.member], type=kind, metavar=self.metavar, multiple=self.many, help=said)
        ]
        return [*made, *(click.Option([flag, _word_of(flag)], is_flag=True, help=told) for flag, _, told in self.empty)]

    def _needed(self, creating: bool) -> bool:  # noqa: FBT001  asked by `options` only
        return self.required and creating


class Reading(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """An option whose text is read by a function that raises ValueError with what to write."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


JSON_OPTION = click.Option(
    ["--json", "json_file"],
    metavar="FILE",
    help="Take the body from a JSON file, or from standard input (-); other options replace its members.",
)


def body_of(fields: Iterable[Field], given: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """The body that the options in `given` describe; takes them out of it."""
    body = _document(given.pop("json_file", None))
    for field in fields:
        value = given.pop(field.member, None)
        emptied = [(flag, sent) for flag, sent, _ in field.empty if given.pop(_word_of(flag), False)]
        typed = value is not None and value != ()
        said = [*([field.option] if typed else []), *(flag for flag, _ in emptied)]
        if len(said) > 1:
            raise usage(f"{' and '.join(said)} do not go together.")
        if emptied:
            body[field.member] = emptied[0][1]
        elif typed:
            body[field.member] = list(value) if field.many else value
        elif creating and field.required and field.member not in body:
            raise usage(f"{field.option} is missing.")
    return body


def flag_of(fields: Iterable[Field]) -> Callable[[str], str]:
    """JSON Pointer to the option by which that member was typed."""
    known = {field.member: field for field in fields}

    def named(pointer: str) -> str:
        member, _, rest = pointer.removeprefix("/").partition("/")
        if member not in known:
            return pointer or "/"
        position = rest.partition("/")[0]
        which = f" (number {int(position) + 1})" if known[member].many and position.isdecimal() else ""
        return known[member].option + which

    return named


def duration(text: str) -> int:
    """`900`, `15m`, `24h`, `7d`, `2w` in seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("write a number of seconds, or a number with s, m, h, d or w: 900, 15m, 24h, 7d.")
    return int(found[1]) * _SECONDS[found[2]]


def moment(text: str) -> str | None:
    """A date (its first second, UTC), RFC 3339, or `+90d` from now."""
    if text.startswith("+"):
        try:
            return rfc3339(utc_now() + duration(text[1:]))
        except (ValueError, OverflowError):
            raise ValueError("write how long from now as +90d or +12h.") from None
    whole = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    try:
        read = datetime.fromisoformat(whole)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError("write a date (2027-11-21), a date and time with its offset, or +90d.")
    return read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def addresses(text: str) -> str:
    """Addresses as they are written, or `@FILE` with a list of them."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError("the file after @ cannot be read as text.") from None


def grant(text: str) -> dict[str, Any]:
    """`AUDIENCE=all_read`, `AUDIENCE=all_read_write`, or `AUDIENCE=scope,scope`."""
    audience, equals, wanted = text.rpartition("=")
    if not equals or not audience or not wanted:
        raise ValueError("write AUDIENCE=scope,scope or AUDIENCE=all_read or AUDIENCE=all_read_write.")
    if wanted in {"all_read", "all_read_write"}:
        return {"audience": audience, "access": wanted}
    return {"audience": audience, "access": "custom", "scopes": _items(wanted)}


def scope(text: str) -> dict[str, Any]:
    """`NAME=read`, `NAME=write`, either with `,sensitive`."""
    name, equals, kinds = text.rpartition("=")
    access, _, sensitive = kinds.partition(",")
    if not equals or not name or access not in {"read", "write"} or sensitive not in {"", "sensitive"}:
        raise ValueError("write NAME=read or NAME=write, and NAME=write,sensitive for one that `all` leaves out.")
    return {"name": name, "access": access, "sensitive": bool(sensitive)}


def schedule(text: str) -> dict[str, Any]:
    """`90d`, `90d,14d`, `90d,14d,withdraw`: how often, how long both secrets may work, and what if nobody claims."""
    found = _SCHEDULE.fullmatch(text)
    if found is None:
        raise ValueError("write whole days and, if you like, a grace period: 90d, 90d,14d or 90d,14d,withdraw.")
    days, weeks, grace, unclaimed = found.groups()
    wanted: dict[str, Any] = {"interval_days": int(days) if days else 7 * int(weeks)}
    if grace:
        wanted["grace_seconds"] = duration(grace)
    if unclaimed:
        wanted["on_unclaimed"] = unclaimed
    return wanted


def yes_or_no(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError("write yes or no.")
    return text == "yes"


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError("write a whole number.")
    return int(text)


def choice(*choices: str) -> Callable[[str], str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"write one of {', '.join(choices)}.")
        return text

    return read


def _items(text: str) -> list[str]:
    return [item for item in (part.strip() for part in text.split(",")) if item]


def _word_of(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _document(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = piped_in(_LARGEST_BODY) if file == "-" else Path(file).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as fault:
        raise usage(f"{file} cannot be read: {fault.strerror}.") from None
    except (ValueError, RecursionError):
        raise usage("What --json names is not one JSON value in UTF-8 that can be read.") from None
    if not isinstance(document, Mapping):
        raise usage("What --json names must be a JSON object.")
    return dict(document)
