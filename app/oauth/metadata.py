"""Where is everything, and with which keys is it signed? RFC 8414 metadata and the JWKS.

Everything is built from the configured issuer: what a request says of its host has no effect. Beside the registered
members there are two of ours, `generations_endpoint` and `networks_endpoint`, by which resource servers find the
feed.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response

from app.http import respond
from app.services.keys import JWKS_MAX_AGE, SigningKeys
from app.settings import Settings

_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]
_WELL_KNOWN = "/.well-known/oauth-authorization-server"


class Metadata:
    def __init__(self, settings: Settings, keys: SigningKeys) -> None:
        self._issuer = settings.issuer
        self._keys = keys

    def mount(self, app: Flask) -> None:
        # The document of an issuer with a path has its place behind the well-known one (RFC 8414 §3.1).
        for place in {_WELL_KNOWN, _WELL_KNOWN + urlsplit(self._issuer).path}:
            app.add_url_rule(place, "metadata", self.metadata)
        app.add_url_rule("/.well-known/jwks.json", "jwks", self.jwks)

    def metadata(self) -> Response:
        base = self._issuer
        document = {
            "issuer": base,
            "token_endpoint": f"{base}/oauth/token",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": _AUTHENTICATION,
            "introspection_endpoint": f"{base}/oauth/introspect",
            "introspection_endpoint_auth_methods_supported": _AUTHENTICATION,
            "introspection_signing_alg_values_supported": [self._keys.ring().access.key.alg],
            "revocation_endpoint": f"{base}/oauth/revoke",
            "revocation_endpoint_auth_methods_supported": _AUTHENTICATION,
            "generations_endpoint": f"{base}/oauth/generations",
            "networks_endpoint": f"{base}/oauth/networks",
        }
        return respond(document, headers=[("Cache-Control", "public, max-age=300")])

    def jwks(self) -> Response:
        caching = [("Cache-Control", f"public, max-age={JWKS_MAX_AGE}")]
        return respond(self._keys.jwks(), headers=caching, kind="application/jwk-set+json")
