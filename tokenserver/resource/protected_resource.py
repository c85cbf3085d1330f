"""Where does a caller get a token for this API? The API says it itself (RFC 9728), and every 401 says where it says it.

The document is served at `/.well-known/oauth-protected-resource`, inserted between the host and the path of the API's
audience (RFC 9728 §3.1), so the audience must be the https address under which callers reach the API. Where the
middleware stands at a path below that host, let the proxy in front send it this one address as well.

It is served to everybody, by GET and HEAD. Everything in it is known when the app starts: nothing of a request is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from tokenserver.domain.origins import origin_of
from tokenserver.resource.answers import Answer

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_OURS: Final = frozenset({"resource", "authorization_servers", "bearer_methods_supported"})


class ProtectedResource:
    """`more` has further members, as RFC 9728 §2 names them: `resource_name`, `resource_documentation` and so on."""

    def __init__(self, audience: str, issuer: str, scopes: Iterable[str], more: Mapping[str, object]) -> None:
        try:
            origin_of(audience)
        except ValueError as fault:
            raise ValueError(f"metadata needs an audience that is the address of this API: {fault}") from None
        if _OURS & set(more):
            raise ValueError(f"metadata: these members are known already: {', '.join(sorted(_OURS & set(more)))}")
        parts = urlsplit(audience)
        self.path = WELL_KNOWN + parts.path.rstrip("/")
        query = f"?{parts.query}" if parts.query else ""
        self.url = f"{parts.scheme}://{parts.netloc}{self.path}{query}"
        said = {
            "resource": audience,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": sorted(scopes)} if scopes else {}),
            **more,
        }
        body = json.dumps(said).encode()
        headers = (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "public, max-age=3600"),
            ("Access-Control-Allow-Origin", "*"),
        )
        self.answer = Answer(200, headers, body)

    def is_asked_for(self, method: str, path: str) -> bool:
        return path == self.path and method in {"GET", "HEAD"}
