"""Providers of identities on loopback: oidc-provider-mock as it is, and one that lies as a test likes.

A person at the provider is a function from the address that they are sent to, to the query with which they come back.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import oidc_provider_mock  # type: ignore[import-untyped]
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry

from app.services.identity_provider import IdentityProvider
from app.services.provider_metadata import Patience
from app.services.sign_on_attempts import Attempts
from app.services.single_sign_on import SingleSignOn
from app.store.sealing import Sealer
from tests.support.workshop import KEK, Workshop
from tokenserver.clock import Clock

CLIENT_ID, CLIENT_SECRET = "tokenserver", "100%+a/secret=of:theirs"
QUICKLY = Patience(connect=1.0, byte=1.0, whole=1.5)
"""Of tests of what is slow; others wait as long as a server does."""
PATIENCE = Patience()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def signing_on(workshop: Workshop, issuer: str, patience: Patience = PATIENCE, **settings: object) -> SingleSignOn:
    """Single sign-on at this issuer, as the wiring makes it."""
    given = {"sso_issuer": issuer, "sso_client_id": CLIENT_ID, "sso_client_secret": CLIENT_SECRET, **settings}
    chosen, own = workshop.settings.model_copy(update=given), workshop.services
    return SingleSignOn(
        store=own.store,
        sessions=own.sessions,
        operators=own.operators,
        feed=own.feed,
        attempts=Attempts(own.store, Sealer(KEK), workshop.clock),
        provider=IdentityProvider(chosen, workshop.clock, patience=patience),
        settings=chosen,
        clock=workshop.clock,
    )


# --- the mock -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mock:
    """oidc-provider-mock, where people are known by their subject."""

    issuer: str

    def knows(self, subject: str, **claims: object) -> None:
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()

    def person(self, subject: str) -> Callable[[str], dict[str, str]]:
        return lambda url: self._come_back(url, sub=subject)

    def declines(self, url: str) -> dict[str, str]:
        return self._come_back(url, action="deny")

    @staticmethod
    def _come_back(url: str, **form: str) -> dict[str, str]:
        answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return query_of(answer.headers["Location"])


@contextmanager
def the_mock() -> Iterator[Mock]:
    """Its Authlib wants AUTHLIB_INSECURE_TRANSPORT in the environment of this process."""
    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as server:
        yield Mock(f"http://localhost:{server.server_port}")


# --- one that lies --------------------------------------------------------------------------------------------------

Answer = tuple[int, bytes]


@dataclass
class Liar:
    """Honest until a test says otherwise: `says` goes into the metadata, `claims` and `header` into the ID token
    (None: left out), `instead` is answered at a path in place of what would be true.
    """

    clock: Clock
    says: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    instead: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    def __post_init__(self) -> None:
        self.key = self.new_key()
        self.published: list[Any] = [self.key]
        self._codes: dict[str, dict[str, str]] = {}
        handler = type("Handler", (_Handler,), {"liar": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @staticmethod
    def new_key() -> ECKey:
        return ECKey.generate_key("P-256", auto_kid=True)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def person(self, subject: str, **claims: object) -> Callable[[str], dict[str, str]]:
        """With these claims, and a verified address unless they say otherwise."""

        def come_back(url: str) -> dict[str, str]:
            asked, code = query_of(url), secrets.token_urlsafe(12)
            self._codes[code] = asked
            told = {"sub": subject, "email": f"{subject}@example.com", "email_verified": True, **claims}
            self.claims = {**told, **{k: v for k, v in self.claims.items() if k not in told}, **claims}
            return {"code": code, "state": asked["state"]}

        return come_back

    # --- what it answers ---

    def metadata(self) -> Answer:
        return 200, json.dumps(
            without_none(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "userinfo_endpoint": f"{self.issuer}/userinfo" if self.userinfo is not None else None,
                    "jwks_uri": f"{self.issuer}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                    **self.says,
                }
            )
        ).encode()

    def jwks(self) -> Answer:
        return 200, json.dumps(KeySet(self.published).as_dict()).encode()

    def exchange(self, form: dict[str, str], authorization: str) -> Answer:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return 400, b'{"error": "invalid_grant"}'
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode() if authorization else ""
        by_form = ":".join((form.get("client_id", ""), form.get("client_secret", "")))
        if f"{CLIENT_ID}:{CLIENT_SECRET}" not in {":".join(map(unquote_plus, given.split(":", 1))), by_form}:
            return 401, b'{"error": "invalid_client"}'
        answer = {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"]), **self.token}
        return 200, json.dumps(without_none(answer)).encode()

    def id_token(self, nonce: str) -> str:
        now = int(self.clock())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.claims}
        header = without_none({"alg": "ES256", "kid": self.key.kid, **self.header})
        registry = JWSRegistry(algorithms=list(JWSRegistry.algorithms), strict_check_header=False)
        return jwt.encode(header, without_none(claims), self.key, registry=registry)

    def lie(self, path: str, answer: bytes, status: int = 200) -> None:
        self.instead[path] = lambda: (status, answer)

    def stall(self, path: str, seconds: float) -> None:
        def slowly() -> Answer:
            time.sleep(seconds)
            return 200, b"{}"

        self.instead[path] = slowly


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Who asks hangs up on what is too slow or too much: that is what is tested."""


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    liar: Liar
    drip = 0.1

    def do_GET(self) -> None:
        liar = self.liar
        told = {"/.well-known/openid-configuration": liar.metadata, "/jwks": liar.jwks, "/userinfo": self.userinfo}
        self.answer(told.get(self.path, lambda: (404, b"{}")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        authorization = self.headers.get("Authorization", "")
        self.answer(lambda: self.liar.exchange(dict(parse_qsl(body)), authorization))

    def userinfo(self) -> Answer:
        assert self.headers["Authorization"] == "Bearer at"
        return 200, json.dumps(self.liar.userinfo).encode()

    def answer(self, truth: Callable[[], Answer]) -> None:
        self.liar.asked.append(self.path)
        status, body = self.liar.instead.get(self.path, truth)()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", body.decode())
        self.send_header("Content-Type", "application/json")
        if body.startswith(b"drip"):
            self.end_headers()
            for _ in range(400):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(self.drip)
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_liar(clock: Clock) -> Iterator[Liar]:
    liar = Liar(clock)
    try:
        yield liar
    finally:
        liar.close()


def leave(signing_on: SingleSignOn, then: str = "/", *, again: bool = False) -> tuple[str, str]:
    """Where somebody is sent, and what their browser remembers."""
    leaving = signing_on.begin(then, again=again)
    return leaving.url, leaving.cookie
