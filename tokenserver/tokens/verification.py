"""Is this token good, here and now? The pure core of every check: the same arguments, the same answer.

Two halves. `read_token` proves what does not change while a token lives (signature, form, issuer, audience), so its
result may be remembered until the token expires. `refuse_unless_live` is asked at every request: time, generation,
organization, token, key. Address, roles and scopes follow in the guard.

Clock skew: `not before` and `issued at` are given ten seconds, for a resource server whose clock is behind. An expiry
is given none: a token ends on the second it says, because promises about expiry and grace periods rest on it.
"""

from __future__ import annotations

from tokenserver.domain.liveness import Ending, Endings, ended_by
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import ACCESS_TOKEN, AccessClaims, read_claims
from tokenserver.tokens.jws import KeyOf, open_signed

CLOCK_SKEW = 10

_ENDED = {
    Ending.GENERATION: "generation below the floor",
    Ending.ORGANIZATION: "organization generation below the floor",
    Ending.TOKEN: "token revoked",
    Ending.KEY: "signing key revoked",
}


def read_token(unverified_token: str, key_of: KeyOf, *, issuer: str, audience: str) -> AccessClaims:
    """The claims of a token that `issuer` signed for `audience`; raises InvalidToken."""
    claims = read_token_for_any(unverified_token, key_of, issuer=issuer)
    if audience not in claims.audience:
        raise InvalidToken(detail="another audience")
    return claims


def read_token_for_any(unverified_token: str, key_of: KeyOf, *, issuer: str) -> AccessClaims:
    """As `read_token`, for the issuer itself: the caller of this looks at the audience."""
    claims = read_claims(open_signed(unverified_token, ACCESS_TOKEN, key_of))
    if claims.issuer != issuer:
        raise InvalidToken(detail="another issuer")
    return claims


def refuse_unless_live(claims: AccessClaims, endings: Endings, now: float) -> None:
    """Raise InvalidToken unless the token is live at `now`, by every source that can end it."""
    if now >= claims.expires_at:
        raise InvalidToken(detail="expired")
    if now + CLOCK_SKEW < claims.not_before or now + CLOCK_SKEW < claims.issued_at:
        raise InvalidToken(detail="not yet valid")
    ending = ended_by(claims, endings, now)
    if ending is not None:
        raise InvalidToken(detail=_ENDED[ending])
