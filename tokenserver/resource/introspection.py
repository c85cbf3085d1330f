"""How is the issuer asked about one token? Introspection (RFC 7662), with the resource server's own credential.

The credential holds the scope `tokens:introspect` at this API. The endpoint is the one of the issuer's metadata, and of
its own origin, because a secret goes there. A secret in a file, or of a function, is read at each question, so that a
changed one is picked up.

What says nothing about this very token (`jti`) is no answer, and neither is anything but a 200. "Not active" has no
reason, not even that the credential lacks the scope: that case looks as if every token had ended.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

from tokenserver.resource.issuer import Issuer
from tokenserver.resource.knowledge import NoNews, NotBelieved
from tokenserver.resource.posting import GivenSecret, NotTaken, Post, basic, object_in, secret_reader, send

Credential = tuple[str, GivenSecret]
"""Client ID and secret."""

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Introspection:
    def __init__(self, issuer: Issuer, credential: Credential, post: Post, timeout: float) -> None:
        self._issuer = issuer
        self._client_id, self._read_secret = _checked(credential)
        self._post, self._timeout = post, timeout

    def is_active(self, token: str, token_id: str) -> bool:
        """What the issuer says of this token; raises NoNews."""
        url = self._issuer.endpoints().introspection
        if url is None:
            raise NoNews("the metadata names no introspection_endpoint of the issuer's own origin")
        headers = {**_FORM, "Authorization": basic(self._client_id, self._read_secret())}
        body = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        try:
            status, answer = send(self._post, url, headers, body, self._timeout)
            if status != 200:
                raise NoNews(f"the issuer answered {status}")
            told = object_in(answer)
        except NotTaken as fault:
            raise NoNews(str(fault)) from None
        active = told.get("active")
        if not isinstance(active, bool) or (active and told.get("jti") != token_id):
            raise NotBelieved("the issuer's answer is not about the token that was asked about")
        return active


def _checked(given: Any) -> tuple[str, Callable[[], str]]:
    with suppress(TypeError, ValueError):
        match given:
            case (str(client_id), secret) if client_id:
                return client_id, secret_reader(secret)
    raise ValueError('credential is ("tsc_…", secret): a text, the path of a file, or a function that gives it')
