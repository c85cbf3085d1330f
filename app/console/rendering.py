"""How does a template become a page? Jinja with escaping always on, and a value that is missing is an error.

Files of `static/` are read once and sent compressed.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.console import words
from app.console.labels import labels_in
from app.console.moments import ago, day, lasting, when
from app.console.telling import in_words, otherwise, told

_HERE = Path(__file__).parent
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
        self._templates.filters.update(when=when, day=day, ago=ago, lasting=lasting)
        self._templates.filters.update(in_words=in_words, otherwise=otherwise, told=told, labels_in=labels_in)
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
