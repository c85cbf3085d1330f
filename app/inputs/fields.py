"""What may one field of a body hold? Types of fields: each reads strictly and says in our words what is wrong.

Text that people read (names, descriptions, reasons) may be in any script, right-to-left ones and emoji included. Spaces
around it are dropped and it is brought into Unicode's normal form C, so that what looks the same is the same. Refused
are control characters and line breaks (they forge log lines), and the characters that embed, override or isolate a
direction (they make text read as what it is not).

A moment is written as RFC 3339 says, with its offset; a fraction of a second is dropped. What is faulty comes back as a
hint that holds nothing of the input.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tokenserver.clock import DAY, rfc3339
from tokenserver.domain.allowed_ips import AllowedIPs, InvalidAllowedIPs
from tokenserver.domain.ip_notation import canonical_address
from tokenserver.domain.names import LONGEST_AUDIENCE, LONGEST_NAME, is_audience, is_name
from tokenserver.domain.restrictions import LONGEST_LIFETIME, SHORTEST_LIFETIME
from tokenserver.domain.schedule import LONGEST_GRACE

LONGEST_DESCRIPTION = 1000
LONGEST_REASON = 500
MOST_ROLES = 100
MOST_GRANTS = 50
MOST_SCOPES = 500
DEFAULT_GRACE = DAY

HINT = "hint"
FAULTS = "faults"

_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_REFUSED_KINDS = {"Cc", "Cs", "Zl", "Zp"}
_TURNS_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Letters, marks and symbols, says Unicode, that show nothing by themselves."""
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_EPOCH = datetime.fromtimestamp(0, UTC)
_END_OF_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that RFC 3339 can write


def refused(text: str) -> PydanticCustomError:
    """A fault of one field, in words for the caller; they hold nothing of the input."""
    return PydanticCustomError(HINT, "{hint}", {"hint": text})


def plain(text: str, least: int, most: int) -> str:
    """`text` as it will be kept. Long input is refused before any work is done on it."""
    tidy = unicodedata.normalize("NFC", text.strip(_SPACES)) if len(text) <= 4 * most else text
    if len(tidy) > most:
        raise refused(f"Must have at most {most} characters, and has {len(tidy)}.")
    if any(unicodedata.category(c) in _REFUSED_KINDS or c in _TURNS_DIRECTION for c in tidy):
        raise refused("Must not hold control characters, line breaks, or characters that turn the direction of text.")
    if least and not any(unicodedata.category(c)[0] in "LMNPS" and c not in _BLANK for c in tidy):
        raise refused("Must not be blank.")
    return tidy


def _plain(least: int, most: int) -> AfterValidator:
    return AfterValidator(lambda text: plain(text, least, most))


def _matching(matches: Callable[[str], bool], hint: str) -> AfterValidator:
    def check(text: str) -> str:
        if not matches(text):
            raise refused(hint)
        return text

    return AfterValidator(check)


def _long(least: int, most: int) -> Any:
    """Says the length in the schema; what is checked is the length of what will be kept."""
    return Field(json_schema_extra={"minLength": least, "maxLength": most})


def short(most: int) -> BeforeValidator:
    """Count before looking: a list that is too long gets one fault, not one for each of its items."""

    def check(value: object) -> object:
        if isinstance(value, list) and len(value) > most:
            raise refused(f"Must have at most {most} items.")
        return value

    return BeforeValidator(check)


def read_moment(value: object) -> int:
    """RFC 3339 §5.6 to seconds since the epoch."""
    shape = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if shape is None:
        raise refused("Must be a date and time with offset as in RFC 3339, such as 2030-12-31T23:59:59Z; or null.")
    date, time, offset = shape.groups()
    try:
        moment = int((datetime.fromisoformat(f"{date}T{time}{offset.upper()}") - _EPOCH).total_seconds())
    except ValueError:
        raise refused("There is no such date, time or offset.") from None
    if moment > _END_OF_TIME:
        raise refused("Must lie before the year 10000.")
    return moment


def a_year_after(now: float) -> int:
    """Twelve months later, to the second; from 29 February to 28 February."""
    day = datetime.fromtimestamp(int(now), UTC)
    try:
        later = day.replace(year=day.year + 1)
    except ValueError:
        later = day.replace(year=day.year + 1, day=28)
    return int(later.timestamp())


def read_allowed_ips(value: str | Sequence[str] | None) -> AllowedIPs | None:
    """Every faulty item becomes a fault of its own."""
    if value is None:
        return None
    try:
        return AllowedIPs.parse(value)
    except InvalidAllowedIPs as fault:
        raise PydanticCustomError(FAULTS, "{faults}", {"faults": fault.faults}) from None


def _address(text: str) -> str:
    canonical = canonical_address(text) if len(text) < 100 else None
    if canonical is None:
        raise refused("Must be an IP address, or null.")
    return canonical


def moment_text(seconds: float) -> str:
    """RFC 3339, for a moment that is there."""
    return str(rfc3339(seconds))


Name = Annotated[str, _plain(1, LONGEST_NAME), _long(1, LONGEST_NAME)]
PersonName = Annotated[str, _plain(0, LONGEST_NAME), _long(0, LONGEST_NAME)]
Description = Annotated[str, _plain(0, LONGEST_DESCRIPTION), _long(0, LONGEST_DESCRIPTION)]
Reason = Annotated[str, _plain(0, LONGEST_REASON), _long(0, LONGEST_REASON)]

_NAME_HINT = "Must be 1 to 100 plain letters, digits and _ . : / * -, beginning with a letter or a digit."
_AUDIENCE_HINT = "Must be an absolute URI without fragment, of at most 255 characters, such as https://api.example.com."
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
LONGEST_EMAIL = 254
_EMAIL_HINT = "Must be an e-mail address of at most 254 plain characters, such as ada@example.com."
Email = Annotated[
    str,
    _matching(lambda text: _EMAIL.fullmatch(text) is not None, _EMAIL_HINT),
    AfterValidator(str.lower),
    _long(3, LONGEST_EMAIL),
]
ProjectName = Annotated[str, _matching(is_name, _NAME_HINT), _long(1, LONGEST_NAME)]
Environment = Annotated[str, _matching(is_name, _NAME_HINT), _long(1, LONGEST_NAME)]
_ID_HINT = "Must be an ID as it was given out."
OperatorId = Annotated[str, _matching(is_name, _ID_HINT), _long(1, LONGEST_NAME)]
ClientId = Annotated[str, _matching(is_name, _ID_HINT), _long(1, LONGEST_NAME)]
RoleName = Annotated[str, _matching(is_name, _NAME_HINT), _long(1, LONGEST_NAME)]
ScopeName = Annotated[str, _matching(is_name, _NAME_HINT), _long(1, LONGEST_NAME)]
Audience = Annotated[str, _matching(is_audience, _AUDIENCE_HINT), _long(1, LONGEST_AUDIENCE)]

Roles = Annotated[list[RoleName], short(MOST_ROLES), Field(max_length=MOST_ROLES)]
ScopeNames = Annotated[list[ScopeName], short(MOST_SCOPES), Field(max_length=MOST_SCOPES)]

Moment = Annotated[int, PlainValidator(read_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
MomentText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Lifetime = Annotated[int, Field(ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)]
Grace = Annotated[int, Field(ge=1, le=LONGEST_GRACE)]

Address = Annotated[str, AfterValidator(_address)]
AllowedIps = Annotated[
    AllowedIPs | None,
    PlainValidator(read_allowed_ips),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                {"type": "null"},
            ]
        }
    ),
]
