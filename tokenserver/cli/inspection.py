"""What is a token held against? Keys and endings from a file, or from the issuer as a resource server asks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenserver.cli.failures import unavailable, usage
from tokenserver.clock import monotonic
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.liveness import Endings
from tokenserver.domain.origins import checked_issuer
from tokenserver.resource.fetching import HttpFetch
from tokenserver.resource.issuer import Issuer
from tokenserver.resource.knowledge import Known, NoNews
from tokenserver.tokens.explanation import Explanation
from tokenserver.tokens.jws import KeyOf
from tokenserver.tokens.keys import UnfitKey, read_key_set

_TIMEOUT = 10.0
_LARGEST_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sources:
    """`network_list` brings a list of addresses that a token refers to; None where nobody can be asked."""

    key_of: KeyOf
    endings: Endings | None
    network_list: Callable[[str], AllowedIPs] | None = None


def known_offline(jwks: Path) -> Sources:
    """The keys of a file, and nothing of what has ended."""
    try:
        with jwks.open("rb") as file:
            keys = read_key_set(json.loads(file.read(_LARGEST_FILE + 1)))
    except OSError as fault:
        raise usage(f"{jwks} cannot be read: {fault.strerror}.") from None
    except (ValueError, RecursionError) as fault:
        why = str(fault) if isinstance(fault, UnfitKey) else "it is not JSON"
        raise usage(f"{jwks} is not a key set: {why}.") from None
    if not keys:
        raise usage(f"{jwks} holds no key that could be used.")
    return Sources(keys.get, None)


def known_online(issuer: str | None) -> Sources:
    """The keys and the feed of the issuer, now."""
    if issuer is None:
        raise usage("It is not known who issued it: say --issuer, or --jwks FILE to work offline.")
    asked = Issuer(issuer, HttpFetch(), monotonic, _TIMEOUT)
    try:
        keys, _ = asked.keys(fresh=True)
        statement = asked.statement(None, 0, Known(keys))
    except NoNews as fault:
        raise unavailable(f"The issuer cannot be asked: {fault.detail}.", "Offline: --jwks FILE.") from None
    endings = Endings().and_also(statement.floors, statement.tokens, statement.keys)
    return Sources(keys.get, endings, asked.network_list)


def issuer_to_ask(issuer: str, *, allow_http: bool) -> str:
    """As it was typed. Over plain http, anybody on the way could say which keys are good."""
    try:
        return checked_issuer(issuer, allow_http=allow_http)
    except ValueError:
        raise usage(
            "--issuer takes the https address of a token server, such as https://auth.example.com.",
            "For plain http in a test set-up: TOKENSERVER_ALLOW_HTTP=1. Offline: --jwks FILE.",
        ) from None


def resolved(explanation: Explanation, sources: Sources) -> AllowedIPs | None:
    """The list that a proven token refers to, if it does and somebody can be asked for it."""
    claims = explanation.claims
    if claims is None or claims.allowed_ips_sha256 is None or sources.network_list is None:
        return None
    try:
        return sources.network_list(claims.allowed_ips_sha256)
    except NoNews as fault:
        raise unavailable(f"The list of allowed addresses cannot be fetched: {fault.detail}.") from None
