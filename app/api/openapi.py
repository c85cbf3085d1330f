"""What does the admin API say of itself? The OpenAPI 3.1 document, made from the table and the models it names.

Every operation documents every status it can answer. Addresses are made from the issuer, never from a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from app.api.conditions import Condition
from app.api.examples import PROBLEM
from app.api.operation import Operation
from app.api.outputs import Problem
from app.api.subjects import ELSEWHERE, SUBJECTS
from app.inputs.audit import PARAMETERS
from app.inputs.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.selection import Order

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

_SCHEMAS = "#/components/schemas/"
_QUERY: dict[str, Schema] = {
    "limit": {
        "description": "The most items of a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
    },
    "cursor": {
        "description": "Where the page begins: `next` of the page before. Opaque.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,2000}$"},
    },
    "cascade": {
        "description": "Take it from every credential that holds it; their tokens that are out end.",
        "schema": {"type": "boolean", "default": False},
    },
    **PARAMETERS,
}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_QUERY |= {
    "status": {
        "description": "One status, or several separated by commas.",
        "schema": {**_TEXT, "examples": ["active,expires_soon"]},
    },
    "q": {"description": "Text in the name, in whatever spelling; or a client ID.", "schema": _TEXT},
    "role": {"description": "Holds this role.", "schema": _TEXT},
    "owner": {"description": "Personal credentials of this operator.", "schema": _TEXT},
    "project": {"description": "In this project.", "schema": _TEXT},
    "environment": {"description": "In this environment.", "schema": _TEXT},
    "created_by": {"description": "Made by this actor, as the credential shows it.", "schema": _TEXT},
    "expires_before": {"description": "Expires, or has expired, before this moment.", "schema": _MOMENT},
    "unused_since": {"description": "Older than this moment, and not used since.", "schema": _MOMENT},
    "days": {
        "description": "How many days back.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 90, "default": 30},
    },
    "seq": {
        "description": "The number of a change of the generation feed: `feed_seq` of the answer to what was done.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    },
    "sort": {
        "description": "By what, and with a hyphen backwards. What never expires is later, and what was never used"
        " longer ago, than any moment. What is used while pages are read moves: by `last_used_at` behind the rest,"
        " so that it may be seen twice; by `-last_used_at` before it, to the first page.",
        "schema": {"type": "string", "enum": [order.value for order in Order], "default": Order.NEWEST.value},
    },
}
_HEADERS: dict[str, Schema] = {
    "ETag": {"description": "The version, for If-Match.", "required": True, "schema": {"type": "string"}},
    "Location": {
        "description": "The address of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    },
    "Link": {"description": 'The next page, with rel="next"; not on the last one.', "schema": {"type": "string"}},
    "X-Request-Id": {
        "description": "Names this request in logs and audit log.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "What proof is missing (RFC 6750).", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where this request was answered before, and nothing was done again.",
        "schema": {"type": "string", "const": "true"},
    },
    "RateLimit-Policy": {
        "description": "The limit that this request counts against (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"address";q=500;w=60',
    },
    "RateLimit": {
        "description": "What is left of it (`r`), and in how many seconds it is whole again (`t`).",
        "schema": {"type": "string"},
        "example": '"address";r=499;t=42',
    },
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer"}},
}
_LIMIT = ("RateLimit-Policy", "RateLimit")
_REFUSALS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("Malformed", "The request cannot be read: JSON, a parameter of the URL, or If-Match.", ()),
    401: ("NoToken", "The access token is missing, malformed or not valid.", ("WWW-Authenticate",)),
    403: ("Forbidden", "The token lacks a scope, or may not be used from this address.", ("WWW-Authenticate",)),
    404: ("NotFound", "There is nothing with this ID in your organization, or no organization that you may name.", ()),
    409: ("Conflict", "The present state does not allow it; `code` says why.", ()),
    412: ("Changed", "It has changed since it was read: If-Match names another version.", ()),
    413: ("TooLarge", "The body is larger than 1 MiB.", ()),
    415: ("NotJson", "The content type or encoding of the body is not supported.", ()),
    422: ("Invalid", "One or more fields are wrong; each has a pointer and a hint.", ()),
    429: ("TooMany", "Too many requests: wait as long as Retry-After says.", ("Retry-After", *_LIMIT)),
    428: ("NoCondition", "If-Match is missing.", ()),
    500: ("Failed", "The server failed; its log has more under the request's ID.", ()),
    503: ("Unavailable", "The server cannot know or cannot record at the moment. Nothing was done.", ("Retry-After",)),
}


class _Generator(GenerateJsonSchema):
    """Without the titles that repeat the names."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  pydantic's signature
        return False


def described(table: Sequence[Operation], issuer: str) -> Schema:
    """The document."""
    paths: Schema = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    scopes = {scope: "" for operation in table for scope in (operation.scope, operation.own) if scope is not None}
    return {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": issuer}],
        "tags": [{"name": tag} for tag in dict.fromkeys(map(_tag, table))],
        "security": [{"oauth2": []}],
        "paths": paths,
        "components": {
            "schemas": dict(_schemas(*_models(table))),
            "responses": {name: _refusal(status) for status, (name, _, _) in _REFUSALS.items()},
            "headers": _HEADERS,
            "securitySchemes": {"oauth2": _security(issuer, scopes)},
        },
    }


def statuses(operation: Operation) -> Iterable[int]:
    """Every status of a problem that this operation can answer."""
    yield from (400, 401, 403, 404)
    if operation.conflicts or operation.method == "POST":
        yield 409
    if operation.condition is not Condition.IGNORED:
        yield 412
    if operation.takes is not None:
        yield from (413, 415, 422)
    if operation.condition is Condition.REQUIRED:
        yield 428
    yield from (429, 500, 503)


def _info() -> Schema:
    return {
        "title": "tokenserver admin API",
        "version": "1",
        "summary": "Create, restrict, rotate and end the credentials that machines fetch their access tokens with.",
        "description": (
            f"Fetch a token with the client-credentials grant and `resource={ADMIN_AUDIENCE}`, and send it as"
            " `Authorization: Bearer`. Every failure is a problem document (RFC 9457) and repeats no input."
            " Bodies with unknown members are refused; answers may gain members."
        ),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }


def _operation(operation: Operation) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "tags": [_tag(operation)],
        "summary": operation.summary,
        "description": operation.description,
        "security": [{"oauth2": [scope]} for scope in (operation.scope, operation.own) if scope is not None],
        "responses": _responses(operation),
    }
    parameters = list(_parameters(operation))
    if parameters:
        described["parameters"] = parameters
    if operation.takes is not None:
        described["requestBody"] = _request_body(operation, operation.takes)
    return described


def _tag(operation: Operation) -> str:
    return operation.path.split("/")[2]


def _parameters(operation: Operation) -> Iterable[Schema]:
    for name in operation.ids:
        form = {"type": "string", "pattern": f"^{SUBJECTS[name].pattern}$"}
        yield {"name": name, "in": "path", "required": True, "schema": form}
    for query in operation.query:
        yield {"name": query, "in": "query", "required": False, **_QUERY[query]}
    yield {
        "name": ELSEWHERE,
        "in": "header",
        "required": False,
        "description": "The organization that is meant, where a platform admin means another one than their own.",
        "schema": {"type": "string", "pattern": f"^{SUBJECTS['organization_id'].pattern}$"},
    }
    if operation.condition is not Condition.IGNORED:
        yield {
            "name": "If-Match",
            "in": "header",
            "required": operation.condition is Condition.REQUIRED,
            "description": "The ETag of the version that is meant, or `*` for any.",
            "schema": {"type": "string"},
            "example": '"1"',
        }
    if operation.method == "POST":
        yield _IDEMPOTENCY_KEY


_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Repeat a request under the same key as often as you like: it is done once, and answered as the first time"
        " within a day, but for secrets. 409: the first is being worked on. 422: the key was of another request."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-+\\--~]+$"},
    "example": "0d5b6a1e-6b1c-4f0e-9a57-2f0f7c1f6c55",
}


def _request_body(operation: Operation, model: type[BaseModel]) -> Schema:
    content: Schema = {"schema": {"$ref": _SCHEMAS + model.__name__}}
    content["example"] = operation.asked if operation.asked is not None else {}
    required = any(field.is_required() for field in model.model_fields.values())
    return {"required": required, "content": dict.fromkeys(operation.kinds, content)}


def _responses(operation: Operation) -> Schema:
    responses: Schema = {str(operation.status): _success(operation)}
    for status in statuses(operation):
        responses[str(status)] = {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"}
    return responses


def _success(operation: Operation) -> Schema:
    headers = ["X-Request-Id", *_LIMIT]
    if operation.method == "POST":
        headers.append("Idempotent-Replayed")
    if operation.gives is not None:
        headers += ["Link"] if "cursor" in operation.query else ["ETag"] if operation.versioned else []
    if operation.status == 201:
        headers.append("Location")
    described: Schema = {"description": "Done." if operation.gives is None else operation.summary, **_carrying(headers)}
    if operation.gives is not None:
        schema = {"$ref": _SCHEMAS + operation.gives.__name__}
        examples = (operation.answered or {}) if operation.streams else {"application/json": operation.answered}
        described["content"] = {kind: {"schema": schema, "example": example} for kind, example in examples.items()}
    return described


def _refusal(status: int) -> Schema:
    _, description, headers = _REFUSALS[status]
    content: Schema = {"schema": {"$ref": _SCHEMAS + Problem.__name__}}
    if PROBLEM["status"] == status:
        content["example"] = PROBLEM
    return {
        "description": description,
        **_carrying(["X-Request-Id", *headers]),
        "content": {"application/problem+json": content},
    }


def _carrying(headers: Iterable[str]) -> Schema:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers}}


def _models(table: Sequence[Operation]) -> Iterable[tuple[type[BaseModel], Mode]]:
    """Every model of the table once, and whether it is read or written."""
    for taken in dict.fromkeys(operation.takes for operation in table if operation.takes is not None):
        yield taken, "validation"
    for given in dict.fromkeys(operation.gives for operation in table if operation.gives is not None):
        yield given, "serialization"
    yield Problem, "validation"


@cache
def _schemas(*models: tuple[type[BaseModel], Mode]) -> Schema:
    """JSON Schemas (2020-12) by name: a tenth of a second of work, and the same in every application."""
    _, found = models_json_schema(models, ref_template=_SCHEMAS + "{model}", schema_generator=_Generator)
    schemas: Schema = found["$defs"]
    return dict(sorted(schemas.items()))


def _security(issuer: str, scopes: dict[str, str]) -> Schema:
    described = {scope: _scope_description(scope) for scope in scopes}
    flow = {"tokenUrl": f"{issuer}/oauth/token", "scopes": described}
    return {
        "type": "oauth2",
        "description": f"A token of this server for the audience {ADMIN_AUDIENCE}.",
        "flows": {"clientCredentials": flow},
    }


def _scope_description(scope: str) -> str:
    if scope == "usage:write":
        return "Report usage, as resource servers do."
    subject, _, kind = scope.partition(":")
    return f"{'Read' if kind == 'read' else 'Create, change and end'} {subject}."
