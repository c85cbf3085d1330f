"""How long does a page of a long list take? 100,000 credentials in one organization, asked for over HTTP.

One credential in a hundred is disabled, so that a list of those is looked for among all. The control is the same page
of an organization with a thousand credentials, in the same run.
"""

from __future__ import annotations

import http.client
import json
import time
from contextlib import ExitStack, closing
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import update

from app.inputs.paging import cursor_at
from app.store.models import CredentialRow
from scripts.bench_parts import postgres
from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.installing import Installation, install, opened
from scripts.bench_parts.load import Broken, percentile
from scripts.bench_parts.plan import FEW, Plan
from scripts.bench_parts.servers import our_server
from tokenserver.domain.names import ADMIN_AUDIENCE

MANY = 100_000
_TIMES = 300
_DISABLED = "?status=disabled"
_SEARCH = "?sort=name&q=0099"
_EXPIRING = "?sort=expires_at"
_UNUSED = "?sort=last_used_at"


def measure(plan: Plan) -> list[Figure]:
    many = min(MANY, plan.credentials)
    figures = _measure(plan, many, "SQLite", "")
    with postgres.running(plan) as database:
        return figures + _measure(plan, many, "PostgreSQL", database.url)


def _measure(plan: Plan, many: int, name: str, url: str) -> list[Figure]:
    times = 20 if plan.smoke else _TIMES
    control = _latencies(plan, install(plan.folder("few"), FEW), f"{name} few", times)
    latencies = _latencies(plan, install(plan.folder("many"), many, url), f"{name} many", times)
    return [
        Figure(
            "listing",
            f"{page} of {many:,} credentials on {name}, p99",
            percentile(sorted(found), 0.99) * 1000,
            "ms",
            Bar(at_most=50),
            Control(f"of {FEW:,} on SQLite", percentile(sorted(control[page]), 0.99) * 1000),
            f"p50 {percentile(sorted(found), 0.5) * 1000:.1f} ms",
        )
        for page, found in latencies.items()
    ]


def _latencies(plan: Plan, installation: Installation, name: str, times: int) -> dict[str, list[float]]:
    """Page to seconds, each once; page after page, so that what disturbs one disturbs all."""
    _disable_some(installation)
    with ExitStack() as stack:
        server = stack.enter_context(our_server(plan, name, installation))
        connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)))
        headers = {"Authorization": f"Bearer {_token(connection, installation)}"}
        last = _last_page(connection, headers)
        pages = {
            "first page": "",
            "page of the disabled": _DISABLED,
            "search by name": _SEARCH,
            "page of what expires first": _EXPIRING,
            "page of the longest unused": _UNUSED,
            "last page": last,
        }
        found: dict[str, list[float]] = {page: [] for page in pages}
        for _ in range(times):
            for page, query in pages.items():
                begun = time.perf_counter()
                _ask(connection, "GET", f"/v1/credentials{query}", headers)
                found[page].append(time.perf_counter() - begun)
        return found


def _disable_some(installation: Installation) -> None:
    with opened(installation.home, installation.database_url) as services, services.store.engine.begin() as connection:
        hundredth = CredentialRow.name.like("%99")
        connection.execute(update(CredentialRow).where(hundredth).values(disabled_at=CredentialRow.created_at))


def _token(connection: http.client.HTTPConnection, installation: Installation) -> str:
    client_id, secret = installation.administrator
    form = (
        f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}&resource={quote(ADMIN_AUDIENCE)}"
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return str(_ask(connection, "POST", "/oauth/token", kind, form)["access_token"])


def _last_page(connection: http.client.HTTPConnection, headers: dict[str, str]) -> str:
    """The query of the last page: the one after the second oldest credential, in the order of age."""
    oldest = _ask(connection, "GET", "/v1/credentials?sort=created_at&limit=60", headers)["items"]
    first_of_page = oldest[50]
    moment, client_id = first_of_page["created_at"], first_of_page["client_id"]
    return f"?limit=50&cursor={_cursor(moment, client_id)}"


def _cursor(moment: str, client_id: str) -> str:
    return cursor_at((int(datetime.fromisoformat(moment).timestamp()), client_id), "-created_at")


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> Any:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise Broken(f"{method} {path.partition('?')[0]} answers {answer.status}")
    return json.loads(text)
