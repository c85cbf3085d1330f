"""What was measured, and is it what was asked for? Figures, and how they are shown: as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

COLUMNS = ("what", "figure", "bar", "control", "ratio", "met?")
_NONE = "–"


@dataclass(frozen=True)
class Bar:
    """What was asked for. `of` says of what: of the figure itself, or of its ratio to the control."""

    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None
    of: str = "figure"

    def met_by(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def in_words(self, unit: str) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        words = f"{sign} {number(bound or 0.0, '×' if self.of == 'ratio' else unit)}"
        return words if self.aim is None else f"{words}, aim {number(self.aim, unit)}"


@dataclass(frozen=True)
class Control:
    """What the figure is held against, measured in the same run.

    `paired` is the median of the ratios of each round, where both were measured in rounds: a machine whose speed
    changes from one minute to the next changes it for both.
    """

    name: str
    value: float
    paired: float | None = None


@dataclass(frozen=True)
class Figure:
    """One line of the table. `also` is said behind the figure; `detail` goes into the JSON only."""

    part: str
    what: str
    value: float
    unit: str
    bar: Bar | None = None
    control: Control | None = None
    also: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        if self.control is None or not self.control.value:
            return None
        return self.control.paired if self.control.paired is not None else self.value / self.control.value

    @property
    def met(self) -> bool | None:
        """None where nothing was asked for."""
        if self.bar is None:
            return None
        judged = self.ratio if self.bar.of == "ratio" else self.value
        return None if judged is None else self.bar.met_by(judged)

    def cells(self) -> tuple[str, ...]:
        figure = number(self.value, self.unit) + (f" ({self.also})" if self.also else "")
        return (
            self.what,
            figure,
            self.bar.in_words(self.unit) if self.bar is not None else _NONE,
            f"{self.control.name}: {number(self.control.value, self.unit)}" if self.control is not None else _NONE,
            f"{self.ratio:.2f}" if self.ratio is not None else _NONE,
            _NONE if self.met is None else "yes" if self.met else "NO",
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def number(value: float, unit: str) -> str:
    """With as many digits as can mean something, and its unit."""
    magnitude = abs(value)
    digits = 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2
    return f"{value:,.{digits}f}{unit if unit.startswith('/') else ' ' + unit}".strip()


def table(figures: Iterable[Figure]) -> str:
    """A table in Markdown, in columns for the terminal as well."""
    rows: Sequence[tuple[str, ...]] = [COLUMNS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)
