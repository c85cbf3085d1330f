"""The first page: how things stand."""

from __future__ import annotations

from app.console.page import Page, Pages, Reply, Shown, Visit


class OverviewPages:
    def pages(self) -> Pages:
        return (
            Page(name="overview", path="", handler=self.overview),
            Page(name="overview_too", path="/", handler=self.overview),
        )

    def overview(self, _: Visit) -> Reply:
        return Shown("overview.html")
