"""The pages of the audit log: who did what, when and from where, what changed from what to what; and a file of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from app.console import words
from app.console.meant import MOST_CHOICES, Meant, meant_by
from app.console.page import Page, Pages, Reply, Shown, Streamed, Visit
from app.http import named
from app.inputs.audit import FILTERS, FORMATS, next_cursor, place_of, read_format, read_wanted
from app.inputs.paging import read_page
from app.services.actors import Actors
from app.services.admission import Wanted
from app.services.audit import Caller
from app.services.audit_trail import AuditTrail
from app.services.audit_verification import AuditVerification
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.audit import Event
from tokenserver.domain.audit_search import Found
from tokenserver.errors import InvalidRequest, TokenServerError

_READ = Wanted("audit:read")
_LONGEST_VALUE = 400


@dataclass(frozen=True, slots=True)
class Told:
    """One line as it is shown. `changes`: what, from what, to what; `details`: whatever else it says.
    `is_new`: all of it is. `subject` is what it was done to, where that is no credential.
    """

    at: float
    who: str
    actor: str
    did: str
    event: str
    refused: bool
    credential: str
    credential_name: str
    subject: str
    address: str
    request_id: str
    changes: list[tuple[str, str, str]]
    is_new: bool
    details: list[tuple[str, str]]


class AuditPages:
    def __init__(self, audit_trail: AuditTrail, verification: AuditVerification, actors: Actors) -> None:
        self._audit_trail = audit_trail
        self._verification = verification
        self._actors = actors

    def pages(self) -> Pages:
        return (
            Page(name="audit", path="/audit", handler=self.list, wants=_READ),
            Page(name="audit_file", path="/audit/file", handler=self.file, wants=_READ),
        )

    def list(self, visit: Visit) -> Reply:
        query = {name: visit.query[name] for name in FILTERS if visit.query.get(name)}
        fault: TokenServerError | None = None
        told: Sequence[Told] = []
        meant, cursor = Meant(query), None
        try:
            meant = meant_by(query, self._actors, visit.caller)
            told, cursor = self._lines(visit, meant)
        except InvalidRequest as refusal:
            fault = refusal
        values = {
            "lines": told,
            "query": query,
            "meant": meant,
            "most_choices": MOST_CHOICES,
            "cursor": cursor,
            "verdict": self._verification.verdict(),
            "checkpoint": self._verification.last_checkpoint(),
            "subjects": sorted({event.value.partition(":")[0] for event in Event}),
            "fault": fault,
        }
        return Shown("audit/list.html", values, 200 if fault is None else fault.status)

    def _lines(self, visit: Visit, meant: Meant) -> tuple[Sequence[Told], str | None]:
        """Of one page, and the cursor of the next; none while there is a choice to make."""
        page, wanted = read_page(None, visit.query.get("cursor")), _with_moments(meant.query)
        if meant.choices:
            return [], None
        found, place = self._audit_trail.search(visit.caller, read_wanted(wanted), place_of(page), page.limit)
        return told_of(found, self._actors, visit.caller), next_cursor(place)

    def file(self, visit: Visit) -> Reply:
        asked = {name: visit.query[name] for name in (*FILTERS, "format") if visit.query.get(name)}
        meant = meant_by(asked, self._actors, visit.caller)
        if meant.choices:
            raise InvalidRequest(words.SEVERAL_ARE_CALLED_SO)
        query = meant.query
        form = read_format(query)
        failing = partial(named, request_id=visit.visitor.request_id)
        pieces = self._audit_trail.file(visit.caller, read_wanted(_with_moments(query)), form, failing)
        return Streamed(f"audit-events.{form}", FORMATS[form], pieces)


def told_of(found: Iterable[Found], actors: Actors, caller: Caller) -> list[Told]:
    """Lines in words, with the names of those who did it and of what it was done to."""
    lines = [one.members for one in found]
    told = {said[who] for said in lines for who in ("actor", "credential")}
    names = actors.names(caller, told, {_operator_in(said["detail"]) for said in lines} - {""})
    return [_told(said, names) for said in lines]


def _told(said: Mapping[str, Any], names: Mapping[str, str]) -> Told:
    detail: dict[str, Any] = dict(said["detail"])
    changed = detail.pop("changed", {})
    actor, credential = said["actor"], said["credential"]
    return Told(
        at=datetime.fromisoformat(said["at"]).timestamp(),
        who=words.ACTORS.get(actor) or names.get(actor) or actor,
        actor=actor,
        did=words.EVENTS.get(said["event"], said["event"]),
        event=said["event"],
        refused=said["outcome"] == "refused",
        credential=credential,
        credential_name=names.get(credential, credential),
        subject="" if credential else _subject(said["detail"], names),
        address=said["address"],
        request_id=said["request_id"],
        changes=[(words.CHANGED.get(name, name), _value(old), _value(new)) for name, (old, new) in changed.items()],
        is_new=said["event"].endswith(":created"),
        details=[(name.replace("_", " "), _value(value)) for name, value in detail.items()],
    )


def _operator_in(detail: Mapping[str, Any]) -> str:
    """As actors are told of; empty where it was done to none."""
    operator = detail.get("operator")
    return f"operator:{operator}" if isinstance(operator, str) else ""


def _subject(detail: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What it was done to, by name, where the line says."""
    said = (detail.get(name) for name in ("name", "email", "audience", "url"))
    found = names.get(_operator_in(detail)) or next((one for one in said if isinstance(one, str) and one), "")
    return found[:_LONGEST_VALUE]


def _value(value: object) -> str:
    if value is None or value in ([], ""):
        return words.NONE
    if isinstance(value, list):
        text = ", ".join(" ".join(_flat(one)) for one in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{name}: {one}" for name, one in value.items())
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _flat(value: object) -> list[str]:
    return [text for one in value for text in _flat(one)] if isinstance(value, list) else [str(value)]


def _with_moments(query: Mapping[str, str]) -> dict[str, str]:
    """Days (UTC) as moments: `since` is its beginning, `until` its end."""
    asked = dict(query)
    for name, more in (("since", 0), ("until", DAY)):
        day = asked.get(name)
        if day is None:
            continue
        try:
            moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
            asked[name] = str(rfc3339(moment + more))
        except ValueError:  # the last day of all has no day after it
            raise InvalidRequest(words.DATE) from None
    return asked
