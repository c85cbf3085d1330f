"""How do we compare with what people use today? Guards of the same Flask route, on the same tokens, in process.

Each guard's cost is what a request takes beyond the open route. Ours is the WSGI middleware, with all its checks; the
others prove the signature, issuer, audience and times, and Authlib's the scope and role as well. They remember no
token, so that one seen before costs them as much as a new one. Each is a part by itself, since one may be missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, Response
from joserfc.jwk import KeySet

from scripts.bench_parts.figures import Bar, Control, Figure
from scripts.bench_parts.guarded import (
    HERE,
    REQUIRE,
    Call,
    RealClock,
    each_of,
    headers_of,
    in_turn,
    verifying,
    wsgi_call,
)
from scripts.bench_parts.plan import Plan, Skipped
from tokenserver.resource import wsgi
from tokenserver.resource.testing import FakeIssuer

AUTHLIB, JWT_EXTENDED = "authlib", "flask-jwt-extended"
_IN_WORDS = {AUTHLIB: "Authlib's ResourceProtector", JWT_EXTENDED: "flask-jwt-extended"}
_TOKENS = 100


def with_authlib(plan: Plan) -> list[Figure]:
    return _compared(plan, AUTHLIB, _by_authlib)


def with_flask_jwt_extended(plan: Plan) -> list[Figure]:
    if importlib.util.find_spec("flask_jwt_extended") is None:
        raise Skipped("flask-jwt-extended is not installed")
    return _compared(plan, JWT_EXTENDED, _by_flask_jwt_extended)


def _compared(plan: Plan, part: str, theirs: Callable[[FakeIssuer], Flask]) -> list[Figure]:
    issuer = FakeIssuer(clock=RealClock())
    rounds, calls = (3, 60) if plan.smoke else (15, 500)
    with verifying(issuer, most_tokens=2 * rounds * calls) as verifier:
        route = _route(lambda view: view)
        ways = {
            "open": wsgi_call(route.wsgi_app),
            "ours": wsgi_call(wsgi.TokenMiddleware(route.wsgi_app, verifier, REQUIRE)),
            "theirs": wsgi_call(theirs(issuer).wsgi_app),
        }
        seen = list(headers_of(issuer, _TOKENS))
        for way in ways.values():
            each_of(way, [(header, HERE) for header in seen])
        again = [list(itertools.islice(itertools.cycle(seen), calls))] * rounds
        fresh = headers_of(issuer, rounds * calls)
        new = [list(itertools.islice(fresh, calls)) for _ in range(rounds)]
        return [
            _figure(part, "a token seen before", ways, again, Bar(at_most=0.1, of="ratio")),
            _figure(part, "a new token", ways, new, Bar(at_most=1, of="ratio")),
        ]


def _figure(part: str, token: str, ways: dict[str, Call], batches: Sequence[Sequence[str]], bar: Bar) -> Figure:
    """One round for each batch, in which every way gets the same tokens."""
    costs: dict[str, list[float]] = {"ours": [], "theirs": []}
    for batch in batches:
        asked = [(header, HERE) for header in batch]
        spent = in_turn(1, {kind: partial(each_of, way, asked) for kind, way in ways.items()})
        for kind, found in costs.items():
            found.append(1e6 * (spent[kind][0] - spent["open"][0]) / len(batch))
    ratios = [ours / theirs for ours, theirs in zip(costs["ours"], costs["theirs"], strict=True)]
    name = _IN_WORDS[part]
    control = Control(name, statistics.median(costs["theirs"]), statistics.median(ratios))
    detail = {kind: [round(cost, 2) for cost in found] for kind, found in costs.items()}
    return Figure(part, f"{token}, beside {name}", statistics.median(costs["ours"]), "µs", bar, control, "", detail)


def _route(guarded: Callable[[Any], Any]) -> Flask:
    app = Flask("compared")

    def reports() -> Response:
        return Response(b"ok")

    app.add_url_rule("/reports", "reports", guarded(reports))
    return app


def _by_authlib(issuer: FakeIssuer) -> Flask:
    keys: Any = KeySet.import_key_set({"keys": [dict(issuer.signing_key.verifying.jwk)]})

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self) -> Any:
            return keys

    protect = ResourceProtector()
    protect.register_token_validator(Validator(issuer.name, issuer.audience))
    return _route(protect(" ".join(REQUIRE.scopes), roles=" ".join(REQUIRE.roles)))


def _by_flask_jwt_extended(issuer: FakeIssuer) -> Flask:
    extension: Any = importlib.import_module("flask_jwt_extended")
    app = _route(extension.jwt_required())
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_DECODE_ALGORITHMS=["ES256"],
        JWT_PUBLIC_KEY=issuer.signing_key.verifying.public,
        JWT_DECODE_ISSUER=issuer.name,
        JWT_DECODE_AUDIENCE=issuer.audience,
    )
    extension.JWTManager(app)
    return app
