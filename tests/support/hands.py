"""The two hands by which a journey manages: the admin API over HTTP, and the command `tokenserver`.

Both take the same words and give the same documents, so that one journey goes by either. What is refused is `Refused`,
by the exit code that the command documents for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import requests
from click.testing import CliRunner

from tokenserver.cli.failures import Exit
from tokenserver.cli.root import cli

Document = dict[str, Any]

_OF_STATUS = {
    400: Exit.USAGE,
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    422: Exit.USAGE,
}
_PATHS = {"api": "apis", "role": "roles", "audit": "audit-events"}


class Refused(Exception):
    """What was said, and the exit code of the command for it."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        super().__init__(f"{Exit(code).name}: {said}")


class Hands(Protocol):
    """What anybody who manages can do. `kind` is credential, operator, project, organization, webhook, …"""

    def create(self, kind: str, **members: Any) -> Document: ...
    def show(self, kind: str, which: str) -> Document: ...
    def all(self, kind: str, **filters: str) -> list[Document]: ...
    def change(self, kind: str, which: str, **members: Any) -> Document: ...
    def act(self, kind: str, which: str, action: str, **members: Any) -> Document: ...
    def delete(self, kind: str, which: str) -> None: ...


class ByApi:
    """Asks with the tokens of a credential."""

    def __init__(self, issuer: str, client_id: str, secret: str, _home: Path, organization: str = "") -> None:
        self._issuer, self._credential = issuer, (client_id, secret)
        self._elsewhere = {"Tokenserver-Organization": organization} if organization else {}

    def create(self, kind: str, **members: Any) -> Document:
        return self._call("POST", kind, body=members)

    def show(self, kind: str, which: str) -> Document:
        return self._call("GET", kind, f"/{which}")

    def all(self, kind: str, **filters: str) -> list[Document]:
        found: list[Document] = []
        query: dict[str, str] = dict(filters)
        while True:
            page = self._call("GET", kind, query=query)
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    def change(self, kind: str, which: str, **members: Any) -> Document:
        version = self.show(kind, which)["version"]
        return self._call("PATCH", kind, f"/{which}", body=members, if_match=f'"{version}"')

    def act(self, kind: str, which: str, action: str, **members: Any) -> Document:
        return self._call("POST", kind, f"/{which}/{action}", body=members)

    def delete(self, kind: str, which: str) -> None:
        self._call("DELETE", kind, f"/{which}")

    def _call(
        self,
        method: str,
        kind: str,
        place: str = "",
        *,
        body: Document | None = None,
        query: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> Document:
        path = f"{self._issuer}/v1/{_PATHS.get(kind, f'{kind}s')}{place}"
        headers = {"Authorization": f"Bearer {self._token()}", **self._elsewhere}
        if if_match is not None:
            headers["If-Match"] = if_match
        answer = requests.request(method, path, json=body, params=query, headers=headers, timeout=20)
        return _document(answer)

    def _token(self) -> str:
        form = {"grant_type": "client_credentials", "resource": "urn:tokenserver:admin"}
        answer = requests.post(f"{self._issuer}/oauth/token", form, auth=self._credential, timeout=20)
        return str(_document(answer)["access_token"])


class ByCommand:
    """Types commands, in this process: starting one takes longer than all the rest."""

    def __init__(self, issuer: str, client_id: str, secret: str, home: Path, organization: str = "") -> None:
        none = {name: None for name in os.environ if name.startswith("TOKENSERVER_")}
        self._environment: dict[str, str | None] = {
            **none,
            "TOKENSERVER_URL": issuer,
            "TOKENSERVER_CLIENT_ID": client_id,
            "TOKENSERVER_CLIENT_SECRET": secret,
            "XDG_CONFIG_HOME": str(home),
            "HOME": str(home),
        }
        self._elsewhere = ("--organization", organization) if organization else ()

    def create(self, kind: str, **members: Any) -> Document:
        return self._run(kind, "create", *typed(kind, members))

    def show(self, kind: str, which: str) -> Document:
        return self._run(kind, "show", which)

    def all(self, kind: str, **filters: str) -> list[Document]:
        found: list[Document] = self._run(kind, "list", "--all", *typed(kind, filters))["items"]
        return found

    def change(self, kind: str, which: str, **members: Any) -> Document:
        return self._run(kind, "update", which, *typed(kind, members))

    def act(self, kind: str, which: str, action: str, **members: Any) -> Document:
        return self._run(kind, action.replace("/", "-"), which, *typed(kind, members))

    def delete(self, kind: str, which: str) -> None:
        self._run(kind, "delete", which)

    def _run(self, *words: str) -> Document:
        done = CliRunner().invoke(cli, [*words, "--yes", "--output", "json", *self._elsewhere], env=self._environment)
        if done.exit_code:
            assert isinstance(done.exception, SystemExit), done.exception
            assert done.stdout == ""
            raise Refused(done.exit_code, done.stderr)
        said: Document = json.loads(done.stdout) if done.stdout else {}
        return said

    def table(self, *words: str) -> str:
        """What a person sees."""
        done = CliRunner().invoke(cli, words, env=self._environment)
        if done.exit_code:
            raise Refused(done.exit_code, done.stderr)
        return done.stdout


def typed(kind: str, members: Mapping[str, Any]) -> list[str]:
    """The options that say the members of a body."""
    return [word for name, value in members.items() for word in _option(kind, name, value)]


def _option(kind: str, name: str, value: Any) -> list[str]:
    option = _NAMED.get((kind, name)) or _NAMED.get(("", name)) or "--" + name.replace("_", "-")
    if value is None or value == []:
        return [f"--may-hold-all-{name}" if kind == "operator" else _EMPTY[name]]
    if name == "shared":
        return ["--shared" if value else "--no-shared"]
    write = _WRITTEN.get(name, str)
    if isinstance(value, list):
        return [word for item in value for word in (option, write(item))]
    return [option, ("yes" if value else "no") if isinstance(value, bool) else write(value)]


def _grant(grant: Document) -> str:
    access = grant.get("access", "custom")
    return f"{grant['audience']}={','.join(grant['scopes']) if access == 'custom' else access}"


def _scope(scope: Document) -> str:
    return f"{scope['name']}={scope['access']}{',sensitive' if scope['sensitive'] else ''}"


def _schedule(schedule: Document) -> str:
    return f"{schedule['interval_days']}d,{schedule['grace_seconds']}s"


_WRITTEN: dict[str, Callable[[Any], str]] = {"grants": _grant, "scopes": _scope, "rotation_schedule": _schedule}
_NAMED = {
    ("operator", "roles"): "--may-hold-role",
    ("operator", "grants"): "--may-hold-grant",
    ("api", "scopes"): "--scope",
    ("", "roles"): "--role",
    ("", "grants"): "--grant",
    ("", "q"): "--search",
    ("", "grace_seconds"): "--grace",
    ("", "rotation_schedule"): "--rotate-every",
    ("webhook", "events"): "--event",
}
_EMPTY = {
    "roles": "--no-roles",
    "rotation_schedule": "--rotate-never",
    "allowed_ips": "--from-anywhere",
    "expires_at": "--never-expires",
    "project": "--no-project",
    "environment": "--no-environment",
    "credential_quota": "--no-quota",
}


def _document(answer: requests.Response) -> Document:
    if answer.status_code >= 400:
        raise Refused(_OF_STATUS[answer.status_code], answer.text)
    said: Document = answer.json() if answer.content else {}
    return said
