"""What did the caller of the token endpoint send? Read once; below this nothing sees HTTP.

Refused here, before any library sees them: anything but a POST of a form, parameters in the URL, repeated parameters
(except `resource`), two ways to authenticate at once, NUL, text that is not UTF-8, too much of anything. Empty
parameters count as absent and unknown ones are ignored (RFC 6749 §3.2). A `client_id` in the body beside HTTP Basic
is no second authentication while it names the same client. Whatever is wrong with a Basic header is a failed
authentication, with the same answer and the same audit line as a wrong secret: it goes on as nobody's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from app.services.issuing import TokenRequest
from tokenserver.domain.names import is_audience
from tokenserver.domain.secret import LONGEST_SECRET, Secret
from tokenserver.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    MethodNotAllowed,
    TooLarge,
    UnsupportedGrantType,
)

GRANT_TYPE = "client_credentials"
LARGEST_FORM = 64 * 1024
"""Bytes."""
_FORM = "application/x-www-form-urlencoded"
_SHORT_BODY = 256
_MOST_FIELDS = 64
_LONGEST_HEADER = 4096
_BASIC = re.compile(r"basic +([A-Za-z0-9+/_-]+={0,2}) *\Z", re.IGNORECASE)
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*\Z")
_ASSERTIONS = {"client_assertion", "client_assertion_type"}
_NOBODY = ("", "")


class NotAPost(MethodNotAllowed):
    code = "invalid_request"
    public = "Use POST with a form body."


class BodyTooLarge(TooLarge):
    code = "invalid_request"


def read_form(environ: Mapping[str, Any]) -> dict[str, list[str]]:
    """The form's non-empty parameters, not to be changed; raises InvalidRequest and its kin.

    A short body beside HTTP Basic holds no secret and says the same from request to request: it is read once.
    """
    if environ["REQUEST_METHOD"] != "POST":
        raise NotAPost
    if environ.get("QUERY_STRING"):
        raise InvalidRequest("Send the parameters in the body, not in the URL.")
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != _FORM or environ.get("HTTP_CONTENT_ENCODING"):
        raise InvalidRequest("The body must have the content type application/x-www-form-urlencoded.")
    body = _body(environ)
    if "HTTP_AUTHORIZATION" in environ and len(body) <= _SHORT_BODY:
        return _remembered_parameters(body)
    return _parameters(body)


def token_request(
    environ: Mapping[str, Any], form: Mapping[str, list[str]], address: str, request_id: str
) -> TokenRequest:
    """Everything the service needs, as values; raises Refused, never KeyError."""
    _refuse_repeated(form)
    grant_type = _single(form, "grant_type")
    if grant_type is None:
        raise InvalidRequest("The parameter grant_type is missing.")
    if grant_type != GRANT_TYPE:
        raise UnsupportedGrantType
    client_id, secret = _credentials(environ.get("HTTP_AUTHORIZATION"), form)
    return TokenRequest(client_id, Secret(secret), _scopes(form), _resource(form), address, request_id)


def authentication(environ: Mapping[str, Any], form: Mapping[str, list[str]]) -> tuple[str, Secret]:
    """Who wants to be proven, where nothing else is asked for."""
    _refuse_repeated(form)
    client_id, secret = _credentials(environ.get("HTTP_AUTHORIZATION"), form)
    return client_id, Secret(secret)


def _refuse_repeated(form: Mapping[str, list[str]]) -> None:
    for name, values in form.items():
        if len(values) > 1 and name != "resource":
            raise InvalidRequest("A parameter is repeated.")


def _body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length[:12]) > LARGEST_FORM:
        raise BodyTooLarge
    body: bytes = environ["wsgi.input"].read(LARGEST_FORM + 1)
    if len(body) > LARGEST_FORM:
        raise BodyTooLarge
    return body


def _parameters(body: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidRequest("The body is not a form in UTF-8, or has too many parameters.") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise InvalidRequest("The body holds a NUL character.")
        if value:
            form.setdefault(name, []).append(value)
    return form


_remembered_parameters = lru_cache(maxsize=1024)(_parameters)


def _credentials(header: str | None, form: Mapping[str, list[str]]) -> tuple[str, str]:
    client_id, secret = _single(form, "client_id"), _single(form, "client_secret")
    if header is None:
        if secret is not None and _ASSERTIONS & form.keys():
            raise InvalidRequest("Authenticate in one way only.")
        if client_id is None or secret is None or len(secret) > LONGEST_SECRET:
            return _NOBODY
        return client_id, secret
    if secret is not None or _ASSERTIONS & form.keys():
        raise InvalidRequest("Authenticate in one way only: HTTP Basic, or client_id and client_secret in the body.")
    authenticating = _basic(header)
    if client_id is not None and authenticating is not _NOBODY and client_id != authenticating[0]:
        raise InvalidRequest("The client_id in the body is not the one that authenticates.")
    return authenticating


def _basic(header: str) -> tuple[str, str]:
    """Both halves of HTTP Basic, percent-decoded (RFC 6749 §2.3.1); of a malformed one, nothing."""
    found = _BASIC.match(header) if len(header) <= _LONGEST_HEADER else None
    if found is None:
        return _NOBODY
    encoded = found.group(1).rstrip("=")
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        client_id, secret = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        return _NOBODY
    if not colon or "\0" in text or "\0" in client_id or "\0" in secret:
        return _NOBODY
    return client_id, secret


def _scopes(form: Mapping[str, list[str]]) -> frozenset[str] | None:
    text = _single(form, "scope")
    if text is None:
        return None
    if _SCOPE.match(text) is None:
        raise InvalidScope
    return frozenset(text.split(" "))


def _resource(form: Mapping[str, list[str]]) -> str | None:
    named = set(form.get("resource", ()))
    if not named:
        return None
    if len(named) > 1:
        raise InvalidTarget("One token is for one resource: ask for one at a time.")
    resource = named.pop()
    if not is_audience(resource):
        raise InvalidTarget("A resource is an absolute URI without fragment.")
    return resource


def _single(form: Mapping[str, list[str]], name: str) -> str | None:
    values = form.get(name)
    return values[0] if values else None
