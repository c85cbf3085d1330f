"""How is the issuer asked? Each question is one GET, and each answer is checked before it is handed on.

Content types are not looked at: a statement of the feed proves itself by its signature, a list of addresses by its
digest, and keys are as good as the TLS connection they come over.

The metadata is read again every hour, and sooner when the issuer answers with an error, at most once a minute; while it
cannot be read again, the last good one stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from tokenserver.clock import HOUR, MINUTE, Clock
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.errors import InvalidInput, InvalidToken
from tokenserver.resource.fetching import Fetch, Response, get
from tokenserver.resource.forking import WHOLE
from tokenserver.resource.knowledge import NEVER, Known, NoNews, NotBelieved
from tokenserver.resource.metadata import Endpoints, metadata_url, read_metadata
from tokenserver.tokens.jws import UnknownKey
from tokenserver.tokens.keys import UnfitKey, VerifyingKey, read_key_set
from tokenserver.tokens.statements import Statement, open_statement

LONGEST_METADATA: Final = 256 * 1024
LONGEST_KEY_SET: Final = 1024 * 1024
LONGEST_NETWORK_LIST: Final = 8 * 1024 * 1024
KEYS_LAST: Final = 5 * MINUTE
"""Seconds until the key set is read again, when the issuer does not say (`Cache-Control: max-age`)."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,])")


class SignedByUnknownKey(NotBelieved):
    """The statement may be good: its key is not known here, perhaps not yet."""


class Issuer:
    """The questions that can be asked of one issuer; raises NoNews whenever there is no good answer."""

    def __init__(self, name: str, fetch: Fetch, ticks: Clock, timeout: float) -> None:
        self.name = name
        self._fetch = fetch
        self._ticks = ticks
        self._timeout = timeout
        self._endpoints: Endpoints | None = None
        self._read_at = NEVER
        self._doubted = False

    def keys(self, *, fresh: bool = False) -> tuple[Mapping[str, VerifyingKey], float]:
        """The keys that are published, and for how many seconds they may be kept."""
        answer = self._get(self.endpoints().jwks_uri, longest=LONGEST_KEY_SET, fresh=fresh)
        try:
            with WHOLE:
                found = read_key_set(_json(answer.body))
        except UnfitKey as fault:
            raise NoNews(f"the key set cannot be read: {fault}") from None
        if not found:
            raise NoNews("the key set holds no key that could be used")
        stated = _MAX_AGE.search(answer.headers.get("cache-control", "").lower())
        return found, min(max(int(stated[1]), MINUTE), HOUR) if stated else KEYS_LAST

    def statement(self, after: int | None, wait: int, known: Known) -> Statement:
        """The newest statement of the feed, signed by a key that is known and has not been revoked."""
        url = self.endpoints().generations_after(after, wait)
        answer = self._get(url, extra_time=wait)
        try:
            with WHOLE:
                return open_statement(answer.body.strip().decode("ascii"), known.key_of, issuer=self.name)
        except UnknownKey:
            raise SignedByUnknownKey("the statement is signed by an unknown key") from None
        except InvalidToken as fault:
            raise NotBelieved(f"the statement cannot be believed: {fault.detail}") from None
        except UnicodeDecodeError:
            raise NotBelieved("the statement is not a signed text") from None

    def network_list(self, digest: str) -> AllowedIPs:
        """The list of allowed addresses with this digest."""
        answer = self._get(self.endpoints().network_list(digest), longest=LONGEST_NETWORK_LIST)
        document = _json(answer.body)
        items = document.get("allowed_ips") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise NoNews("the list of allowed addresses cannot be read")
        try:
            allowed = AllowedIPs.from_normal_form(items)
        except (ValueError, InvalidInput):
            raise NoNews("the list of allowed addresses is not in normal form") from None
        if allowed.digest() != digest:
            raise NoNews("the list of allowed addresses is not the one that was asked for")
        return allowed

    def endpoints(self) -> Endpoints:
        """Where the issuer answers."""
        age = self._ticks() - self._read_at
        if self._endpoints is None or age > HOUR or (self._doubted and age > MINUTE):
            try:
                answer = get(self._fetch, metadata_url(self.name), self._timeout, longest=LONGEST_METADATA)
                self._endpoints = read_metadata(_json(answer.body), self.name)
                self._doubted = False
            except NoNews:
                if self._endpoints is None:
                    raise
                self._doubted = True
            self._read_at = self._ticks()
        return self._endpoints

    def _get(self, url: str, *, extra_time: float = 0, longest: int | None = None, fresh: bool = False) -> Response:
        limits = {} if longest is None else {"longest": longest}
        try:
            return get(self._fetch, url, self._timeout + extra_time, fresh=fresh, **limits)
        except NoNews:
            self._doubted = True
            raise


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NoNews("the issuer's answer is not JSON") from None
