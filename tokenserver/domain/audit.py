"""What happened? Audit lines, and how each is chained to the one before.

A line is one JSON object in ASCII (so that no name can smuggle a line break or an escape sequence into a terminal).
It names its chain, its number in the chain and the hash of the line before it; its own hash is the SHA-256 of its
text. One chain per writer: nodes never wait for each other. An exported line is the text with a member `hash`
appended as the last one, so that verifying needs no re-serialising: cut the member off, hash the rest, compare.
Whether anybody has edited the record is asked in `audit_chain`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from tokenserver.clock import rfc3339

GENESIS = "0" * 64
OUTCOMES = ("success", "refused")


class Event(StrEnum):
    """`subject:action`. Names are for ever: add, never rename or reuse."""

    API_CREATED = "api:created"
    API_DELETED = "api:deleted"
    API_UPDATED = "api:updated"
    ADMIN_REFUSED = "admin:refused"
    AUDIT_PRUNED = "audit:pruned"
    CREDENTIAL_CREATED = "credential:created"
    CREDENTIAL_DELETED = "credential:deleted"
    CREDENTIAL_DISABLED = "credential:disabled"
    CREDENTIAL_ENABLED = "credential:enabled"
    CREDENTIAL_REVOKED = "credential:revoked"
    CREDENTIAL_UPDATED = "credential:updated"
    INSTALLATION_BOOTSTRAPPED = "installation:bootstrapped"
    INSTALLATION_RESTORED = "installation:restored"
    INTROSPECTION_REFUSED = "introspection:refused"
    OPERATOR_ADDED = "operator:added"
    OPERATOR_INVITED = "operator:invited"
    OPERATOR_REMOVED = "operator:removed"
    OPERATOR_SIGNED_IN = "operator:signed_in"
    OPERATOR_SIGNED_OUT = "operator:signed_out"
    OPERATOR_UPDATED = "operator:updated"
    ORGANIZATION_CREATED = "organization:created"
    ORGANIZATION_RESUMED = "organization:resumed"
    ORGANIZATION_SUSPENDED = "organization:suspended"
    ORGANIZATION_TOKENS_ENDED = "organization:tokens_ended"
    ORGANIZATION_UPDATED = "organization:updated"
    IDENTITY_LINKED = "identity:linked"
    ONE_TIME_CODES_DISABLED = "one_time_codes:disabled"
    ONE_TIME_CODES_ENABLED = "one_time_codes:enabled"
    PASSKEY_ADDED = "passkey:added"
    PASSKEY_REMOVED = "passkey:removed"
    PASSKEY_RENAMED = "passkey:renamed"
    PASSWORD_SET = "password:set"
    PROJECT_CREATED = "project:created"
    PROJECT_DELETED = "project:deleted"
    PROJECT_UPDATED = "project:updated"
    RECOVERY_CODES_MADE = "recovery_codes:made"
    RECOVERY_CODE_USED = "recovery_code:used"
    REQUEST_LIMITED = "request:limited"
    REVOCATION_REFUSED = "revocation:refused"
    ROLE_CREATED = "role:created"
    ROLE_DELETED = "role:deleted"
    ROLE_UPDATED = "role:updated"
    ROTATION_CANCELLED = "rotation:cancelled"
    ROTATION_CLAIMED = "rotation:claimed"
    ROTATION_COMPLETED = "rotation:completed"
    ROTATION_EXTENDED = "rotation:extended"
    ROTATION_FINISHED = "rotation:finished"
    ROTATION_PREPARED = "rotation:prepared"
    ROTATION_REFUSED = "rotation:refused"
    ROTATION_REMINDED = "rotation:reminded"
    ROTATION_UNUSED = "rotation:unused"
    ROTATION_WITHDRAWN = "rotation:withdrawn"
    SCHEDULE_CHANGED = "schedule:changed"
    SCHEDULE_ENDED = "schedule:ended"
    SCHEDULE_POSTPONED = "schedule:postponed"
    SECRET_LEAKED = "secret:leaked"
    SECRET_REGENERATED = "secret:regenerated"
    SECRET_ROTATED = "secret:rotated"
    SESSION_ENDED = "session:ended"
    SIGNING_KEY_CREATED = "signing_key:created"
    SIGNING_KEY_REVOKED = "signing_key:revoked"
    SIGNING_KEY_ROTATED = "signing_key:rotated"
    SIGN_IN_REFUSED = "sign_in:refused"
    TOKEN_ISSUED = "token:issued"
    TOKEN_REFUSED = "token:refused"
    TOKEN_REVOKED = "token:revoked"
    WEBHOOK_CREATED = "webhook:created"
    WEBHOOK_DELETED = "webhook:deleted"
    WEBHOOK_DISABLED = "webhook:disabled"
    WEBHOOK_SECRET_ROTATED = "webhook:secret_rotated"
    WEBHOOK_UPDATED = "webhook:updated"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, before it has its place in a chain. `at` is seconds since the epoch."""

    event: Event
    at: float
    actor: str
    organization: str = ""
    credential: str = ""
    address: str = ""
    request_id: str = ""
    outcome: str = "success"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the number and the hash of its last line."""

    chain: str
    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Line:
    """A line in its place. `text` is what the hash covers."""

    head: Head
    text: str

    def exported(self) -> str:
        return f'{self.text[:-1]},"hash":"{self.head.hash}"}}'


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode
_text = json.encoder.encode_basestring_ascii
_second = lru_cache(maxsize=8)(rfc3339)


def chained(entry: Entry, head: Head) -> Line:
    """`entry` as the line after `head`; written member by member, in half the time of encoding a dictionary."""
    seconds = int(entry.at)
    text = (
        f'{{"chain":{_text(head.chain)},"seq":{head.seq + 1}'
        f',"at":"{str(_second(seconds))[:-1]}.{int((entry.at - seconds) * 1000):03d}Z"'
        f',"event":{_text(entry.event.value)},"outcome":{_text(entry.outcome)},"actor":{_text(entry.actor)}'
        f',"organization":{_text(entry.organization)},"credential":{_text(entry.credential)}'
        f',"address":{_text(entry.address)},"request_id":{_text(entry.request_id)}'
        f',"detail":{_json(entry.detail)},"prev":"{head.hash}"}}'
    )
    return Line(Head(head.chain, head.seq + 1, hashlib.sha256(text.encode("ascii")).hexdigest()), text)
