"""How does a template become a page? Jinja with escaping always on, and a value that is missing is an error.

Times are given in UTC; a script writes them in the viewer's zone. Files of `static/` are read once and sent compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.console import words
from tokenserver.clock import DAY, HOUR, MINUTE, rfc3339

_HERE = Path(__file__).parent
_MOMENT_OR_ACTOR = re.compile(r"(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|\b(?:operator|credential):\w+)", re.ASCII)
_UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@cache
def rendering(base: str) -> Rendering:
    """Made once in a process: a template is compiled when it is first shown, and takes longer than its page."""
    return Rendering(base)


class Rendering:
    """`base` is the path under which this server is known, without a slash at its end."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(when=when, day=day, ago=ago, lasting=lasting, told=told)
        self._templates.globals.update(words=words, url=self.url, static=self.static)

    def page(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(values)

    def url(self, path: str) -> str:
        """Of a page: `/credentials`."""
        return f"{self._base}/console{path}"

    def static(self, name: str) -> str:
        """Named after its content too, so that a new release is never shown with old files."""
        return self.url(f"/static/{name}?{asset(name).digest[:12]}")


@dataclass(frozen=True)
class Asset:
    content: bytes
    compressed: bytes
    digest: str
    kind: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of `static/`, by name."""
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found[path.name] = Asset(content, gzip.compress(content, 9, mtime=0), digest, KINDS[path.suffix])
    return found


def asset(name: str) -> Asset:
    return assets()[name]


def when(moment: float | None, never: str = "never") -> Markup:
    """A moment, to be written in the viewer's zone by the script; UTC without it."""
    if moment is None:
        return Markup('<span class="quiet">{}</span>').format(never)
    text = str(rfc3339(moment))
    shown = f"{text[:10]} {text[11:16]} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(text, f"{text[:10]} {text[11:19]} UTC", shown)


def day(moment: float | None, never: str = "never") -> Markup:
    """The day of a moment, where there is little room; the rest is in its title."""
    if moment is None:
        return when(None, never)
    text = str(rfc3339(moment))
    shown = f"{text[:10]} {text[11:19]} UTC"
    return Markup('<time datetime="{}" title="{}" data-day>{}</time>').format(text, shown, text[:10])


def ago(moment: float | None, now: float) -> str:
    """`3 hours ago`, `in 2 days`: the nearest, in the largest unit of which there is more than one."""
    if moment is None:
        return "never"
    seconds = abs(now - moment)
    unit, name = next((one for one in _UNITS if seconds >= 1.5 * one[0]), (1, "second"))
    count = round(seconds / unit)
    distance = f"{count} {name}{'s' if count != 1 else ''}"
    return f"in {distance}" if moment > now else f"{distance} ago"


def told(text: str, names: Mapping[str, str]) -> Markup:
    """A sentence of the API's, for people: its moments in their zone, its actors by name, where they have one."""
    parts = []
    for part in _MOMENT_OR_ACTOR.split(text):
        if part in names:
            parts.append(Markup("<bdi>{}</bdi>").format(names[part]))
        elif part[:1].isdigit() and _MOMENT_OR_ACTOR.fullmatch(part):
            parts.append(when(datetime.fromisoformat(part).timestamp()))
        else:
            parts.append(escape(part))
    return Markup("").join(parts)


def lasting(seconds: float) -> str:
    """`90 days`, `15 minutes`: in the largest unit of which there are two, or exactly one."""
    for unit, name in _UNITS:
        count = int(seconds // unit)
        if count >= 2 or (count == 1 and seconds % unit == 0):
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{int(seconds)} second{'s' if int(seconds) != 1 else ''}"
