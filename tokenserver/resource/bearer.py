"""Which token does a request present? The `Authorization` header, read by the letter (RFC 6750 §2.1, RFC 9110 §11.4).

- The token comes in exactly one `Authorization` header, and nowhere else: no query, body or cookie is looked at.
- The scheme is `Bearer` in any case, then one space, then token68 characters to the end. A list with commas, a second
  space, a tab or a foreign character is malformed (400 `invalid_request`).
- Several headers are read as one list with commas, as RFC 9110 §5.3 says and WSGI servers do, and so refused.
- No header, an empty one, or another scheme (`Basic …`; `Bearer:` is another, too): no token was presented. That is 401
  with a plain challenge and no error code (RFC 6750 §3.1), since the caller may not have known what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from tokenserver.errors import InvalidRequest, InvalidToken, MissingToken
from tokenserver.tokens.jws import LONGEST_TOKEN

_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")


class MalformedHeader(InvalidRequest):
    public = "The Authorization header is malformed: send one, with Bearer, one space and the access token."


def bearer_token(authorization: Sequence[str], proven_before: Container[str] = ()) -> str:
    """The token in the values of all `Authorization` headers of a request.

    The form of a text that was proven before need not be looked at again.
    """
    if not authorization:
        raise MissingToken
    scheme, _, unverified_token = ",".join(authorization).partition(" ")
    if scheme == "Bearer" and unverified_token in proven_before:
        return unverified_token
    if scheme.lower() != "bearer":
        raise MissingToken(detail="no bearer token")
    if len(unverified_token) > LONGEST_TOKEN:
        raise InvalidToken(detail="too long")
    if _TOKEN68.match(unverified_token) is None:
        raise MalformedHeader(detail="not one token68")
    return unverified_token
