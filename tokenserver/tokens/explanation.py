"""Why is this token good, or not? The checks of a resource server, numbered, each with its outcome in words.

The verdict is the one of `verification`: signature, form and claims are judged by the very functions that guard an API,
and their `detail` says at which check it ended. What follows a check that failed there is skipped, since nothing in a
token counts that nobody has proven. After that, every check is made, so that a person sees all that is wrong at once.

A check that cannot be made (nothing is known of endings; no address was given) is skipped and says so. The words hold
nothing of the token but what its issuer signed, and never the token. Who may know no more of a token than that it was
proven, is told no more: `Explanation.of_a_stranger`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tokenserver.clock import rfc3339
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.liveness import Ending, Endings, ended_by
from tokenserver.errors import InvalidToken
from tokenserver.tokens.claims import ACCESS_TOKEN, AccessClaims, read_claims
from tokenserver.tokens.jws import KeyOf, open_signed
from tokenserver.tokens.keys import VerifyingKey
from tokenserver.tokens.verification import CLOCK_SKEW


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    number: int
    name: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token is held against. None: not known, so that the check is skipped."""

    issuer: str | None = None
    audience: str | None = None
    endings: Endings | None = None
    address: str | None = None
    allowed_ips: AllowedIPs | None = None
    """The list that the token refers to, where it does not carry its own."""
    roles: Collection[str] = ()
    scopes: Collection[str] = ()

    def with_list(self, allowed_ips: AllowedIPs) -> Expected:
        return replace(self, allowed_ips=allowed_ips)


@dataclass(frozen=True, slots=True)
class Explanation:
    checks: tuple[Check, ...]
    claims: AccessClaims | None
    """None unless the signature was proven."""

    @property
    def good(self) -> bool:
        """Whether no check failed."""
        return all(check.outcome is not Outcome.FAIL for check in self.checks)

    def of_a_stranger(self, why: str) -> Explanation:
        """The proof of it, and nothing that the token says; `why` no more is told."""
        told = [
            check if check.name in _PROVING else replace(check, outcome=Outcome.SKIPPED, reason=why)
            for check in self.checks
        ]
        return Explanation(tuple(told), None)

    def because(self, name: str, why: str) -> Explanation:
        """With another reason for the check `name`, where it failed."""
        told = [
            replace(check, reason=why) if check.name == name and check.outcome is Outcome.FAIL else check
            for check in self.checks
        ]
        return replace(self, checks=tuple(told))


_Verdict = tuple[Outcome, str]

_PROVING = ("form", "header", "key", "signature", "claims")
_BY_DETAIL: Mapping[str, tuple[str, str]] = {
    "too long": ("form", "It is longer than 8,192 characters: no token of this server is."),
    "not a compact JWS": ("form", "It is not three parts of base64url with dots between: was it cut or wrapped?"),
    "the header lacks kid, alg or typ": ("header", "The header lacks kid, alg or typ: it is no access token."),
    "of another type": ("header", "Its type is not at+jwt: it is another kind of token (an ID token, perhaps)."),
    "an extension that is not understood": ("header", "Its header has an extension that is not understood."),
    "unknown key": ("key", "It names a key that is not in the key set: another issuer, or a key set that is old."),
    "signing key revoked": ("key", "The key that it names was revoked."),
    "the algorithm is not the key's": ("key", "Its algorithm is not the one of the key that it names."),
    "bad signature": ("signature", "The signature is not of this key over this text: it was changed, or forged."),
}
_PROVEN = {
    "form": "It has the form of a signed token.",
    "header": "It says that it is an access token (at+jwt).",
    "key": "It names a key of the key set, and that key's algorithm.",
    "signature": "The issuer's key signed exactly this.",
    "claims": "Every claim is there, once, and of the right type.",
}
_ENDED = {
    Ending.GENERATION: "Its generation has ended: the secret was regenerated, or the credential narrowed or ended.",
    Ending.ORGANIZATION: "The organization's generation has ended: it was suspended, or everything was ended.",
    Ending.TOKEN: "This very token was revoked.",
    Ending.KEY: "The key that signed it was revoked.",
}


def explain(unverified_token: str, key_of: KeyOf, expected: Expected, now: float) -> Explanation:
    """Every check, in the order in which a resource server makes them."""
    proven = _proven(unverified_token, key_of)
    if isinstance(proven, AccessClaims):
        verdicts = [(name, (Outcome.PASS, _PROVEN[name])) for name in _PROVING]
        verdicts += _judged(proven, expected, now)
        return Explanation(_numbered(verdicts), proven)
    failed, reason = proven
    at = _PROVING.index(failed)
    verdicts = [(name, (Outcome.PASS, _PROVEN[name])) for name in _PROVING[:at]]
    verdicts.append((failed, (Outcome.FAIL, reason)))
    rest = [*_PROVING[at + 1 :], "issuer", "audience", "time", "endings", "address", "roles", "scopes"]
    verdicts += [(name, (Outcome.SKIPPED, "Nothing in it counts that is not proven.")) for name in rest]
    return Explanation(_numbered(verdicts), None)


def _proven(unverified_token: str, key_of: KeyOf) -> AccessClaims | tuple[str, str]:
    """The claims; or the check that failed, and why."""
    asked_for: list[str] = []

    def noticing(kid: str) -> VerifyingKey | None:
        asked_for.append(kid)
        return key_of(kid)

    try:
        opened = open_signed(unverified_token, ACCESS_TOKEN, noticing)
    except InvalidToken as fault:
        return _BY_DETAIL.get(fault.detail) or (_after_the_header if asked_for else _of_the_header)(fault.detail)
    try:
        return read_claims(opened)
    except InvalidToken as fault:
        return "claims", _faulty_claim(fault.detail)


def _of_the_header(detail: str) -> tuple[str, str]:
    """The header is read before any key is asked for."""
    return "header", f"The header cannot be read: {detail}."


def _after_the_header(detail: str) -> tuple[str, str]:
    """Signature and payload are read after that."""
    return ("signature" if detail == "not base64url" else "claims"), f"It cannot be read: {detail}."


def _faulty_claim(detail: str) -> str:
    if detail == "sub is not client_id":
        return "sub and client_id differ."
    if detail.startswith("claim "):
        return f"The claim {detail.removeprefix('claim ')} is missing, of another type or out of range."
    return f"It cannot be used here: {detail}."


def _judged(claims: AccessClaims, expected: Expected, now: float) -> list[tuple[str, _Verdict]]:
    return [
        ("issuer", _issuer(claims, expected)),
        ("audience", _audience(claims, expected)),
        ("time", _time(claims, now)),
        ("endings", _endings(claims, expected, now)),
        ("address", _address(claims, expected)),
        ("roles", _held("role", expected.roles, claims.roles)),
        ("scopes", _held("scope", expected.scopes, claims.scopes)),
    ]


def _issuer(claims: AccessClaims, expected: Expected) -> _Verdict:
    if expected.issuer is None:
        return Outcome.SKIPPED, f"It says {claims.issuer}; no issuer was given to compare it with."
    if claims.issuer != expected.issuer:
        return Outcome.FAIL, f"It is of {claims.issuer}: compare to the letter, a slash at the end counts."
    return Outcome.PASS, f"It is of {claims.issuer}."


def _audience(claims: AccessClaims, expected: Expected) -> _Verdict:
    said = ", ".join(claims.audience)
    if expected.audience is None:
        return Outcome.SKIPPED, f"It is for {said}; no API was given to compare it with."
    if expected.audience not in claims.audience:
        return Outcome.FAIL, f"It is for {said}, and not for this API: ask for one with the parameter resource."
    return Outcome.PASS, f"It is for {said}."


def _time(claims: AccessClaims, now: float) -> _Verdict:
    if now >= claims.expires_at:
        return Outcome.FAIL, f"It expired at {rfc3339(claims.expires_at)}: fetch a new one."
    if now + CLOCK_SKEW < max(claims.not_before, claims.issued_at):
        return (
            Outcome.FAIL,
            f"It is not valid before {rfc3339(max(claims.not_before, claims.issued_at))}: mind the clock.",
        )
    return Outcome.PASS, f"It is valid until {rfc3339(claims.expires_at)}."


def _endings(claims: AccessClaims, expected: Expected, now: float) -> _Verdict:
    if expected.endings is None:
        return Outcome.SKIPPED, "Whether it was ended before its time is not known here: ask with the server's address."
    ending = ended_by(claims, expected.endings, now)
    if ending is not None:
        return Outcome.FAIL, _ENDED[ending]
    return Outcome.PASS, f"Nothing has ended it: generation {claims.generation} is live."


def _address(claims: AccessClaims, expected: Expected) -> _Verdict:
    if claims.allowed_ips is None and claims.allowed_ips_sha256 is None:
        return Outcome.PASS, "It may be used from anywhere."
    allowed = claims.allowed_ips or expected.allowed_ips
    if expected.address is None:
        return Outcome.SKIPPED, "It may be used from some addresses only; none was given."
    if allowed is None:
        return Outcome.SKIPPED, "It refers to a list of addresses that is not known here."
    if not allowed.admits(expected.address):
        return Outcome.FAIL, "It may not be used from this address."
    return Outcome.PASS, "It may be used from this address."


def _held(what: str, required: Collection[str], held: Collection[str]) -> _Verdict:
    said = f"It has {', '.join(sorted(held)) or 'none'}."
    if not required:
        return Outcome.SKIPPED, f"{said} No {what} was given to ask for."
    missing = sorted(set(required) - set(held))
    if missing:
        return Outcome.FAIL, f"It lacks {', '.join(missing)}. {said}"
    return Outcome.PASS, said


def _numbered(verdicts: list[tuple[str, _Verdict]]) -> tuple[Check, ...]:
    return tuple(
        Check(number, name, outcome, reason) for number, (name, (outcome, reason)) in enumerate(verdicts, start=1)
    )
