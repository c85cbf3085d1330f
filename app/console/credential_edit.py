"""How is a credential edited? A form, what the change does before it is made, and then the change.

A form knows the version that it was made from. Where somebody else was faster, it is shown again: with what they have
changed, beside what was typed, which is kept where it was touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.console.allowed_ips_read import read_ranges
from app.console.audit import Told, told_of
from app.console.changing import PATH, afterwards
from app.console.credentials import WRITE
from app.console.differences import differences, members_told
from app.console.editing import version_of
from app.console.forms import Form
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit
from app.console.terms import (
    Body,
    all_of,
    fields_of,
    marks_in,
    marks_of,
    offered_apis,
    offered_roles,
    touched,
)
from app.inputs.bodies import CredentialChange
from app.inputs.checking import check
from app.inputs.credentials import changed
from app.services.actors import Actors
from app.services.audit_trail import AuditTrail
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials, CredentialView
from app.services.organizations import Organizations
from app.services.previewing import Previewing
from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.audit_search import Wanted as WantedLines
from tokenserver.domain.catalogue import Api
from tokenserver.domain.credential import Credential
from tokenserver.errors import InvalidInput, PreconditionFailed, Refused, TokenServerError

_MOST_LINES = 50


@dataclass(frozen=True, slots=True)
class Theirs:
    """Something that somebody else has changed meanwhile. `typed` is None where the form did not touch it."""

    label: str
    saved: str
    typed: str | None


class EditingPages:
    def __init__(
        self,
        *,
        credentials: Credentials,
        catalogue: CatalogueService,
        organizations: Organizations,
        previewing: Previewing,
        audit_trail: AuditTrail,
        actors: Actors,
    ) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._organizations = organizations
        self._previewing = previewing
        self._audit_trail = audit_trail
        self._actors = actors

    def pages(self) -> Pages:
        path = f"{PATH}/edit"
        return (
            Page(name="edit", path=path, handler=self.edit, fresh=True, wants=WRITE),
            Page(name="review_again", path=f"{path}/review", handler=self.from_the_beginning, wants=WRITE),
            Page(name="edit_more", method="POST", path=f"{path}/more", handler=self.more, wants=WRITE),
            Page(
                name="review",
                method="POST",
                path=f"{path}/review",
                handler=self.review,
                again=self.again,
                fresh=True,
                wants=WRITE,
            ),
            Page(name="save", method="POST", path=path, handler=self.save, again=self.again, fresh=True, wants=WRITE),
        )

    def edit(self, visit: Visit) -> Reply:
        view, apis = self._found(visit)
        return self._form(visit, view, apis, fields_of(view.credential, apis))

    def from_the_beginning(self, visit: Visit) -> Reply:
        """What was typed came with a form; who comes by the address alone has typed nothing."""
        return Sent(f"/credentials/{visit.id}/edit")

    def more(self, visit: Visit) -> Reply:
        """Back from the review, with what was typed."""
        return self.again(visit, None)

    def review(self, visit: Visit) -> Reply:
        if not visit.partly:
            return Shown("credentials/review.html", self._effect(visit))
        try:
            return Shown("credentials/effect.html", self._effect(visit))
        except Refused as fault:
            return Shown("credentials/effect.html", {"mend": fault})

    def save(self, visit: Visit) -> Reply:
        _, apis = self._found(visit)
        change = check(CredentialChange, touched(visit.form, apis))
        view = self._credentials.update(
            visit.caller, visit.id, version_of(visit.form), lambda before: changed(before, change)
        )
        return afterwards(view, "saved")

    def again(self, visit: Visit, fault: TokenServerError | None) -> Reply:
        view, apis = self._found(visit)
        if _is_current(visit.form, view.credential):
            return self._form(visit, view, apis, visit.form)
        form, theirs, marks = _merged(visit.form, view.credential, apis)
        more = {
            "is_stale": True,
            "theirs": theirs,
            "lines": self._lines(visit, view.credential),
            "marks": marks,
            "fault": None if isinstance(fault, PreconditionFailed) else fault,  # the page says more than that one
        }
        return self._form(visit, view, apis, form, more)

    def _found(self, visit: Visit) -> tuple[CredentialView, Sequence[Api]]:
        view = self._credentials.get(visit.caller, visit.id)
        return view, list(all_of(self._catalogue.list_apis, visit.caller))

    def _effect(self, visit: Visit) -> dict[str, Any]:
        view, apis = self._found(visit)
        if not _is_current(visit.form, view.credential):
            raise PreconditionFailed
        change = check(CredentialChange, touched(visit.form, apis))
        preview = self._previewing.preview(visit.caller, visit.id, lambda before: changed(before, change))
        return {
            "view": view,
            "differences": differences(view.credential, changed(view.credential, change), apis),
            "preview": preview,
            "kept": list(visit.form.to_keep()),
            "mend": None,
        }

    def _form(
        self, visit: Visit, view: CredentialView, apis: Sequence[Api], form: Form, more: dict[str, Any] | None = None
    ) -> Reply:
        terms, rights, organization = view.credential.restrictions, visit.viewer.rights, visit.viewer.organization
        values = {
            "view": view,
            "form": form,
            "marks": marks_of(view.credential, apis),
            "roles": offered_roles(list(all_of(self._catalogue.list_roles, visit.caller)), rights, terms.roles),
            "apis": offered_apis(apis, rights, terms.grants),
            "projects": list(all_of(self._organizations.list_projects, visit.caller)),
            "ranges": read_ranges(form.text("allowed_ips"), visit.visitor.address),
            "names_are_fixed": organization.policy.names_are_fixed,
            "longest_expiry_days": organization.policy.longest_expiry_days,
            "tomorrow": str(rfc3339(visit.now + DAY))[:10],
            "is_stale": False,
            **(more or {}),
        }
        return Shown("credentials/edit.html", values)

    def _lines(self, visit: Visit, credential: Credential) -> list[Told]:
        """Who has changed it since, for whom may read that: a change is a version, and has one line that tells it."""
        since = credential.version - version_of(visit.form)
        if not visit.viewer.may("audit:read") or since <= 0:
            return []
        wanted = WantedLines(credential=credential.client_id, without_tokens=True)
        found, _ = self._audit_trail.search(visit.caller, wanted, None, _MOST_LINES)
        changes = [line for line in found if "changed" in line.members["detail"]]
        return told_of(changes[:since], self._actors, visit.caller)


def _is_current(form: Form, credential: Credential) -> bool:
    return version_of(form) == credential.version


def _merged(form: Form, now: Credential, apis: Sequence[Api]) -> tuple[Form, list[Theirs], Mapping[str, str]]:
    """What was touched over what is saved now; what somebody else has changed, beside what was typed; and the marks
    that belong to the form. What cannot be read stays as it was typed, among what was not touched.
    """
    marks, marks_now = marks_in(form), marks_of(now, apis)
    others = [name for name, mark in marks_now.items() if name in marks and marks[name] != mark]
    try:
        mine: Body = touched(form, apis)
        wanted = changed(now, check(CredentialChange, mine))
    except InvalidInput:
        theirs = [Theirs(label, said, None) for label, said in members_told(now, others, apis).items()]
        return form, theirs, marks
    typed = members_told(wanted, [name for name in others if name in mine], apis)
    theirs = [Theirs(label, said, typed.get(label)) for label, said in members_told(now, others, apis).items()]
    kept = [pair for pair in fields_of(wanted, apis).fields if pair[0] != "expiry" or "expires_at" not in mine]
    if "expires_at" in mine:
        kept += [(name, form.text(name)) for name in ("expiry", "expires_at")]
    return Form(tuple(kept)), theirs, marks_now
