"""How is a plan carried out? Step by step, each to the very version that the plan has seen.

Whoever changed something in between makes the step fail (412) rather than be overwritten: run it again. The place of a
new secret is made ready before its credential is made, and the secret is in its file before the next step is taken.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenserver.cli.admin import AdminApi
from tokenserver.cli.failures import Exit, Failure, Problem, usage
from tokenserver.cli.planning import Deed, Step
from tokenserver.cli.resource import Resource
from tokenserver.cli.resources import API, CREDENTIAL, ROLE
from tokenserver.cli.secret_file import secret_place

_RESOURCES: dict[str, Resource] = {resource.name: resource for resource in (API, ROLE, CREDENTIAL)}
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Made:
    """A credential that was made, and where its secret is."""

    name: str
    client_id: str
    secret_file: Path


@dataclass(frozen=True, slots=True)
class SecretsFolder:
    """Where new secrets go: for each credential `NAME.client_id` and `NAME.client_secret`."""

    path: Path

    def files(self, name: str) -> tuple[Path, Path]:
        stem = file_name(name)
        return self.path / f"{stem}.client_id", self.path / f"{stem}.client_secret"

    def make_ready(self, steps: Iterable[Step]) -> None:
        """Before anything is done: is there room for every new secret?"""
        new = [step.title for step in steps if step.deed is Deed.CREATE and step.kind == CREDENTIAL.name]
        if not new:
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise usage(f"{self.path} cannot be made: {fault.strerror}.") from None
        taken = [str(path) for name in new for path in self.files(name) if path.exists()]
        if taken:
            raise usage(f"There already, and never overwritten: {', '.join(taken)}. Move them, or name another folder.")


def file_name(name: str) -> str:
    """A name as a file's: itself where that is harmless, else what is harmless of it and a digest of the whole."""
    if _SAFE.match(name):
        return name
    harmless = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "credential"
    return f"{harmless}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def carry_out(
    admin: AdminApi, steps: Iterable[Step], folder: SecretsFolder | None, *, file: str, cascade: bool
) -> Iterator[tuple[Step, Made | None]]:
    """Do what is to be done; each step is handed out once it is done."""
    query = {"cascade": "true"} if cascade else {}
    for step in steps:
        if step.deed is Deed.UNCHANGED:
            continue
        made = None
        with _telling(step, file):
            if step.deed is Deed.CREATE:
                made = _create(admin, step, folder)
            elif step.deed is Deed.CHANGE:
                _change(admin, step, query)
            else:
                _delete(admin, step, query)
        yield step, made


def _create(admin: AdminApi, step: Step, folder: SecretsFolder | None) -> Made | None:
    body = dict(step.body or {})
    disabled = body.pop("disabled", False)
    if step.kind != CREDENTIAL.name:
        admin.call("POST", _RESOURCES[step.kind].path, body)
        return None
    if folder is None:
        raise usage("There are new credentials: say with --secrets-dir where their secrets go.")
    id_file, secret_file = folder.files(step.title)
    with secret_place(secret_file, overwrite=False) as secret, secret_place(id_file, overwrite=False) as client_id:
        document = admin.call("POST", CREDENTIAL.path, body).document
        if secret is not None and client_id is not None:
            secret.keep(str(document["client_secret"]))
            client_id.keep(str(document["client_id"]))
    if disabled:
        admin.call("POST", f"{CREDENTIAL.path}/{document['client_id']}/disable")
    return Made(step.title, str(document["client_id"]), secret_file)


def _change(admin: AdminApi, step: Step, query: dict[str, str]) -> None:
    """Terms first, then on or off; the second part is done to what the first has answered."""
    body = dict(step.body or {})
    disabled = body.pop("disabled", None)
    present = dict(step.present or {})
    etag: str | None = f'"{present["version"]}"'
    if step.kind == API.name:
        etag = admin.get(_path(step)).etag if step.ends else etag  # an earlier step may have changed it
    if body:
        wanted = {} if step.kind == CREDENTIAL.name else query
        etag = admin.call("PATCH", _path(step), body, query=wanted, if_match=etag).etag
    if disabled is not None:
        admin.call("POST", _path(step) + ("/disable" if disabled else "/enable"), if_match=etag)


def _delete(admin: AdminApi, step: Step, query: dict[str, str]) -> None:
    wanted = {} if step.kind == CREDENTIAL.name else query
    etag = f'"{(step.present or {})["version"]}"' if step.kind != API.name else None
    admin.call("DELETE", _path(step), query=wanted, if_match=etag)


def _path(step: Step) -> str:
    resource = _RESOURCES[step.kind]
    return f"{resource.path}/{(step.present or {})[resource.id]}"


class _telling:  # noqa: N801  used as a statement
    """A refusal names the place in the file that led to it, and says that the rest was not done."""

    def __init__(self, step: Step, file: str) -> None:
        self._step, self._file = step, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: object) -> None:
        if not isinstance(fault, Failure):
            return
        place_of: Callable[[str], Any] = (
            self._step.declared.place_of(self._file)
            if self._step.declared is not None
            else lambda pointer: pointer or "/"
        )
        named = fault.naming(place_of) if isinstance(fault, Problem) else fault
        step = self._step
        failed = f"{self._file}: could not {step.deed} the {step.kind} {step.title}; what comes after was not done."
        raise Failure(Exit(named.exit_code), failed, named.message) from None
