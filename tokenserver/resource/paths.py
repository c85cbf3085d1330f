r"""Which route does a path name, however it is spelled? Reading of paths and of their patterns for `policy`.

A pattern has literal segments (`/reports`), `{name}` for any one segment that is not empty, and `**` as the last for
whatever follows, nothing included. Patterns and paths are compared by the letter.

Beside it, each path has a *plain reading*: folded in case and width, without a slash at the end, and without spaces and
dots around a segment's end, as a careless router or file system may take it. Whatever part of that somebody leaves out,
the rest leads to the same reading, so that comparing these two is comparing all there are.

What could be read in more ways than that *names nothing*: empty segments, `.` and `..`, `\`, `;`, `?` and `#`, anything
that is still encoded after the server has decoded it, control characters, broken encodings, and no slash at the
beginning (an absolute-form target, `*`). Neither does a path of over 1,024 characters beyond ASCII: folding takes time
that grows with the square of a heap of accents, and this is read before any token.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

Segments = tuple[str, ...]

_REST = "**"
_ONE = "{}"
_FOREIGN = re.compile(r"[{}*<>]")
"""Of other ways to write a parameter: `<id>` never comes in a path, and a rule that is never met is a mistake."""
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
LONGEST_FOLDED = 1024
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd\\;?#]|%[0-9A-Fa-f]{2}|//|/\.\.?(?:/|\Z)")
_PLAIN = re.compile(r"(?:/[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)+\Z")
"""What is its own plain reading, as most paths are."""


def segments_of(path: str) -> Segments:
    """By the letter. An empty path is that of the root."""
    return tuple((path or "/").split("/")[1:])


def plain_segments_of(path: str) -> Segments | None:
    """The plain reading of a path; None if it names nothing."""
    if _PLAIN.match(path):
        return segments_of(path)
    text = path or "/"
    if len(text) > LONGEST_FOLDED and not text.isascii():
        return None
    folded = _folded(text)
    if not text.startswith("/") or _AMBIGUOUS.search(text) or _AMBIGUOUS.search(folded):
        return None
    segments = folded.removesuffix("/").split("/")[1:]
    plain = tuple(segment.strip().rstrip(". ") for segment in segments)
    return plain if all(plain) else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Read once; raises ValueError with what to write instead."""

    text: str
    segments: Segments
    plain: Segments

    @classmethod
    def parse(cls, text: str) -> Pattern:
        if not text.startswith("/"):
            raise ValueError(f"a path begins with a slash: {text!r}")
        segments = [_ONE if _PARAMETER.match(one) else one for one in segments_of(text)]
        for at, segment in enumerate(segments):
            last = at == len(segments) - 1
            if segment == _ONE or (segment == _REST and last):
                continue
            if _FOREIGN.search(segment):
                raise ValueError(f"{text!r}: {{name}} stands for one whole segment, and ** for the rest, at the end")
            if not (segment or last) or _strange(segment):
                raise ValueError(f"{text!r}: write each segment decoded, in its only form: no //, dots, ; ? # or %")
        return cls(text, tuple(segments), tuple(_folded(one) for one in segments if one))

    def covers(self, other: Pattern) -> bool:
        """Whether every path of `other`, plainly read, is one of this."""
        return _covers(self.plain, other.plain)

    def matches(self, segments: Segments) -> bool:
        """By the letter."""
        return _matches(self.segments, segments)

    def matches_plainly(self, segments: Segments) -> bool:
        return _matches(self.plain, segments)


def _folded(text: str) -> str:
    """In case and width; the second time because folding the case may bring about what is not normal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _strange(segment: str) -> bool:
    return bool(segment) and plain_segments_of(f"/{segment}") != (_folded(segment),)


def _matches(pattern: Segments, segments: Segments) -> bool:
    if pattern and pattern[-1] == _REST:
        pattern = pattern[:-1]
        segments = segments[: len(pattern)]
    return len(pattern) == len(segments) and all(
        wanted == found or (wanted == _ONE and found != "") for wanted, found in zip(pattern, segments, strict=True)
    )


def _covers(wide: Segments, narrow: Segments) -> bool:
    if wide and wide[-1] == _REST:
        wide = wide[:-1]
        narrow = narrow[: len(wide)]
    return len(wide) == len(narrow) and all(
        wanted == found or (wanted == _ONE and found != _REST) for wanted, found in zip(wide, narrow, strict=True)
    )
