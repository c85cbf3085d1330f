"""How is one value of a declaration read? From a node of YAML, which knows its line and how it was written.

A word that YAML takes for something else than text (`no`, `1.10`, a date) is refused where text is meant, rather than
guessed at; aliases are refused everywhere, since a few lines of them can mean millions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from tokenserver.cli import fields
from tokenserver.domain.allowed_ips import AllowedIPs


class NoAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not read here: write it out", mark)
        return super().compose_node(parent, index)


class FaultAt(ValueError):
    """An item of a list is not right; the line is the item's."""

    def __init__(self, line: int, hint: str) -> None:
        self.line = line
        super().__init__(hint)


Read = Callable[[yaml.Node], Any]


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def is_a(node: yaml.Node, *kinds: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in {f"tag:yaml.org,2002:{kind}" for kind in kinds}


def text(node: yaml.Node) -> str:
    if not is_a(node, "str"):
        raise ValueError("must be text: put it in quotes")
    return unicodedata.normalize("NFC", str(node.value).strip())  # as the server keeps it


def or_null(read: Read) -> Read:
    return lambda node: None if is_a(node, "null") else read(node)


def boolean(node: yaml.Node) -> bool:
    if not is_a(node, "bool") or node.value.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")
    return bool(node.value.lower() == "true")


def seconds(node: yaml.Node) -> int:
    if not is_a(node, "int", "str"):
        raise ValueError("must be a number of seconds, or a duration such as 15m")
    return fields.duration(node.value)


def whole_number(node: yaml.Node) -> int:
    if not is_a(node, "int"):
        raise ValueError("must be a whole number")
    return fields.whole_number(node.value)


def moment(node: yaml.Node) -> str | None:
    if not is_a(node, "str", "timestamp") or node.value.startswith("+"):
        raise ValueError("must be a date, a moment with its offset, or never; it must be the same at every run")
    return None if node.value == "never" else fields.moment(node.value)


def list_of(read: Read) -> Read:
    def read_list(node: yaml.Node) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise ValueError("must be a list")  # noqa: TRY004  one kind for all: what was written is not right
        return [_at_its_line(read, item) for item in node.value]

    return read_list


def _at_its_line(read: Read, item: yaml.Node) -> Any:
    try:
        return read(item)
    except FaultAt:
        raise
    except ValueError as fault:
        raise FaultAt(line_of(item), str(fault)) from None


def allowed_ips(node: yaml.Node) -> list[str]:
    texts = list_of(text)(node) if isinstance(node, yaml.SequenceNode) else [text(node)]
    return list(AllowedIPs.parse(texts).normal_form())


def _shaped(short: Callable[[str], dict[str, Any]], members: Mapping[str, Read], *required: str) -> Read:
    """A text in its short form, or a mapping with these members."""

    def read(node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            return short(text(node))
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in members or name in found:
                raise ValueError(f"has members, once each, of: {', '.join(members)}")
            found[name] = members[name](value)
        missing = [name for name in required if name not in found]
        if missing:
            raise ValueError(f"lacks {', '.join(missing)}")
        return found

    return read


def _word(*choices: str) -> Read:
    read = fields.choice(*choices)
    return lambda node: read(text(node))


SCHEDULE = _shaped(
    fields.schedule,
    {"interval_days": whole_number, "grace_seconds": seconds, "on_unclaimed": _word("extend", "withdraw")},
    "interval_days",
)
GRANT = _shaped(
    fields.grant,
    {"audience": text, "access": _word("custom", "all_read", "all_read_write"), "scopes": list_of(text)},
    "audience",
)
SCOPE = _shaped(
    fields.scope,
    {"name": text, "access": _word("read", "write"), "sensitive": boolean, "description": text},
    "name",
    "access",
)
