"""How many introspections and forward-auth answers a second? Over HTTP, about tokens that the server has seen before.

Ours as anybody runs it, on SQLite, on one core; beside it, in turns, Flask views that read the same requests, look at
no token and answer what is always the same. Each answer of ours reads the database, so that what was ended a moment ago
is refused: the last thing that is done here is to regenerate one credential, and its token must have ended with that.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from app.services.terms import Draft
from scripts.bench_parts import controls
from scripts.bench_parts.contest import Contestant, in_turn
from scripts.bench_parts.figures import Bar, Figure
from scripts.bench_parts.installing import AUDIENCE, INTROSPECT, ROLE, SCOPE, Client, Installation, install, opened
from scripts.bench_parts.issuing import FLASK, control, rate_figure
from scripts.bench_parts.load import Broken, drive
from scripts.bench_parts.plan import CONNECTIONS, Plan
from scripts.bench_parts.servers import our_server
from tokenserver.domain.restrictions import Access, Grant, Restrictions

_OURS = "ours"
_TOKENS = 100
_ACTIVE, _INACTIVE = b'"active":true', b'"active":false'
_CALLER = b": tsc_"
_LEAST = {"introspection": Bar(at_least=2500), "forward-auth": Bar(at_least=4000)}


def measure(plan: Plan) -> list[Figure]:
    installation = install(plan.folder("asking"), _TOKENS)
    asker = _asker(installation)
    figures = []
    with ExitStack() as stack:
        ours = stack.enter_context(our_server(plan, _OURS, installation))
        view = stack.enter_context(control(plan, FLASK, "flask_view", installation))
        tokens = [_token(ours, number) for number in range(_TOKENS)]
        asked = {
            "introspection": (introspections(tokens, asker), _ACTIVE),
            "forward-auth": (forwarded(tokens), _CALLER),
        }
        for what, (requests, shows) in asked.items():
            contestants = [replace(one, requests=requests, shows=shows) for one in (ours, view)]
            for connections in CONNECTIONS:
                outcomes = in_turn(plan, contestants, connections)
                against = (FLASK, outcomes[FLASK])
                of = f"{what}, {connections} connections"
                figures.append(rate_figure("asking", of, outcomes[_OURS], _LEAST[what], against))
                each = outcomes[_OURS].rate_of_its_own
                if each is not None:
                    figures.append(Figure("asking", f"{of}, for a core of its own", each, "/s", _LEAST[what]))
        _refuse_what_has_ended(installation, ours, tokens[0], asker)
    return figures


def introspections(tokens: Sequence[str], asker: Client) -> list[bytes]:
    proof = base64.b64encode(":".join(asker).encode())
    forms = [urlencode({"token": token}).encode() for token in tokens]
    return [
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %s\r\nAccept: application/json\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
        % (controls.INTROSPECTION.encode(), proof, len(form), form)
        for form in forms
    ]


def forwarded(tokens: Sequence[str]) -> list[bytes]:
    path = f"{controls.FORWARD_AUTH}?{urlencode({'aud': AUDIENCE, 'scope': SCOPE, 'role': ROLE})}"
    return [
        b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n" % (path.encode(), token.encode())
        for token in tokens
    ]


def _asker(installation: Installation) -> Client:
    """A credential of a resource server."""
    grants = (Grant(AUDIENCE, Access.CUSTOM, frozenset({INTROSPECT})),)
    with opened(installation.home, installation.database_url) as services:
        shell = services.installation.prepare()
        made = services.credentials.create(shell, Draft("asker", "", Restrictions(grants=grants)))
    return made.view.credential.client_id, made.secret.reveal()


def _token(ours: Contestant, number: int) -> str:
    head, _, form = ours.requests[number].partition(b"\r\n\r\n")
    proof = next(line for line in head.decode().split("\r\n") if line.startswith("Authorization: "))
    headers = {"Authorization": proof.removeprefix("Authorization: ")}
    asked = Request(f"http://127.0.0.1:{ours.port}/oauth/token", form, headers)
    with urlopen(asked, timeout=10) as answer:
        return str(json.load(answer)["access_token"])


def _refuse_what_has_ended(installation: Installation, ours: Contestant, token: str, asker: Client) -> None:
    """Raise Broken unless a token of the first client is refused as soon as its credential was regenerated."""
    with opened(installation.home, installation.database_url) as services:
        services.credentials.regenerate(services.installation.prepare(), installation.clients[0][0])
    told = drive(ours.port, introspections([token], asker), 1, 0.1, _INACTIVE)
    passed = drive(ours.port, forwarded([token]), 1, 0.1, _CALLER)
    if told.not_tokens or passed.answered:
        raise Broken("a token that was ended is still taken")
