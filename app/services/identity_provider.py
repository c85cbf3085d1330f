"""Who does the provider say that somebody is? The authorization code flow of OpenID Connect, by Authlib's client.

1. The person is sent to the provider, with what this one sign-in is bound to: state, nonce, and the digest of a
   verifier (PKCE, RFC 7636).
2. They come back with a code, which is exchanged for an ID token, with the verifier and our own secret.
3. The ID token is believed after every check of OpenID Connect Core 1.0 §3.1.3.7: signature, by an algorithm that the
   provider announced and a key that it publishes now; issuer, audience, authorized party, times, nonce, `at_hash`.
4. What it does not say is asked for at the UserInfo endpoint: some say e-mail address and groups only there.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

import requests
import urllib3
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jws import JWSRegistry

from app.services.identity import Identity, read_identity
from app.services.provider_metadata import GARBAGE, Patience, ProviderMetadata
from app.services.sign_on_attempts import Attempt, ProviderUnavailable, SignOnRefused
from app.settings import Settings
from tokenserver.clock import MINUTE, Clock, monotonic

logging.getLogger("authlib").setLevel(logging.WARNING)  # it would log tokens

SKEW = MINUTE
"""Seconds by which the provider's clock may differ from ours."""
_AT_A_TIME = 4
_GOOGLE = "https://accounts.google.com"
"""Which refuses `prompt=login`, and does not say that it does."""


class IdentityProvider:
    """Used by any thread; a few of them talk to it at a time, others wait."""

    def __init__(
        self, settings: Settings, clock: Clock, *, patience: Patience | None = None, ticks: Clock = monotonic
    ) -> None:
        self._patience = patience or Patience()
        self._provider = ProviderMetadata(settings, self._patience, ticks)
        self._settings = settings
        self._redirect_uri = f"{settings.issuer}/console/sign-in/sso/callback"
        self._prompt = "select_account" if settings.sso_issuer == _GOOGLE else "login"
        self._clock = clock
        self._places = threading.BoundedSemaphore(_AT_A_TIME)

    def address(self, attempt: Attempt) -> str:
        """Where to send the person; raises ProviderUnavailable."""
        with self._conversation() as session:
            session.code_challenge_method = "S256"
            metadata = self._provider.metadata()
            asks_for_groups = bool(self._settings.sso_groups) and "groups" in metadata.scopes
            asked = {} if attempt.again_since is None else {"prompt": self._prompt, "max_age": "0"}
            url, _ = session.create_authorization_url(
                metadata.authorization_endpoint,
                state=attempt.state,
                code_verifier=attempt.verifier,
                nonce=attempt.nonce,
                redirect_uri=self._redirect_uri,
                scope="openid email profile groups" if asks_for_groups else "openid email profile",
                **asked,
            )
        return str(url)

    def refuse_stranger(self, issuer: str | None) -> None:
        """Raise SignOnRefused where an answer is another provider's, by its `iss` (RFC 9207)."""
        if issuer is None and not self._provider.metadata().names_itself:
            return
        if issuer != self._settings.sso_issuer:
            raise SignOnRefused("The answer came from another provider. Begin again.", "another provider's answer")

    def identify(self, code: str, attempt: Attempt) -> Identity:
        """Whose code it is; raises SignOnRefused, ProviderUnavailable."""
        with self._conversation() as session:
            answer = self._exchanged(session, code, attempt)
            claims = self._proven(answer, attempt)
            more: Mapping[str, Any] = {}
            if self._lacks_something(claims):
                more = self._user_info(session, str(answer["access_token"]), claims["sub"])
        return read_identity(self._settings, claims, more)

    @contextmanager
    def _conversation(self) -> Iterator[OAuth2Session]:
        if not self._places.acquire(timeout=self._patience.connect):
            raise ProviderUnavailable(detail="too many are waiting for the sign-in provider")
        try:
            with self._provider.session() as session:
                yield session
        finally:
            self._places.release()

    def _exchanged(self, session: OAuth2Session, code: str, attempt: Attempt) -> Mapping[str, Any]:
        metadata = self._provider.metadata()
        session.token_endpoint_auth_method = metadata.client_authentication
        session.register_client_auth_method(("client_secret_basic", _basic))
        try:
            answer = session.fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                redirect_uri=self._redirect_uri,
                code_verifier=attempt.verifier,
                allow_redirects=False,
            )
            if not isinstance(answer.get("id_token"), str) or not isinstance(answer.get("access_token"), str):
                raise TypeError  # one of GARBAGE, as is what Authlib raises
        except OAuthError as fault:
            raise _not_exchanged(fault.error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            raise ProviderUnavailable(detail=f"the sign-in provider: {type(fault).__name__}") from None
        except GARBAGE:
            raise ProviderUnavailable(detail="the sign-in provider answered what is no token") from None
        return dict(answer)

    def _proven(self, answer: Mapping[str, Any], attempt: Attempt) -> Mapping[str, Any]:
        """The claims of the ID token, every one of them checked."""
        settings = self._settings
        try:
            token = self._signed(answer["id_token"])
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": settings.sso_issuer},
                    "aud": {"essential": True, "value": settings.sso_client_id},
                    "sub": {"essential": True},
                },
                {"nonce": attempt.nonce, "client_id": settings.sso_client_id, "access_token": answer["access_token"]},
            )
            claims.validate(now=int(self._clock()), leeway=SKEW)
            proven_at = claims.get("auth_time")  # some providers never say it
            if attempt.again_since is not None and proven_at is not None and proven_at < attempt.again_since - SKEW:
                raise ValueError("they have not proven again who they are")
        except GARBAGE as fault:
            what = (
                "The answer of the provider is not valid. Begin again; if that does not help, tell whoever runs this."
            )
            raise SignOnRefused(what, f"invalid ID token: {type(fault).__name__}") from None
        return claims

    def _signed(self, id_token: str) -> jwt.Token:
        """Checked with the keys of now: a key that we do not know yet makes us read them once more."""
        registry = JWSRegistry(algorithms=self._provider.metadata().algorithms, strict_check_header=False)
        try:
            return jwt.decode(id_token, self._provider.keys(), registry=registry)
        except (InvalidKeyIdError, BadSignatureError):
            return jwt.decode(id_token, self._provider.keys(anew=True), registry=registry)

    def _lacks_something(self, claims: Mapping[str, Any]) -> bool:
        lacks_groups = bool(self._settings.sso_groups) and self._settings.sso_groups_claim not in claims
        return "email" not in claims or lacks_groups

    def _user_info(self, session: OAuth2Session, access_token: str, subject: str) -> Mapping[str, Any]:
        """Nothing where the provider has no such endpoint; what is said of somebody else is refused (Core §5.3.2)."""
        url = self._provider.metadata().userinfo_endpoint
        if url is None:
            return {}
        said = self._provider.get(session, url, Authorization=f"Bearer {access_token}")
        if not isinstance(said, dict) or said.get("sub") != subject:
            raise SignOnRefused("The answer of the provider is not valid. Begin again.", "UserInfo of somebody else")
        return said


def _basic(client: Any, _: str, uri: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    """As RFC 6749 §2.3.1 has it, which Authlib does not: ID and secret are encoded before they are joined."""
    joined = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {base64.b64encode(joined.encode()).decode()}"
    return uri, headers, body


def _not_exchanged(error: object) -> SignOnRefused:
    if error == "invalid_grant":
        return SignOnRefused(
            "The provider does not take the code that you came with: it is too old, or was used. Begin again.",
            "the provider refused the code",
        )
    return SignOnRefused(
        "The provider does not accept this server as its client. Tell whoever runs this server.",
        "the provider refused this server" if error in _OUR_FAULTS else "the provider refused",
    )


_OUR_FAULTS = {"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope"}
