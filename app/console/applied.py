"""Who has applied a change that ended something? The instances of resource servers that report, until all have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.console import words
from app.console.changing import MOST_ROUNDS, PATH, applied_query, rounds_of
from app.console.credentials import READ
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.services.usage import Proof, Usage
from tokenserver.domain.catalogue import Api
from tokenserver.errors import NotFound

_MOST_APIS = 50
_ABOUT_INSTANCES = "apis:read"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the resource servers of one API are with a change."""

    api: Api
    proof: Proof

    @property
    def count(self) -> int:
        return sum(one.applied_at(self.proof.seq) is not None for one in self.proof.instances)

    @property
    def is_by_all(self) -> bool:
        return self.count == len(self.proof.instances)

    @property
    def slowest(self) -> float | None:
        """Seconds from the change to the last of them; None where that is not known."""
        times = [one.applied_at(self.proof.seq) for one in self.proof.instances]
        known = [time for time in times if time is not None]
        return max(0.0, max(known) - self.proof.told_at) if known and self.proof.told_at is not None else None


class AppliedPages:
    def __init__(self, credentials: Credentials, catalogue: CatalogueService, usage: Usage) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._usage = usage

    def pages(self) -> Pages:
        return (Page(name="applied", path=f"{PATH}/applied", handler=self.applied, wants=READ),)

    def applied(self, visit: Visit) -> Reply:
        """Who has applied the change with the number in the query; a piece of it is asked for every second."""
        number = visit.query.get("seq", "")
        if not number.isascii() or not number.isdigit() or len(number) > 15:
            raise NotFound(words.NO_SUCH_CHANGE)
        view = self._credentials.get(visit.caller, visit.id)
        api_ids = visit.query.get("apis", "").split(",")[:_MOST_APIS]
        rounds = rounds_of(visit.query.get("rounds", "0"))
        state = self.state(visit, int(number), api_ids, rounds)
        template = "credentials/applied_state.html" if visit.partly else "credentials/applied.html"
        return Shown(template, {"view": view, **state})

    def state(self, visit: Visit, seq: int, api_ids: Sequence[str], rounds: int) -> dict[str, Any]:
        """What the piece shows of change `seq`, of these APIs."""
        may_know = visit.viewer.may(_ABOUT_INSTANCES)
        found = self._progress(visit, seq, api_ids) if may_know else []
        heard = [one for one in found if one.proof.instances]
        asks = bool(heard) and not all(one.is_by_all for one in heard) and rounds < MOST_ROUNDS
        return {
            "seq": seq,
            "query": applied_query(seq, api_ids),
            "found": found,
            "heard": heard,
            "may_know": may_know,
            "rounds": rounds + 1,
            "asks": asks,
        }

    def _progress(self, visit: Visit, seq: int, api_ids: Sequence[str]) -> list[Progress]:
        """By API; one that has been deleted meanwhile is left out."""
        found = []
        for api_id in api_ids:
            try:
                api = self._catalogue.get_api(visit.caller, api_id)
            except NotFound:
                continue
            found.append(Progress(api, self._usage.proof(visit.caller, api_id, seq)))
        return found
