"""Is this still what the caller read? ETags and If-Match (RFC 9110 §13.1.1).

The ETag of a thing is its version in quotation marks. If-Match takes one of them, or `*` for any version. Comparison is
strong: a weak tag, or one that we never gave out, matches nothing (412); what is no tag at all is malformed (400).
"""

from __future__ import annotations

import re
from enum import Enum

from app.http import Headers
from tokenserver.errors import InvalidRequest, PreconditionFailed, PreconditionRequired

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_VERSION = re.compile(r"[1-9][0-9]{0,15}")


class Condition(Enum):
    """What an operation does with If-Match."""

    IGNORED = "ignored"
    OPTIONAL = "optional"
    REQUIRED = "required"


def etag(version: int) -> Headers:
    return [("ETag", f'"{version}"')]


def expected_version(if_match: str | None, condition: Condition) -> int | None:
    """The version that is meant; None for any."""
    if condition is Condition.IGNORED:
        return None
    if if_match is None:
        if condition is Condition.REQUIRED:
            raise PreconditionRequired
        return None
    text = if_match.strip(" \t")
    if text == "*":
        return None
    found = _TAG.fullmatch(text)
    if found is None:
        raise InvalidRequest("If-Match takes one ETag in quotation marks, as it was given, or *.")
    weak, tag = found.groups()
    if weak or _VERSION.fullmatch(tag) is None:
        raise PreconditionFailed
    return int(tag)
