"""What came out of a run? Said as a table with who used the cores, and written as JSON with all there is to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scripts.bench_parts.figures import Figure, table
from scripts.bench_parts.plan import Plan


@dataclass
class Report:
    """What came out: figures, what could not run here and what has failed, each by the name of its part."""

    figures: list[Figure] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def in_words(self) -> str:
        limits = [
            f"- {figure.what}: " + "; ".join(filter(None, map(figure.detail.get, ("limits", "database"))))
            for figure in self.figures
            if "limits" in figure.detail
        ]
        unsaid = [f"skipped {name}: {why}" for name, why in self.skipped.items()]
        failed = [f"FAILED {name}: {why}" for name, why in self.failed.items()]
        used = ["Who used the cores meanwhile:", *dict.fromkeys(limits)] if limits else []
        return "\n".join([table(self.figures), "", *used, *unsaid, *failed])

    def as_json(self, facts: dict[str, Any], plan: Plan) -> dict[str, Any]:
        asked = {name: getattr(plan, name) for name in ("seconds", "rounds", "credentials", "smoke", "full")}
        return {
            "machine": facts,
            "plan": asked,
            "figures": [figure.as_json() for figure in self.figures],
            "skipped": self.skipped,
            "failed": self.failed,
            "seconds": self.seconds,
        }
