"""The text format 0.0.4 of Prometheus, read strictly: what bends a rule is refused, as a scraper might."""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_LABEL = rf'({_NAME})="((?:[^"\\\n]|\\[\\"n])*)"'
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\]|\\[\\n])+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)")
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read_exposition(text: str) -> dict[str, dict[str, float]]:
    """By name, and by the labels as they are meant (`name=value` in the order of names, commas between).

    HELP and TYPE stand once and above all samples of a name, which follow each other; no series is there twice, a
    counter is called `_total`, and nothing else is.
    """
    assert text.endswith("\n")
    found: dict[str, dict[str, float]] = {}
    lines = text[:-1].split("\n")
    while lines:
        helped, typed = _HELP.fullmatch(lines.pop(0)), _TYPE.fullmatch(lines.pop(0))
        assert helped is not None
        assert typed is not None
        name = helped[1]
        assert name == typed[1]
        assert name not in found
        assert (typed[2] == "counter") is name.endswith("_total")
        series = found[name] = {}
        while lines and not lines[0].startswith("#"):
            line = lines.pop(0)
            sample = _SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] == name
            labels = _labels(sample[2] or "")
            assert labels not in series, line
            series[labels] = float(sample[sample.re.groups])
        assert series, name
    return found


def _labels(text: str) -> str:
    pairs = re.findall(_LABEL, text)
    assert len({name for name, _ in pairs}) == len(pairs)
    return ",".join(sorted(f"{name}={_meant(value)}" for name, value in pairs))


def _meant(value: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPED[found[0]], value)
