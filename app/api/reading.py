"""What did the caller of the admin API send? Bodies, IDs, queries and conditions become values here, or are refused.

JSON is read strictly: UTF-8, one value, no member twice, no NaN or infinity, no half of a surrogate pair, of bounded
size, depth and number of members. Then its form is checked against a model (`app.inputs.checking`). Nothing that was
sent comes back: not a value, and not the name of an unknown member.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from flask import Request

from app.http import LARGEST_BODY
from app.inputs.bodies import Input
from app.inputs.checking import check
from tokenserver.errors import InvalidRequest, TooLarge, UnsupportedMediaType

MOST_MEMBERS = 1000

_SURROGATE = re.compile("[\ud800-\udfff]")
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)

Read = TypeVar("Read", bound=Input)


class WrongContentType(UnsupportedMediaType):
    public = "Send the body as JSON in UTF-8, with Content-Type: application/json and without Content-Encoding."


def bearer(environ: Mapping[str, Any]) -> str | None:
    """The token of the one Authorization header (RFC 6750 §2.1); None where there is no such thing.

    A header that is repeated arrives as a list with commas, which no token has.
    """
    found = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    return None if found is None else found.group(1)


def read_body(request: Request, model: type[Read], kinds: tuple[str, ...]) -> Read:
    """The body as `model`; an empty body is read as `{}` where no member is required."""
    # Where no length is told, Werkzeug cuts at the limit and says nothing.
    request.max_content_length = LARGEST_BODY + 1
    raw = request.get_data()
    if len(raw) > LARGEST_BODY:
        raise TooLarge
    if not raw and not any(field.is_required() for field in model.model_fields.values()):
        return check(model, {})
    kind = request.environ.get("CONTENT_TYPE", "").partition(";")[0].strip(" \t").lower()
    if kind not in kinds or request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise WrongContentType
    return check(model, parse(raw))


def parse(raw: bytes) -> object:
    """Strict JSON; raises InvalidRequest with a sentence that holds nothing of it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not text in UTF-8.") from None
    try:
        value: object = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            "The body is not one JSON value that can be read: mind quotation marks, commas and brackets, and send no"
            " NaN, no number beyond all bounds and no deep nesting."
        ) from None
    if "\\u" in text and any(_SURROGATE.search(found) for found in _texts(value)):
        raise InvalidRequest("The body holds an escape for half of a surrogate pair, without its other half.")
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidRequest("An object in the body has the same member twice.")
    if len(members) > MOST_MEMBERS:
        raise InvalidRequest("An object in the body has too many members.")
    return members


def _no_constant(_: str) -> object:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _texts(value: object) -> Iterator[str]:
    """Every text in it, names of members included."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            waiting += [*found, *found.values()]
        elif isinstance(found, list):
            waiting += found
