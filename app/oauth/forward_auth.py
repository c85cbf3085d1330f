"""`GET /forward-auth`: a gateway asks whether the request it holds may go on (nginx, Traefik, Caddy, HAProxy, Envoy).

What is required stands in the URL that the gateway is configured with, never in what a caller can write:
`?aud=…&role=…&scope=…&organization=…&project=…&environment=…`, `role` and `scope` as often as one likes (all are
required), or `any_caller=true`. The method does not matter. Envoy appends the caller's own path and query to the
address that it asks: it asks below `/forward-auth/`, where the requirement stands in the header `X-Auth-Require`
(written as a query) and the URL is not looked at.

200 tells who is calling in `X-Auth-*`, each of them always, and empty where there is nothing to tell: a gateway that
copies them overwrites whatever a caller made up. The values are ASCII without control characters; what is not is
percent-encoded. 401, 403 and 503 are what a resource server answers. A malformed `Authorization` is 401 here rather
than 400, because nginx knows no other refusals than 401 and 403. What is wrong with the requirement is 400: closed, and
the gateway's mistake.

All but the odd ones are answered in front of Flask (see `in_front`).

The caller's address is what the gateway says in `X-Forwarded-For` or `Forwarded`, if it is one of
`TOKENSERVER_TRUSTED_PROXIES`. Whoever asks is told nothing but what the token itself lets them do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote

from flask import Flask, Response, request

from app.http import Environ, Reply, client_address, respond
from app.oauth.in_front import Answer, in_front
from app.services.forwarding import Forwarded, Forwarding
from app.settings import Settings
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.names import is_audience
from tokenserver.errors import InvalidRequest, Refused
from tokenserver.resource.answers import Speaker
from tokenserver.resource.bearer import MalformedHeader
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require

PATH = "/forward-auth"
ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LONGEST_REQUIREMENT = 2048
_PLACES = ("organization", "project", "environment")
_KNOWN = {"aud", "role", "scope", "any_caller", *_PLACES}
_KEPT = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class ForwardAuth:
    def __init__(self, forwarding: Forwarding, settings: Settings) -> None:
        self._forwarding = forwarding
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)

    def mount(self, app: Flask) -> None:
        app.add_url_rule(PATH, "forward_auth", self.answer, methods=ANY_METHOD)
        for below in (f"{PATH}/", f"{PATH}/<path:original>"):  # not strict: a redirect would repeat the request
            app.add_url_rule(below, "forward_auth", self.answer, methods=ANY_METHOD, strict_slashes=False)

    def answer(self, original: str = "") -> Response:  # noqa: ARG002  the caller's own
        asked = self._read(request.environ, request.path)
        try:
            return respond(None, headers=told(self._forwarding.admit(asked)).items())
        except Refused as fault:
            status, headers, body = _refusal(fault, asked.audience)
            return Response(body, status, headers)

    async def answer_in_front(self, environ: Environ) -> Reply | None:
        """The answer, unless the request is an odd one; None leaves it to Flask."""
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in ANY_METHOD or not _is_plain(path):
            return None
        return await in_front(environ, path, self._answered(environ, path))

    async def _answered(self, environ: Environ, path: str) -> Answer:
        asked = self._read(environ, path)
        try:
            return 200, list(told(await self._forwarding.admitted(asked)).items()), b""
        except Refused as fault:
            status, headers, body = _refusal(fault, asked.audience)
            return status, headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else body

    def _read(self, environ: Mapping[str, Any], path: str) -> Forwarded:
        requirement = environ.get("QUERY_STRING" if path == PATH else "HTTP_X_AUTH_REQUIRE", "")
        audience, require = read_requirement(requirement)
        authorization = environ.get("HTTP_AUTHORIZATION")
        presented = () if authorization is None else (authorization,)
        return Forwarded(presented, client_address(environ, self._proxies), audience, require)


def _is_plain(path: str) -> bool:
    """Whether Flask's routes would take it for sure."""
    return path == PATH or (path.isascii() and path.isprintable() and not path.startswith(f"{PATH}//"))


def told(principal: Principal) -> dict[str, str]:
    """What the API behind the gateway may know of the caller."""
    said = {
        "X-Auth-Client-Id": principal.client_id,
        "X-Auth-Roles": " ".join(sorted(principal.roles)),
        "X-Auth-Scopes": " ".join(sorted(principal.scopes)),
        "X-Auth-Organization": principal.organization,
        "X-Auth-Project": principal.project or "",
        "X-Auth-Environment": principal.environment or "",
        "X-Auth-Token-Id": principal.token_id,
    }
    return {name: quote(value, safe=_KEPT) for name, value in said.items()}


def read_requirement(text: str) -> tuple[str, Require]:
    """The audience, and what is required there; raises InvalidRequest. A gateway says the same each time."""
    if len(text) > LONGEST_REQUIREMENT:
        raise InvalidRequest("The requirement is too long.")
    return _remembered_requirement(text)


def _read_requirement(text: str) -> tuple[str, Require]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError:
        raise InvalidRequest("The requirement is not a query in UTF-8.") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    if not given.keys() <= _KNOWN:
        raise InvalidRequest(f"The requirement names something unknown. Known are: {', '.join(sorted(_KNOWN))}.")
    if any(len(given.get(name, ())) > 1 for name in ("aud", "any_caller", *_PLACES)):
        raise InvalidRequest("In the requirement, only role and scope may be repeated.")
    audience = given.get("aud", [""])[0]
    if not is_audience(audience) or '"' in audience or "\\" in audience:
        raise InvalidRequest("Name the API: aud is the audience by which this server knows it.")
    return audience, _require(given)


_remembered_requirement = lru_cache(maxsize=512)(_read_requirement)


def _require(given: Mapping[str, list[str]]) -> Require:
    any_caller = given.get("any_caller", ["false"])[0]
    if any_caller not in {"true", "false"}:
        raise InvalidRequest("any_caller is true or false.")
    try:
        return Require(
            roles=_names(given, "role"),
            scopes=_names(given, "scope"),
            organization=given.get("organization", [None])[0],
            project=given.get("project", [None])[0],
            environment=given.get("environment", [None])[0],
            any_caller=any_caller == "true",
        )
    except ValueError:
        raise InvalidRequest(
            "Name a role, a scope, an organization, a project or an environment, each as it is known here; or say"
            " any_caller=true, and nothing else, to let every valid token pass."
        ) from None


def _names(given: Mapping[str, list[str]], what: str) -> list[str]:
    return [name for value in given.get(what, ()) for name in value.split(" ")]


def _refusal(fault: Refused, audience: str) -> Answer:
    refusal = Speaker(audience).refusal(fault)
    status = 401 if isinstance(fault, MalformedHeader) else refusal.status
    return status, list(refusal.headers), refusal.body
