"""What has the token server said? Its answers, read with suspicion: it may be any server, or a proxy in between.

- A token is taken only if it is one that can be sent (RFC 6750 §2.1) and of a type that we understand (RFC 6749 §7.1).
- 429 and 5xx say that nobody knows: it is worth asking again. Any other refusal would be the same again.
- What the server says of an error (`error`, `error_description`) is what helps best, and is passed on; but not if the
  secret is in it, in any spelling: there are servers that echo what they were sent.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import Any, Final
from urllib.parse import quote, quote_plus

from tokenserver.client.access_token import UNSTATED, AccessToken, Moment
from tokenserver.client.failures import NoToken, TokenRefused, TokenUnavailable
from tokenserver.client.transport import LONGEST_ANSWER, Response
from tokenserver.domain.secret import Secret

LONGEST_RETRY_AFTER: Final = 300
"""Seconds for which a server can make us stay away."""
_TOKEN = re.compile(r"[!-~]{1,65536}\Z")
_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}\Z")
_DESCRIPTION = re.compile(r"[ -~]{1,300}\Z")
_ADVICE = {
    "invalid_client": "Check client ID and secret; ask whether the secret was regenerated or the credential has ended.",
    "unauthorized_client": "Ask the administrator whether the credential may be used from this address.",
    "invalid_scope": "Ask for fewer scopes, or ask the administrator to grant them.",
    "invalid_target": "Check resource: the API is not known or not granted to this credential, or has to be named.",
    "unsupported_grant_type": "The server does not offer the grant client_credentials.",
}


def read_token(answer: Response, asked_at: Moment, secret: Secret) -> AccessToken:
    """The token in the answer; raises NoToken."""
    if answer.status != 200:
        raise failure(answer, secret, asked_at)
    document = document_of(answer)
    text, kind = document.get("access_token"), document.get("token_type")
    if not isinstance(text, str) or _TOKEN.match(text) is None:
        raise TokenUnavailable("The token server's answer holds no access token that could be sent.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenRefused("The token server issued a token of another type than Bearer, which cannot be used here.")
    scope = document.get("scope")
    return AccessToken(
        text,
        asked_at,
        _lifetime(document.get("expires_in")),
        scope if isinstance(scope, str) else None,
        rotation_waits=document.get("rotation") == "waiting",
    )


def document_of(answer: Response) -> dict[str, Any]:
    """The JSON object in the answer; raises TokenUnavailable."""
    if len(answer.body) > LONGEST_ANSWER:
        raise TokenUnavailable("The token server's answer is too long.")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    raise TokenUnavailable("The token server's answer is not a JSON object: is this the right address?")


def failure(answer: Response, secret: Secret, now: Moment) -> NoToken:
    """What an answer without a token means."""
    if answer.status == 429 or answer.status >= 500:
        after = retry_after(answer, now)
        told = f"The token server cannot answer at the moment: it answered {answer.status}."
        return TokenUnavailable(told, retry_after=ceil(after or 0))
    if answer.status < 400:
        return TokenRefused(f"The token server answered {answer.status} where a token was due: check the address.")
    try:
        document = document_of(answer)
    except TokenUnavailable:
        document = {}
    error = _passed_on(document.get("error"), _CODE, secret)
    description = _passed_on(document.get("error_description"), _DESCRIPTION, secret)
    said = ": ".join(part for part in (error, description) if part) or f"it answered {answer.status}"
    advice = _ADVICE.get(error, "Check the address and what is asked for.")
    return TokenRefused(f"The token server refused: {said.rstrip('.')}. {advice}", error=error)


def retry_after(answer: Response, now: Moment) -> float | None:
    """Seconds that the server asks us to wait, at most `LONGEST_RETRY_AFTER` (RFC 9110 §10.2.3: a number or a date)."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        wished = parsedate_to_datetime(text).timestamp() - now.wall
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wished, 0.0), LONGEST_RETRY_AFTER)


def _lifetime(stated: object) -> float:
    if stated is None:
        return UNSTATED
    if isinstance(stated, str) and stated.isascii() and stated.isdigit():  # there are servers that put it in quotes
        stated = int(stated[:12])
    if isinstance(stated, int | float) and not isinstance(stated, bool) and stated > 0 and isfinite(stated):
        return float(stated)
    raise TokenUnavailable("The token server's answer states a lifetime (expires_in) that cannot be read.")


def _passed_on(text: object, form: re.Pattern[str], secret: Secret) -> str:
    """The server's words, if they are harmless."""
    if not isinstance(text, str) or form.match(text) is None:
        return ""
    clear = secret.reveal()
    spellings = (clear, quote(clear, safe=""), quote_plus(clear), b64encode(clear.encode()).decode().rstrip("="))
    return "" if any(spelling.lower() in text.lower() for spelling in spellings) else text
