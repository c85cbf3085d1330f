"""From an empty installation to a refused call, in five steps, with this server's own values filled in."""

from __future__ import annotations

from app.console.page import Page, Pages, Reply, Shown, Visit
from app.console.snippets import first_steps
from app.services.admission import Wanted
from app.services.overview import Overviews
from app.settings import Settings

_READ = Wanted("credentials:read", own="personal:read")


class FirstStepsPages:
    def __init__(self, overviews: Overviews, settings: Settings) -> None:
        self._overviews = overviews
        self._issuer = settings.issuer

    def pages(self) -> Pages:
        return (Page(name="first_steps", path="/start", handler=self.steps, wants=_READ),)

    def steps(self, visit: Visit) -> Reply:
        done = self._overviews.has(visit.caller)
        steps = first_steps(done.credential, None if done.api is None else done.api.audience, self._issuer)
        return Shown("first_steps.html", {"done": done, "steps": steps})
