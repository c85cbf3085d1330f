"""Does a value have the form that a model says? Each faulty field is named by its pointer, with a hint of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from app.inputs.bodies import Input
from app.inputs.fields import FAULTS, HINT
from tokenserver.errors import Fault, InvalidInput

MOST_FAULTS = 1000

Read = TypeVar("Read", bound=Input)


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


_HINTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "Is required.",
    "model_type": lambda _: "Must be an object.",
    "string_type": lambda _: "Must be text.",
    "int_type": lambda _: "Must be a whole number.",
    "bool_type": lambda _: "Must be true or false.",
    "list_type": lambda _: "Must be a list.",
    "enum": lambda told: f"Must be one of: {told['expected']}.",
    "literal_error": lambda told: f"Must be one of: {told['expected']}.",
    "too_short": lambda _: "Must not be empty.",
    "too_long": lambda told: f"Must have at most {told['max_length']} items.",
    "string_too_short": lambda _: "Must not be empty.",
    "string_too_long": lambda told: f"Must have at most {told['max_length']} characters.",
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
