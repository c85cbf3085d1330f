"""What is sent to the token endpoint? A form (RFC 6749 §4.4.2) and a proof of who asks (§2.3.1).

Client ID and secret are percent-encoded before they become HTTP Basic, as the RFC wants it and most clients forget; a
space becomes `%20`, which those who decode forms and those who decode URLs read alike. A server that does not decode
them is one for `client_secret_post`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from tokenserver.domain.secret import Secret

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*\Z")
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!\"$-~]+\Z")
_OURS = frozenset({"grant_type", "client_id", "client_secret", "scope", "resource"})


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Everything but the secret."""

    client_id: str
    auth_method: str
    form: tuple[tuple[str, str], ...]

    def proven_by(self, secret: Secret) -> tuple[dict[str, str], bytes]:
        """Headers and body."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.auth_method == BASIC:
            return {**headers, **basic(self.client_id, secret)}, urlencode(self.form).encode("ascii")
        proof = (("client_id", self.client_id), ("client_secret", secret.reveal()))
        return headers, urlencode((*self.form, *proof)).encode("ascii")


def basic(client_id: str, secret: Secret) -> dict[str, str]:
    """The header of HTTP Basic, percent-encoded inside (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret.reveal(), safe='')}"
    return {"Authorization": f"Basic {b64encode(pair.encode('ascii')).decode('ascii')}"}


def token_request(
    client_id: str,
    *,
    auth_method: str,
    scope: str | Iterable[str] | None,
    resource: str | Sequence[str] | None,
    extra: Mapping[str, str],
) -> TokenRequest:
    """Raises ValueError with what to do."""
    if not client_id or not client_id.isprintable():
        raise ValueError("client_id is the identifier that you were given: text without line breaks")
    if auth_method not in {BASIC, POST}:
        raise ValueError(f"auth_method is {BASIC} or {POST}")
    if ours := sorted(_OURS & extra.keys()):
        raise ValueError(f"extra is for parameters that have no argument of their own: not for {', '.join(ours)}")
    scopes = scope if isinstance(scope, str) or scope is None else " ".join(scope)
    if scopes and _SCOPE.match(scopes) is None:
        raise ValueError("scope holds names separated by single spaces (RFC 6749 §3.3)")
    resources = [resource] if isinstance(resource, str) else [*(resource or ())]
    if not all(_RESOURCE.match(one) for one in resources):
        raise ValueError("resource is an absolute address without a fragment (RFC 8707 §2)")
    form = [("grant_type", "client_credentials"), *extra.items(), *(("resource", one) for one in resources)]
    return TokenRequest(client_id, auth_method, (*form, ("scope", scopes)) if scopes else tuple(form))
