"""What do the fields of a form say of a credential, and which fields say what one is at this moment?

Both ways, so that what was not touched can be told: it says the same as when the form was made. Only what was touched
is sent as a change, so that nobody undoes what somebody else has changed meanwhile by not looking at it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.console import words
from app.console.forms import Form
from app.services.audit import Caller
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.catalogue import Api, Role, Scope
from tokenserver.domain.credential import Credential
from tokenserver.domain.operators import Rights
from tokenserver.domain.restrictions import Access, Grant
from tokenserver.errors import Fault, InvalidInput

Body = dict[str, Any]
"""As the API would be sent it."""
WAS = "was:"
_DAYS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,10})?", re.ASCII)
_PIECE = 200


class _Kept(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> int: ...


Listed = TypeVar("Listed", bound=_Kept)


@dataclass(frozen=True, slots=True)
class OfferedApi:
    """An API and those of its scopes that the viewer may hand on, or that the credential holds already."""

    api: Api
    scopes: tuple[Scope, ...]


def all_of(
    list_: Callable[[Caller, tuple[int, str] | None, int], Sequence[Listed]], caller: Caller
) -> Iterator[Listed]:
    """Every item of a list that comes in pages."""
    after: tuple[int, str] | None = None
    while True:
        found = list_(caller, after, _PIECE)
        yield from found
        if len(found) < _PIECE:
            return
        after = (found[-1].created_at, found[-1].id)


def offered_roles(roles: Sequence[Role], rights: Rights, held: frozenset[str] = frozenset()) -> list[Role]:
    mine = rights.roles_of(frozenset(role.name for role in roles)) | held
    return sorted((role for role in roles if role.name in mine), key=lambda role: role.name)


def offered_apis(apis: Sequence[Api], rights: Rights, grants: Sequence[Grant] = ()) -> list[OfferedApi]:
    """In the order of names. One that the viewer may not hand on, and the credential does not hold, is left out."""
    mine = rights.scopes_of({api.audience: api.scope_names() for api in apis}, {api.audience: api for api in apis})
    held = {grant.audience: grant.scopes for grant in grants}
    found = []
    for api in apis:
        if api.audience in mine or api.audience in held:
            names = mine.get(api.audience, frozenset()) | held.get(api.audience, frozenset())
            found.append(OfferedApi(api, tuple(scope for scope in api.scopes if scope.name in names)))
    return sorted(found, key=lambda one: one.api.name)


# --- what it is at this moment ---


def fields_of(credential: Credential, apis: Sequence[Api]) -> Form:
    """The fields of a form that changes nothing."""
    terms, grants = credential.restrictions, {grant.audience: grant for grant in credential.restrictions.grants}
    fields = [
        ("name", credential.name),
        ("description", credential.description),
        ("project", credential.project or ""),
        ("environment", credential.environment or ""),
        ("allowed_ips", "" if terms.allowed_ips is None else "\n".join(terms.allowed_ips.normal_form())),
        ("token_lifetime", str(terms.token_lifetime)),
        ("expiry", "keep"),
        *(("roles", name) for name in sorted(terms.roles)),
    ]
    for api in apis:
        if api.audience in grants:
            grant = grants[api.audience]
            fields.append((f"access:{api.id}", grant.access.value))
            fields += [(f"scopes:{api.id}", name) for name in sorted(grant.scopes)]
    if credential.schedule is not None:
        schedule = credential.schedule
        fields.append(("rotation_schedule", str(schedule.interval_days)))
        fields.append(("grace_days", days_told(schedule.grace_seconds)))
        fields.append(("on_unclaimed", schedule.on_unclaimed.value))
    return Form(tuple(fields))


def marks_of(credential: Credential, apis: Sequence[Api]) -> dict[str, str]:
    """By member, a mark of what it says now: a form carries them, to tell later what was touched, and by whom."""
    said = {**body_of(fields_of(credential, apis), apis), "expires_at": rfc3339(credential.restrictions.expires_at)}
    return {name: _mark(value) for name, value in said.items()}


def marks_in(form: Form) -> dict[str, str]:
    return {name.removeprefix(WAS): value for name, value in form.fields if name.startswith(WAS)}


# --- what was typed ---


def body_of(form: Form, apis: Sequence[Api]) -> Body:
    """Every member that the form speaks of."""
    lifetime = form.number("token_lifetime")
    return {
        "name": form.text("name"),
        "description": form.text("description"),
        "roles": sorted(form.all("roles")),
        "grants": sorted(filter(None, (_grant(form, api) for api in apis)), key=lambda one: str(one["audience"])),
        "allowed_ips": form.text("allowed_ips").replace("\r\n", "\n") or None,
        "project": form.text("project") or None,
        "environment": form.text("environment") or None,
        "rotation_schedule": _schedule(form),
        **({} if lifetime is None else {"token_lifetime": lifetime}),
        **_expiry(form),
    }


def touched(form: Form, apis: Sequence[Api]) -> Body:
    """What says something else than when the form was made."""
    marks = marks_in(form)
    return {name: value for name, value in body_of(form, apis).items() if _mark(value) != marks.get(name)}


def _grant(form: Form, api: Api) -> Body | None:
    """None where nothing is ticked and nothing else is chosen."""
    access, scopes = form.text(f"access:{api.id}", Access.CUSTOM.value), sorted(form.all(f"scopes:{api.id}"))
    if access == Access.CUSTOM.value and not scopes:
        return None
    return {"audience": api.audience, "access": access, "scopes": scopes}


def _expiry(form: Form) -> Body:
    """A day lasts until its end (UTC). Nothing where it stays as it is, and where a new one gets the usual year."""
    if form.text("expiry") == "never":
        return {"expires_at": None}
    if form.text("expiry") != "day":
        return {}
    day = form.day("expires_at")
    if day is None:
        raise InvalidInput([Fault("/expires_at", words.CHOOSE_THE_DAY)])
    return {"expires_at": rfc3339(day + DAY - 1)}


def _schedule(form: Form) -> Body | None:
    interval, grace, unclaimed = form.number("rotation_schedule"), form.text("grace_days"), form.text("on_unclaimed")
    if interval is None:
        return None
    if grace and _DAYS.fullmatch(grace) is None:
        raise InvalidInput([Fault("/grace_days", words.NUMBER_OF_DAYS)])
    return {
        "interval_days": interval,
        **({"grace_seconds": round(float(grace) * DAY)} if grace else {}),
        **({"on_unclaimed": unclaimed} if unclaimed else {}),
    }


def days_told(seconds: int) -> str:
    return f"{seconds / DAY:.10f}".rstrip("0").rstrip(".")


def _mark(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
