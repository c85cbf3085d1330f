"""What may be named in a path? Each kind of ID: what it looks like, and what is said where there is no such thing.

What does not look like an ID is nobody's, and is not looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tokenserver.errors import NotFound


@dataclass(frozen=True, slots=True)
class Subject:
    pattern: str
    missing: str

    def is_like(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text) is not None

    def refuse_unless_like(self, text: str) -> None:
        if not self.is_like(text):
            raise NotFound(self.missing)


ELSEWHERE = "Tokenserver-Organization"
"""The header in which a platform admin names the organization that a request is about, if not their own."""
NOWHERE = "org_"

SUBJECTS: Mapping[str, Subject] = {
    "client_id": Subject("tsc_[0-9A-Za-z]{22}", "There is no credential with this client ID."),
    "api_id": Subject("api_[0-9A-Za-z]{16}", "There is no API with this ID."),
    "organization_id": Subject("org_[0-9A-Za-z]{16}", "There is no organization with this ID."),
    "project_id": Subject("prj_[0-9A-Za-z]{16}", "There is no project with this ID."),
    "operator_id": Subject("op_[0-9A-Za-z]{16}", "There is no operator with this ID."),
    "role_id": Subject("role_[0-9A-Za-z]{16}", "There is no role with this ID."),
    "webhook_id": Subject("wh_[0-9A-Za-z]{16}", "There is no webhook with this ID."),
    "delivery_id": Subject("dlv_[0-9A-Za-z]{16}", "There is no delivery with this ID, or no longer."),
}
