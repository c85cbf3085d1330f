"""What must be done so that the server is as a file says? Pure: the same file and the same server, the same plan.

APIs are known by their audience, roles and credentials by their name; of credentials only those count that have not
ended for good. A plan is made of steps in an order in which nothing is asked for before it is there, and nothing is
taken away while a credential of the file still holds it:

1. APIs that are new or change (scopes that go stay for now), 2. roles, 3. credentials, 4. scopes that go and APIs that
are shared no more, and, with `prune`, 5. what is there and not in the file: credentials, roles, APIs. Never pruned are
the admin API and the credential that does it. What another organization shares is neither changed nor pruned: a file
may mention it as it is.

A second run of the same file finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tokenserver.cli.declaration import Declaration, Declared
from tokenserver.cli.failures import Exit, Failure, usage
from tokenserver.cli.narrowing import catalogue_of, ends_tokens
from tokenserver.domain.catalogue import Catalogue

ADMIN_AUDIENCE = "urn:tokenserver:admin"
Document = Mapping[str, Any]


class Deed(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `differences` are (member, from, to); `ends` says whether tokens that are out end."""

    deed: Deed
    kind: str
    title: str
    declared: Declared | None = None
    present: Document | None = None
    body: Document | None = None
    differences: tuple[tuple[str, Any, Any], ...] = ()
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """What is there now, as the admin API shows it."""

    apis: Sequence[Document]
    roles: Sequence[Document]
    credentials: Sequence[Document]
    own_client_id: str = ""


def plan(declaration: Declaration, present: Present, *, prune: bool = False) -> tuple[Step, ...]:
    """Every step, those without anything to do included."""
    live = _by_name(filter(_is_live, present.credentials))
    apis = {api["audience"]: api for api in present.apis}
    roles = {role["name"]: role for role in present.roles}
    steps = [step for one in declaration.apis for step in _api(one, apis.get(one.key))]
    catalogue = catalogue_of([*present.apis, *map(_with_its_audience, filter(_adds_scopes, steps))])
    return (
        *(step for step in steps if not step.ends),
        *(_role(one, roles.get(one.key)) for one in declaration.roles),
        *(_credential(one, _only(one, live), catalogue) for one in declaration.credentials),
        *(step for step in steps if step.ends),
        *(_pruned(declaration, present, live) if prune else ()),
    )


def _adds_scopes(step: Step) -> bool:
    return not step.ends and "scopes" in (step.body or {})


def _with_its_audience(step: Step) -> Document:
    return {**(step.body or {}), "audience": step.title}


def _by_name(credentials: Iterable[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for credential in credentials:
        found.setdefault(credential["name"], []).append(credential)
    return found


def _only(wanted: Declared, live: Mapping[str, Sequence[Document]]) -> Document | None:
    found = live.get(wanted.key, ())
    if len(found) > 1:
        ids = ", ".join(one["client_id"] for one in found)
        raise Failure(
            Exit.CONFLICT, f"Several credentials are called {wanted.key}: {ids}. Rename or delete all but one."
        )
    return found[0] if found else None


def _is_live(credential: Document) -> bool:
    return credential["status"] not in {"revoked", "expired"}


def _api(wanted: Declared, there: Document | None) -> list[Step]:
    """Up to two steps: one that adds, and one, after the credentials, that takes away scopes or the sharing."""
    if there is None:
        if "name" not in wanted.body:
            raise usage(f"line {wanted.line}: an API that is not there yet needs a name.")
        return [Step(Deed.CREATE, "api", wanted.key, wanted, body=wanted.body)]
    scopes = [_full(scope) for scope in wanted.body["scopes"]] if "scopes" in wanted.body else there["scopes"]
    named = {scope["name"] for scope in scopes}
    going = [scope for scope in there["scopes"] if scope["name"] not in named]
    was = {"name": there["name"], "scopes": there["scopes"], "shared": _is_shared(there)}
    last = {name: wanted.body.get(name, was[name]) for name in was} | {"scopes": scopes}
    between = {**last, "scopes": [*scopes, *going], "shared": was["shared"] or last["shared"]}
    adds = _differences(_with_sorted(was), _with_sorted(between))
    takes = _differences(_with_sorted(between), _with_sorted(last))
    if not _is_own(there) and (adds or takes):
        raise _of_another(wanted)
    steps = []
    for differences, outcome, ends in ((adds, between, False), (takes, last, True)):
        if differences:
            body = {member: outcome[member] for member, _, _ in differences}
            steps.append(Step(Deed.CHANGE, "api", wanted.key, wanted, there, body, differences, ends=ends))
    return steps or [Step(Deed.UNCHANGED, "api", wanted.key, wanted, there)]


def _is_own(there: Document) -> bool:
    return bool(there.get("own", True))  # a server that shares nothing does not say it


def _is_shared(there: Document) -> bool:
    return bool(there.get("shared", False))


def _of_another(wanted: Declared) -> Failure:
    return usage(
        f"line {wanted.line}: another organization shares this {wanted.kind}, and it is changed only there: write it"
        " as it is, or leave it out."
    )


def _full(scope: Document) -> dict[str, Any]:
    return {"sensitive": False, "description": "", **scope}


def _sorted(scopes: Iterable[Document]) -> list[Document]:
    return sorted((_full(scope) for scope in scopes), key=lambda scope: str(scope["name"]))


def _with_sorted(changes: Document) -> dict[str, Any]:
    return {**changes, "scopes": _sorted(changes["scopes"])}


def _role(wanted: Declared, there: Document | None) -> Step:
    if there is None:
        return Step(Deed.CREATE, "role", wanted.key, wanted, body=wanted.body)
    if wanted.body.get("audience", there["audience"]) != there["audience"]:
        line = wanted.lines["audience"]
        raise usage(f"line {line}: the API of a role never changes: give the role another name.")
    shown = {**there, "shared": _is_shared(there)}
    body = {name: wanted.body[name] for name in ("description", "shared") if name in wanted.body}
    step = _changing("role", wanted, shown, body)
    if step.deed is not Deed.UNCHANGED and not _is_own(there):
        raise _of_another(wanted)
    return replace(step, present=there, ends=shown["shared"] and not body.get("shared", True))


def _credential(wanted: Declared, there: Document | None, catalogue: Catalogue) -> Step:
    if there is None:
        return Step(Deed.CREATE, "credential", wanted.key, wanted, body=wanted.body)
    body = {name: value for name, value in wanted.body.items() if name != "name"}
    shown = _comparable({**there, "disabled": there["disabled_at"] is not None})
    shown["rotation_schedule"] = _mentioned(there.get("rotation_schedule"), body.get("rotation_schedule"))
    step = _changing("credential", wanted, shown, body)
    if step.deed is Deed.UNCHANGED:
        return step
    stops = body.get("disabled", False) and there["disabled_at"] is None
    moves = any(member in {"project", "environment"} for member, _, _ in step.differences)
    return replace(step, present=there, ends=stops or moves or ends_tokens(there, {**there, **body}, catalogue))


def _mentioned(there: Any, wanted: Any) -> Any:
    """Of a schedule, the members that the file mentions: the server fills in the others."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return {name: there.get(name) for name in wanted}
    return there


def _changing(kind: str, wanted: Declared, there: Document, body: Mapping[str, Any]) -> Step:
    differences = _differences({name: there.get(name) for name in body}, _comparable(body))
    if not differences:
        return Step(Deed.UNCHANGED, kind, wanted.key, wanted, there)
    changed = {member: body[member] for member, _, _ in differences}
    return Step(Deed.CHANGE, kind, wanted.key, wanted, there, changed, differences)


def _differences(before: Document, after: Document) -> tuple[tuple[str, Any, Any], ...]:
    return tuple((name, before[name], after[name]) for name in after if before[name] != after[name])


def _comparable(document: Document) -> dict[str, Any]:
    """Lists without an order in one, moments in one spelling."""
    shown = dict(document)
    if "roles" in shown:
        shown["roles"] = sorted(set(shown["roles"]))
    if "grants" in shown:
        shown["grants"] = sorted(map(_grant, shown["grants"]), key=lambda one: one["audience"])
    if shown.get("expires_at"):
        shown["expires_at"] = datetime.fromisoformat(shown["expires_at"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


def _grant(grant: Document) -> dict[str, Any]:
    return {
        "audience": str(grant["audience"]),
        "access": str(grant.get("access", "custom")),
        "scopes": sorted(set(grant.get("scopes", ()))),
    }


def _pruned(declaration: Declaration, present: Present, live: Mapping[str, Sequence[Document]]) -> Iterable[Step]:
    kept = {one.key for one in declaration.credentials}
    for credential in (one for named in live.values() for one in named):
        if credential["name"] not in kept and credential["client_id"] != present.own_client_id:
            yield Step(Deed.DELETE, "credential", credential["name"], present=credential, ends=True)
    kept = {one.key for one in declaration.roles}
    for role in present.roles:
        if role["name"] not in kept and _is_own(role):
            yield Step(Deed.DELETE, "role", role["name"], present=role, ends=True)
    kept = {one.key for one in declaration.apis}
    for api in present.apis:
        if api["audience"] not in kept | {ADMIN_AUDIENCE} and _is_own(api):
            yield Step(Deed.DELETE, "api", api["audience"], present=api, ends=True)
