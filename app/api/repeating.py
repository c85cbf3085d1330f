"""Was this request sent before? `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), on every POST.

The same key with the same request gets the same answer, with `Idempotent-Replayed: true`, and nothing is done again;
with another request, 422; while the first is being worked on, 409. A key is of one caller and lasts a day.

A secret is never kept. In a replayed answer every member that holds one is null, and `notice` says what to do.

The key is a text of up to 255 visible characters; quoted, as the draft has it, or not, as most send it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import replace
from typing import Any

from flask import Request, Response

from app.api.operation import Answer, Call, Operation
from app.api.outputs import Output
from app.http import respond
from app.services.idempotency import Attempt, Idempotency, InProgress, Kept
from tokenserver.errors import InvalidRequest

NOTICE = "This is the answer of before. Secrets are not kept: if this one was lost, regenerate it."
_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x7e]{1,255})')


class Repeating:
    def __init__(self, idempotency: Idempotency) -> None:
        self._idempotency = idempotency

    def answered(self, request: Request, operation: Operation, call: Call) -> Response:
        """The answer to `call`, which is done once however often it is sent."""
        attempt = _attempt(request, operation)
        if attempt is None:
            return _first(operation, operation.handler(call))
        kept = self._idempotency.kept(call.caller, attempt)
        if kept is not None:
            return _replayed(kept)
        try:
            answer = operation.handler(replace(call, caller=replace(call.caller, attempt=attempt)))
        except InProgress:  # another one was faster
            kept = self._idempotency.kept(call.caller, attempt)
            if kept is None:
                raise
            return _replayed(kept)
        body = None if answer.body is None else json.dumps(without_secrets(answer.body))
        self._idempotency.keep(call.caller, attempt, operation.status, answer.headers, body)
        return _first(operation, answer)


def without_secrets(body: Output) -> dict[str, Any]:
    """As JSON, with null for each member whose declaration says that it is not to be shown (`repr=False`)."""
    told, hidden = _hidden(body, body.model_dump(mode="json"))
    return {**told, "notice": NOTICE} if hidden else told


def _hidden(body: Output, told: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    found = False
    for name, field in type(body).model_fields.items():
        value = getattr(body, name)
        if not field.repr:
            told[name], found = None, True
        elif isinstance(value, Output):
            told[name], hidden = _hidden(value, told[name])
            found = found or hidden
        elif isinstance(value, list) and value and isinstance(value[0], Output):
            pairs = [_hidden(item, shown) for item, shown in zip(value, told[name], strict=True)]
            told[name] = [shown for shown, _ in pairs]
            found = found or any(hidden for _, hidden in pairs)
    return told, found


def _attempt(request: Request, operation: Operation) -> Attempt | None:
    key = request.headers.get("Idempotency-Key")
    if key is None or operation.method != "POST":
        return None
    found = _KEY.fullmatch(key.strip(" \t"))
    if found is None:
        raise InvalidRequest("Idempotency-Key takes one key of up to 255 visible ASCII characters, such as a UUID.")
    asked = [request.full_path, request.headers.get("If-Match", ""), request.get_data().hex()]
    return Attempt(key=_digest(found[1] or found[2]), request=_digest(json.dumps(asked)), id=secrets.token_urlsafe(12))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _first(operation: Operation, answer: Answer) -> Response:
    if answer.stream is not None:
        return Response(answer.stream, operation.status, answer.headers, content_type=answer.kind)
    body = None if answer.body is None else answer.body.model_dump(mode="json")
    return respond(body, operation.status, answer.headers)


def _replayed(kept: Kept) -> Response:
    body = None if kept.body is None else json.loads(kept.body)
    return respond(body, kept.status or 200, [*kept.headers, ("Idempotent-Replayed", "true")])
