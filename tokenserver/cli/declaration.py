"""What does a file for `apply` say? YAML, read strictly: every fault is named with its line.

    version: 1
    apis:
      - audience: https://api.example.com
        name: Example
        scopes: [reports:read=read, "keys:write=write,sensitive"]      # or {name: …, access: …, sensitive: …}
    roles:
      - {name: cloud_admin, description: Manages the cloud account.}
    credentials:
      - name: nightly export
        roles: [cloud_admin]
        grants: [https://api.example.com=reports:read]                  # or {audience: …, access: …, scopes: […]}
        allowed_ips: 192.0.2.1 - 192.0.3.254, 2001:db8::/32             # or a list; null: from anywhere
        token_lifetime: 15m
        expires_at: 2027-11-21                                          # or never
        disabled: false

Only the members that are there are managed: what a file does not mention stays as it is. Refused are unknown and
repeated members, anchors and aliases (a few lines of them can mean millions), and a word that YAML takes for something
else than text (`no`, `1.10`). A moment must be the same at every run, so that `+90d` is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tokenserver.cli import fields
from tokenserver.cli.failures import usage
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import InvalidInput

LARGEST_FILE = 4 * 1024 * 1024
_MOST_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Declared:
    """One API, role or credential: what it is known by, the members that are mentioned, and where."""

    kind: str
    key: str
    body: Mapping[str, Any]
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)

    def place_of(self, file: str) -> Callable[[str], str]:
        """JSON Pointer to where in the file that member is."""

        def named(pointer: str) -> str:
            member = pointer.removeprefix("/").partition("/")[0]
            return f"{file}:{self.lines.get(member, self.line)}: {self.kind} {self.key}{', ' * bool(pointer)}{pointer.removeprefix('/')}"

        return named


@dataclass(frozen=True, slots=True)
class Declaration:
    file: str
    apis: tuple[Declared, ...] = ()
    roles: tuple[Declared, ...] = ()
    credentials: tuple[Declared, ...] = ()


def read_declaration(path: Path, text: str | None = None) -> Declaration:
    """The file as values; raises Failure with every fault and its line."""
    file = str(path)
    try:
        content = path.read_text(encoding="utf-8") if text is None else text
    except OSError as fault:
        raise usage(f"{file} cannot be read: {fault.strerror}.") from None
    except UnicodeDecodeError:
        raise usage(f"{file} is not text in UTF-8.") from None
    if len(content) > LARGEST_FILE:
        raise usage(f"{file} is too long.")
    try:
        root = yaml.compose(content, Loader=_NoAliases)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark is not None else 1
        raise usage(f"{file}:{line}: {fault.problem or 'this is no YAML'}.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise usage(f"{file} is not YAML that can be read.") from None
    reading = _Reading()
    declaration = reading.document(file, root)
    if reading.faults:
        told = [f"{file}:{line}: {hint}" for line, hint in sorted(reading.faults)[:_MOST_FAULTS]]
        raise usage(
            *told, *([f"… and {len(reading.faults) - _MOST_FAULTS} more."] * (len(reading.faults) > _MOST_FAULTS))
        )
    return declaration


class _NoAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not read here: write it out", mark)
        return super().compose_node(parent, index)


class _Fault(Exception):
    """A value is not right; the text says what to write."""


Read = Callable[[yaml.Node], Any]


class _Reading:
    """Reads nodes, and gathers all faults rather than stop at the first."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, str]] = []

    def document(self, file: str, root: yaml.Node | None) -> Declaration:
        if root is None:
            self.faults.append((1, "the file is empty: it begins with version: 1"))
            return Declaration(file)
        members = dict(self._members(root, "the file", {*_KINDS, "version"}))
        version = members.pop("version", None)
        if version is None or not isinstance(version[1], yaml.ScalarNode) or version[1].value != "1":
            self.faults.append((version[0] if version else 1, "version: 1 is missing"))
        return Declaration(file, **{name: self._things(name, members.get(name)) for name in _KINDS})

    def _things(self, section: str, found: tuple[int, yaml.Node] | None) -> tuple[Declared, ...]:
        if found is None:
            return ()
        kind, key, readers = _KINDS[section]
        if not isinstance(found[1], yaml.SequenceNode):
            self.faults.append((found[0], f"{section} must be a list"))
            return ()
        things: dict[str, Declared] = {}
        for node in found[1].value:
            thing = self._thing(kind, key, readers, node)
            if thing is not None and thing.key in things:
                self.faults.append((thing.line, f"there are two {section} with this {key}"))
            elif thing is not None:
                things[thing.key] = thing
        return tuple(things.values())

    def _thing(self, kind: str, key: str, readers: Mapping[str, Read], node: yaml.Node) -> Declared | None:
        body: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name, (line, value) in self._members(node, f"one of the {kind}s", set(readers)):
            lines[name] = line
            try:
                body[name] = readers[name](value)
            except (_Fault, ValueError) as fault:
                self.faults.append((_line(value), f"{name} {str(fault).removesuffix('.')}"))
            except InvalidInput as fault:
                self.faults += [(_line(value), f"{name}: {one.hint}") for one in fault.faults]
        if key not in lines:
            self.faults.append((_line(node), f"{key} is missing"))
        if not isinstance(body.get(key), str):
            return None
        return Declared(kind, body[key], body, _line(node), lines)

    def _members(self, node: yaml.Node, what: str, known: set[str]) -> Iterator[tuple[str, tuple[int, yaml.Node]]]:
        if not isinstance(node, yaml.MappingNode):
            self.faults.append((_line(node), f"{what} must have members such as {min(known)}: …"))
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self.faults.append((_line(key), f"a member is not known; known are {', '.join(sorted(known))}"))
            elif name in seen:
                self.faults.append((_line(key), f"{name} is there twice"))
            else:
                seen.add(name)
                yield name, (_line(key), value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is(node: yaml.Node, *kinds: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in {f"tag:yaml.org,2002:{kind}" for kind in kinds}


def _text(node: yaml.Node) -> str:
    if not _is(node, "str"):
        raise _Fault("must be text: put it in quotes")
    return unicodedata.normalize("NFC", str(node.value).strip())  # as the server keeps it


def _or_null(read: Read) -> Read:
    return lambda node: None if _is(node, "null") else read(node)


def _boolean(node: yaml.Node) -> bool:
    if not _is(node, "bool") or node.value.lower() not in {"true", "false"}:
        raise _Fault("must be true or false")
    return bool(node.value.lower() == "true")


def _seconds(node: yaml.Node) -> int:
    if not _is(node, "int", "str"):
        raise _Fault("must be a number of seconds, or a duration such as 15m")
    return fields.duration(node.value)


def _moment(node: yaml.Node) -> str | None:
    if not _is(node, "str", "timestamp") or node.value.startswith("+"):
        raise _Fault("must be a date, a moment with its offset, or never; it must be the same at every run")
    return None if node.value == "never" else fields.moment(node.value)


def _list(read: Read) -> Read:
    def read_list(node: yaml.Node) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise _Fault("must be a list")
        return [read(item) for item in node.value]

    return read_list


def _addresses(node: yaml.Node) -> list[str]:
    texts = _list(_text)(node) if isinstance(node, yaml.SequenceNode) else [_text(node)]
    return list(AllowedIPs.parse(texts).normal_form())


def _shaped(short: Callable[[str], dict[str, Any]], members: Mapping[str, Read], *required: str) -> Read:
    """A text in its short form, or a mapping with these members."""

    def read(node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            return short(_text(node))
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in members or name in found:
                raise _Fault(f"has members, once each, of: {', '.join(members)}")
            found[name] = members[name](value)
        missing = [name for name in required if name not in found]
        if missing:
            raise _Fault(f"lacks {', '.join(missing)}")
        return found

    return read


def _word(*choices: str) -> Read:
    read = fields.choice(*choices)
    return lambda node: read(_text(node))


_GRANT = _shaped(
    fields.grant,
    {"audience": _text, "access": _word("custom", "all_read", "all_read_write"), "scopes": _list(_text)},
    "audience",
)
_SCOPE = _shaped(
    fields.scope,
    {"name": _text, "access": _word("read", "write"), "sensitive": _boolean, "description": _text},
    "name",
    "access",
)

_KINDS: dict[str, tuple[str, str, Mapping[str, Read]]] = {
    "apis": ("api", "audience", {"audience": _text, "name": _text, "scopes": _list(_SCOPE)}),
    "roles": ("role", "name", {"name": _text, "description": _text, "audience": _or_null(_text)}),
    "credentials": (
        "credential",
        "name",
        {
            "name": _text,
            "description": _text,
            "roles": _list(_text),
            "grants": _list(_GRANT),
            "allowed_ips": _or_null(_addresses),
            "token_lifetime": _seconds,
            "expires_at": _moment,
            "project": _text,
            "environment": _text,
            "disabled": _boolean,
        },
    ),
}
"""Section to kind, the member it is known by, and how each member is read."""
