"""The first page: how things stand. Members see what is theirs."""

from __future__ import annotations

from datetime import UTC, datetime

from app.console import words
from app.console.charts import bars
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.services.activity import Activities, Activity
from app.services.admission import Wanted
from app.services.overview import Overviews
from tokenserver.clock import DAY, HOUR

_READ = Wanted("credentials:read", own="personal:read")
_PERIODS = {"day": (24, HOUR, "%H:%M"), "month": (30, DAY, "%m-%d")}
"""How many, how long each, and how its beginning (UTC) is written."""
_FEW = 20
"""Credentials among which it is worth looking whether any is for an app: bootstrap makes those that administer."""


class OverviewPages:
    def __init__(self, overviews: Overviews, activities: Activities) -> None:
        self._overviews = overviews
        self._activities = activities

    def pages(self) -> Pages:
        return (
            Page(name="overview", path="", handler=self.overview, wants=_READ),
            Page(name="overview_too", path="/", handler=self.overview, wants=_READ),
        )

    def overview(self, visit: Visit) -> Reply:
        chosen = visit.query.get("over", "day")
        count, period, written = _PERIODS.get(chosen, _PERIODS["day"])
        seen = self._overviews.of(visit.caller)
        begins = sum(seen.standing.counts.values()) < _FEW and self._overviews.has(visit.caller).credential is None
        values: dict[str, object] = {"seen": seen, "over": chosen, "activity": None, "begins": begins}
        if not visit.caller.only_own:
            activity = self._activities.over(visit.caller, count, period)
            values |= {"activity": activity, "periods": _periods(activity, written), **_charts(activity, written)}
        return Shown("overview.html", values)


def _periods(activity: Activity, written: str) -> list[tuple[str, int, int]]:
    """Beginning, issued, refused."""
    return [
        (_label(start, written), issued, sum(activity.refused[start].values()))
        for start, issued in activity.issued.items()
    ]


def _charts(activity: Activity, written: str) -> dict[str, object]:
    rows = _periods(activity, written)
    return {
        "issued": bars(words.TOKENS_ISSUED, [(label, issued) for label, issued, _ in rows], "good"),
        "refused": bars(words.TOKENS_REFUSED, [(label, refused) for label, _, refused in rows], "bad"),
    }


def _label(moment: int, written: str) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(written)
