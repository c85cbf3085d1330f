"""What had somebody typed when they were asked who they are? Kept by the page that asks, and for them alone.

It is sealed under the operator who typed it: whoever signs in next at the same screen neither sees it nor sends it, and
nobody can have somebody else send what they have not typed. Who that is, each page knows by itself (`sign`): the
session that it was made for may have ended in whatever way, in another tab and with its cookie gone.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.store.sealing import CannotUnseal, Sealer
from tokenserver.clock import HOUR, Clock

LASTS = 12 * HOUR
"""Who comes back on another day begins anew."""

_PAGE = "page"


@dataclass(frozen=True, slots=True)
class Typed:
    """Where the form was sent, and its fields."""

    path: str
    fields: Sequence[tuple[str, str]] = field(repr=False)


class KeptForms:
    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        self._sealer = sealer
        self._clock = clock

    def sign(self, operator_id: str) -> str:
        """For the forms of a page that is made for this operator; never the same twice."""
        content = json.dumps([operator_id, int(self._clock()) + LASTS]).encode()
        return base64.urlsafe_b64encode(self._sealer.seal(content, _PAGE)).decode()

    def author(self, signed: str) -> str | None:
        """The operator for whom a page was made; None where that cannot be known, or is too long ago."""
        try:
            operator_id, until = json.loads(
                self._sealer.unseal(base64.urlsafe_b64decode(signed.encode("ascii")), _PAGE)
            )
        except (CannotUnseal, ValueError):
            return None
        return str(operator_id) if self._clock() < until else None

    def seal(self, operator_id: str, typed: Typed) -> str:
        """For a field of the page that asks."""
        content = json.dumps([typed.path, list(typed.fields), int(self._clock()) + LASTS]).encode()
        return base64.urlsafe_b64encode(self._sealer.seal(zlib.compress(content), _purpose(operator_id))).decode()

    def open(self, kept: str, operator_id: str) -> Typed | None:
        """What this operator had typed; None where it was somebody else, or it is no such thing, or too old."""
        try:
            sealed = base64.urlsafe_b64decode(kept.encode("ascii"))
            content = zlib.decompress(self._sealer.unseal(sealed, _purpose(operator_id)))
        except (CannotUnseal, ValueError):
            return None
        path, fields, until = json.loads(content)
        if until <= self._clock():
            return None
        return Typed(path, tuple((name, value) for name, value in fields))


def _purpose(operator_id: str) -> str:
    return f"form of {operator_id}"
