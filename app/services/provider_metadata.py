"""Where does the provider do what, and with which keys does it sign? OpenID Connect Discovery 1.0, by HTTP.

The issuer is set by whoever runs this server, so that it is believed to be no enemy; but it may be down, slow, or not
what it should be. Each request has a bound in time and in size, is made without redirects, and by TLS unless it stays
on this machine. What was read is kept for an hour; when it cannot be read anew, the last answer goes on. A provider
that did not answer is left alone for some seconds, so that who waits for it does not use up the threads of others.

Proxies and certificate authorities of the environment (`HTTPS_PROXY`, `REQUESTS_CA_BUNDLE`) are used: a provider is
often reached through the one and vouched for by the other.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from app.services.sign_on_attempts import ProviderUnavailable
from app.settings import Settings, is_private
from tokenserver.clock import HOUR, Clock, monotonic

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Whose signatures are believed; never `none`, and nothing that is checked with a secret."""
_KEPT = HOUR
_LEFT_ALONE = 5.0
LARGEST_ANSWER = 512 * 1024
GARBAGE = (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading an answer may raise that is not what it should be."""
_KINDS_OF_KEYS = {"RSA", "EC", "OKP"}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: to connect, for each next byte, and for an answer as a whole."""

    connect: float = 4.0
    byte: float = 5.0
    whole: float = 10.0


@dataclass(frozen=True, slots=True)
class Metadata:
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    jwks_uri: str
    algorithms: tuple[str, ...]
    client_authentication: str
    scopes: tuple[str, ...]
    """Those that it offers, where it says so."""
    names_itself: bool
    """Whether it says with each answer who answers (RFC 9207)."""


class ProviderMetadata:
    """What the provider says of itself. Used by any thread; one of them asks at a time."""

    def __init__(self, settings: Settings, patience: Patience, ticks: Clock = monotonic) -> None:
        self.issuer = settings.sso_issuer
        self._settings = settings
        self._patience = patience
        self._ticks = ticks
        self._lock = threading.Lock()
        self._read: tuple[Metadata, KeySet] | None = None
        self._read_at = 0.0
        self._failed_at: float | None = None

    def metadata(self) -> Metadata:
        """Raises ProviderUnavailable."""
        return self._current()[0]

    def keys(self, *, anew: bool = False) -> KeySet:
        """`anew`: because a signature was made with a key that is not among them."""
        return self._current(anew=anew)[1]

    def session(self) -> OAuth2Session:
        """Authlib's client for one conversation, within bounds. To be closed."""
        session = OAuth2Session(
            self._settings.sso_client_id,
            self._settings.sso_client_secret,
            default_timeout=(self._patience.connect, self._patience.byte),
            stream=True,
            hooks={"response": [self._within_bounds]},
        )
        session.headers["Accept-Encoding"] = "identity"
        session.auth = _as_it_is  # or requests would look for a password in ~/.netrc, and prefer it to our token
        return session

    def get(self, session: OAuth2Session, url: str, **headers: str) -> Any:
        """The JSON at `url`; raises ProviderUnavailable."""
        try:
            answer = session.request("GET", url, withhold_token=True, headers=headers, allow_redirects=False)
            if answer.status_code != requests.codes.ok:
                raise ProviderUnavailable(detail=f"the sign-in provider answered {answer.status_code}")
            return json.loads(answer.content)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            raise ProviderUnavailable(detail=f"the sign-in provider: {type(fault).__name__}") from None
        except GARBAGE:
            raise ProviderUnavailable(detail="the sign-in provider answered what is no JSON") from None

    def _current(self, *, anew: bool = False) -> tuple[Metadata, KeySet]:
        wanted_since = self._ticks()
        read = self._read
        if read is not None and not anew and wanted_since - self._read_at < _KEPT:
            return read
        if not self._lock.acquire(timeout=self._patience.whole):
            raise ProviderUnavailable(detail="others are waiting for the sign-in provider already")
        try:
            if self._read is not None and self._read_at >= wanted_since:  # somebody else asked meanwhile
                return self._read
            if self._failed_at is not None and self._ticks() - self._failed_at < _LEFT_ALONE:
                return self._last("the sign-in provider did not answer a moment ago")
            try:
                self._read, self._failed_at = self._ask(), None
            except ProviderUnavailable as fault:
                self._failed_at = self._ticks()
                return self._last(fault.detail)
            self._read_at = self._ticks()
            return self._read
        finally:
            self._lock.release()

    def _last(self, detail: str) -> tuple[Metadata, KeySet]:
        if self._read is None:
            raise ProviderUnavailable(detail=detail)
        return self._read

    def _ask(self) -> tuple[Metadata, KeySet]:
        with self.session() as session:
            said = self.get(session, self.issuer.removesuffix("/") + "/.well-known/openid-configuration")
            try:
                metadata = read_metadata(said, self.issuer)
            except GARBAGE as fault:
                why = str(fault) if isinstance(fault, _Unfit) else "they cannot be read"
                raise ProviderUnavailable(detail=f"the metadata of the sign-in provider: {why}") from None
            keys = read_keys(self.get(session, metadata.jwks_uri))
        if keys is None:
            raise ProviderUnavailable(detail="the sign-in provider publishes no key that could be used")
        return metadata, keys

    def _within_bounds(self, answer: requests.Response, *_: object, **__: object) -> requests.Response:
        """Read the body before anybody else does, in a bounded time and up to a bounded size."""
        deadline = self._ticks() + self._patience.whole
        body = bytearray()
        while piece := answer.raw.read1(65536, decode_content=False):
            body += piece
            if len(body) > LARGEST_ANSWER or self._ticks() > deadline:
                answer.raw.close()
                raise ProviderUnavailable(detail="the sign-in provider answers too slowly, or too much")
        answer.raw.release_conn()
        answer.raw = io.BytesIO(bytes(body))
        return answer


def _as_it_is(asked: requests.PreparedRequest) -> requests.PreparedRequest:
    return asked


class _Unfit(ValueError):
    """What is wrong, in our words."""


def read_metadata(said: Any, issuer: str) -> Metadata:
    """Raises one of GARBAGE unless it is the metadata of `issuer` (Discovery 1.0 §4.3: to the letter)."""
    if said["issuer"] != issuer:
        raise _Unfit("the issuer is not TOKENSERVER_SSO_ISSUER to the letter")
    offered = said.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = tuple(name for name in ALGORITHMS if name in offered)
    if not algorithms:
        raise _Unfit("there is no algorithm that could be believed")
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    only_by_form = "client_secret_basic" not in methods and "client_secret_post" in methods
    return Metadata(
        authorization_endpoint=_address(said, "authorization_endpoint"),
        token_endpoint=_address(said, "token_endpoint"),
        userinfo_endpoint=_address(said, "userinfo_endpoint") if said.get("userinfo_endpoint") else None,
        jwks_uri=_address(said, "jwks_uri"),
        algorithms=algorithms,
        client_authentication="client_secret_post" if only_by_form else "client_secret_basic",
        scopes=tuple(said.get("scopes_supported") or ()),
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def read_keys(said: Any) -> KeySet | None:
    """The public keys that can be used to check a signature; others are passed over (RFC 7517 §5)."""
    offered = said.get("keys") if isinstance(said, dict) else None
    keys = []
    for one in offered if isinstance(offered, list) else []:
        if isinstance(one, dict) and one.get("kty") in _KINDS_OF_KEYS and one.get("use", "sig") == "sig":
            try:
                keys.append(JWKRegistry.import_key(one))
            except GARBAGE:
                continue
    return KeySet(keys) if keys else None


def _address(said: Mapping[str, Any], name: str) -> str:
    url = said[name]
    if not isinstance(url, str) or not url.isprintable() or " " in url or not is_private(url):
        raise _Unfit(f"{name} is no https URL")
    return url
