"""What did the caller of the admin API send? Bodies, IDs, queries and conditions become values here, or are refused.

JSON is read strictly: UTF-8, one value, no member twice, no NaN or infinity, no half of a surrogate pair, of bounded
size, depth and number of members. Then its form is checked against a model, and each faulty field is named by its
pointer, with a hint of ours. Nothing that was sent comes back: not a value, and not the name of an unknown member.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from flask import Request
from pydantic import BaseModel, ValidationError

from app.api.fields import FAULTS, HINT
from app.api.inputs import Input
from app.http import LARGEST_BODY
from tokenserver.errors import Fault, InvalidInput, InvalidRequest, TooLarge, UnsupportedMediaType

MOST_MEMBERS = 1000
MOST_FAULTS = 1000

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


def check(model: type[Read], value: object) -> Read:
    """`value` as `model`; raises InvalidInput with every faulty field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = dict.fromkeys(_faults(model, error))
    faults = list(found)
    if len(faults) > MOST_FAULTS:
        more = Fault("", f"Faults that are not listed here: {len(faults) - MOST_FAULTS}.")
        faults = [*faults[:MOST_FAULTS], more]
    raise InvalidInput(faults)


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


_HINTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "Is required.",
    "model_type": lambda _: "Must be an object.",
    "string_type": lambda _: "Must be text.",
    "int_type": lambda _: "Must be a whole number.",
    "bool_type": lambda _: "Must be true or false.",
    "list_type": lambda _: "Must be a list.",
    "enum": lambda told: f"Must be one of: {told['expected']}.",
    "greater_than_equal": lambda told: f"Must be at least {told['ge']}.",
    "less_than_equal": lambda told: f"Must be at most {told['le']}.",
    HINT: lambda told: str(told["hint"]),
}
"""What pydantic calls a fault, in our words. What it says of it is ours as well: bounds and choices of the model."""


def _faults(model: type[Input], error: ValidationError) -> Iterator[Fault]:
    for found in error.errors(include_url=False, include_input=False):
        place, told = found["loc"], found.get("ctx", {})
        if found["type"] == "extra_forbidden":
            known = ", ".join(_model_at(model, place[:-1]).model_fields) or "none"
            yield Fault(pointer(place[:-1]), f"Has a member that is not known. Known are: {known}.")
        elif found["type"] == FAULTS:
            yield from (Fault(pointer(place) + fault.pointer, fault.hint) for fault in told["faults"])
        else:
            hint = _HINTS.get(found["type"])
            yield Fault(pointer(place), hint(told) if hint is not None else "Is not valid.")


def pointer(place: tuple[int | str, ...]) -> str:
    """RFC 6901 §3."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def _model_at(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel]:
    for step in place:
        if isinstance(step, str):
            model = next(_models_in(model.model_fields[step].annotation))
    return model


def _models_in(form: object) -> Iterator[type[BaseModel]]:
    """Those that an annotation names, however deep: `list[Model] | None`."""
    if isinstance(form, type) and issubclass(form, BaseModel):
        yield form
    for inner in get_args(form):
        yield from _models_in(inner)
