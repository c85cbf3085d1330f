"""What does a file for `apply` say? YAML, read strictly: every fault is named with its line.

    version: 1
    apis:
      - audience: https://api.example.com
        name: Example
        scopes: [reports:read=read, "keys:write=write,sensitive"]      # or {name: …, access: …, sensitive: …}
        shared: true                                                    # with every organization; likewise of roles
    roles:
      - {name: cloud_admin, description: Manages the cloud account.}
    credentials:
      - name: nightly export
        roles: [cloud_admin]
        grants: [https://api.example.com=reports:read]                  # or {audience: …, access: …, scopes: […]}
        allowed_ips: 192.0.2.1 - 192.0.3.254, 2001:db8::/32             # or a list; null: from anywhere
        token_lifetime: 15m
        expires_at: 2027-11-21                                          # or never
        rotation_schedule: 90d,14d                                      # or {interval_days: …}; null: by hand only
        disabled: false

Only the members that are there are managed: what a file does not mention stays as it is. Unknown and
repeated members are refused. A moment must be the same at every run, so that `+90d` is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tokenserver.cli import nodes
from tokenserver.cli.failures import usage
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
            return f"{file}:{self.lines.get(member, self.line)}: {self.kind} {self.key}, {member}"

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
        root = yaml.compose(content, Loader=nodes.NoAliases)
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

    def _thing(self, kind: str, key: str, readers: Mapping[str, nodes.Read], node: yaml.Node) -> Declared | None:
        body: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name, (line, value) in self._members(node, f"one of the {kind}s", set(readers)):
            lines[name] = line
            try:
                body[name] = readers[name](value)
            except ValueError as fault:
                at = fault.line if isinstance(fault, nodes.FaultAt) else nodes.line_of(value)
                self.faults.append((at, f"{name} {str(fault).removesuffix('.')}"))
            except InvalidInput as fault:
                self.faults += [(nodes.line_of(value), f"{name}: {one.hint}") for one in fault.faults]
        if key not in lines:
            self.faults.append((nodes.line_of(node), f"{key} is missing"))
        if not isinstance(body.get(key), str):
            return None
        return Declared(kind, body[key], body, nodes.line_of(node), lines)

    def _members(self, node: yaml.Node, what: str, known: set[str]) -> Iterator[tuple[str, tuple[int, yaml.Node]]]:
        if not isinstance(node, yaml.MappingNode):
            self.faults.append((nodes.line_of(node), f"{what} must have members such as {min(known)}: …"))
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self.faults.append((nodes.line_of(key), f"a member is not known; known are {', '.join(sorted(known))}"))
            elif name in seen:
                self.faults.append((nodes.line_of(key), f"{name} is there twice"))
            else:
                seen.add(name)
                yield name, (nodes.line_of(key), value)


_KINDS: dict[str, tuple[str, str, Mapping[str, nodes.Read]]] = {
    "apis": (
        "api",
        "audience",
        {
            "audience": nodes.text,
            "name": nodes.text,
            "scopes": nodes.list_of(nodes.SCOPE),
            "shared": nodes.boolean,
        },
    ),
    "roles": (
        "role",
        "name",
        {
            "name": nodes.text,
            "description": nodes.text,
            "audience": nodes.or_null(nodes.text),
            "shared": nodes.boolean,
        },
    ),
    "credentials": (
        "credential",
        "name",
        {
            "name": nodes.text,
            "description": nodes.text,
            "roles": nodes.list_of(nodes.text),
            "grants": nodes.list_of(nodes.GRANT),
            "allowed_ips": nodes.or_null(nodes.allowed_ips),
            "token_lifetime": nodes.seconds,
            "expires_at": nodes.moment,
            "project": nodes.or_null(nodes.text),
            "environment": nodes.or_null(nodes.text),
            "rotation_schedule": nodes.or_null(nodes.SCHEDULE),
            "disabled": nodes.boolean,
        },
    ),
}
"""Section to kind, the member it is known by, and how each member is read."""
