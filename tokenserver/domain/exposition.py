"""How are numbers written so that Prometheus reads them? The text format 0.0.4, without a library.

A name that ends with `_total` is that of a counter, which only grows; all others are gauges. What has no sample is left
out whole: no number is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "tokenserver_"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is without the prefix; `samples` are labels and a number, no two of the same labels."""

    name: str
    meaning: str
    samples: Iterable[tuple[Mapping[str, str], float]]


def exposition(metrics: Iterable[Metric]) -> str:
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    name, samples = f"{_PREFIX}{metric.name}", list(metric.samples)
    if not samples:
        return
    yield f"# HELP {name} {_escaped(metric.meaning)}"
    yield f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
    for labels, value in samples:
        yield f"{name}{_braced(labels)} {value}"


def _braced(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_quotable(value)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}"


def _quotable(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
