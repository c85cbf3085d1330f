"""What does an issuer in memory say of one token (RFC 7662)? The answers behind `testing.FakeIssuer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from tokenserver.domain.liveness import Endings
from tokenserver.errors import InvalidToken
from tokenserver.tokens.jws import KeyOf
from tokenserver.tokens.statements import Statement
from tokenserver.tokens.verification import read_token_for_any, refuse_unless_live


def introspected(form: bytes, key_of: KeyOf, told: Statement, now: float) -> bytes:
    """The body of the answer. `told` is everything that has ended, as the feed would tell it."""
    token = parse_qs(form.decode("ascii")).get("token", [""])[0]
    try:
        claims = read_token_for_any(token, key_of, issuer=told.issuer)
        refuse_unless_live(claims, Endings().and_also(told.floors, told.tokens, told.keys), now)
    except InvalidToken:
        return b'{"active": false}'
    said: Mapping[str, object] = {"active": True, "token_type": "Bearer", **claims.raw}
    return json.dumps(said).encode()
