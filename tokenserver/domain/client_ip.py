"""From which address does a request really come, when there are proxies on the way?

The peer, the other end of the connection, is the only address that cannot be made up. Headers are believed only where
a proxy that we trust wrote them. The rules:

- Without trusted proxies (the default), or when the peer is not one of them, the peer is the client; headers are not
  even read.
- A trusted peer has appended the address it heard from, at the right end of `Forwarded` (RFC 7239) or
  `X-Forwarded-For`. That list (repeated headers joined in order) is walked from the right past trusted addresses, and
  the first untrusted one is the client: what stands further left, the client may have written. If all are trusted,
  the leftmost one is the client.
- Whatever is met on the way and is not an address (`unknown`, an obfuscated name, an empty element, a zone ID, garbage)
  closes: the address is undetermined, never guessed. `Forwarded` must be well-formed as a whole, since a stray
  quotation mark at the left could swallow what stands right of it. More than 100 hops or 8 KiB are refused.
- Both headers present: each is walked, and they must name the same client. A proxy that sets only one of them passes
  the other through as the client wrote it, and we cannot see which.
- Neither header, and a trusted peer: the proxy's own host is the caller (a health check, say), so it is the client.
- A proxy must *set or append to* one of the headers on every request. One that passes both through
  is not to be trusted.

Ports are dropped, and IPv4-mapped IPv6 is IPv4. A peer that is a Unix socket or is missing is undetermined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.ip_notation import canonical_address
from tokenserver.errors import AddressRefused

__all__ = ["TrustedProxies", "UndeterminedAddress", "client_address"]

MAX_HOPS: Final = 100
MAX_HEADER: Final = 8 * 1024

_canonical = lru_cache(maxsize=4096)(canonical_address)

_HOP = re.compile(r"([0-9.]{7,15})(?::[0-9]{1,5})?|\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9A-Fa-f:.]{2,45})")

# RFC 7239 §4, with optional space around the semicolon, as many proxies write it. The alternatives of the quoted string
# exclude each other, so that matching takes linear time whatever is sent.
_FORWARDED_PAIR = re.compile(
    r"""[ \t]*(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
        (?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]+)|"(?P<quoted>(?:[\t\x20!\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*)"))?
        [ \t]*(?P<end>[,;]|\Z)""",
    re.VERBOSE,
)


class UndeterminedAddress(AddressRefused):
    """Nobody can say where the request comes from. Where a restriction applies, that is a refusal."""

    public = "The address of the caller could not be determined."


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks of our own proxies, read once; None if there are none."""

    networks: AllowedIPs | None = None

    @classmethod
    def parse(cls, trusted_proxies: str | Sequence[str]) -> TrustedProxies:
        """Networks as for allowed IPs, or nothing at all. Raises InvalidInput with every faulty one."""
        if not trusted_proxies or (isinstance(trusted_proxies, str) and not trusted_proxies.strip()):
            return cls()
        return cls(AllowedIPs.parse(trusted_proxies))

    def trusts(self, peer: str | None) -> bool:
        """Whether the other end of the connection is one of our proxies."""
        address = _canonical(peer) if peer else None
        return address is not None and self.networks is not None and self.networks.admits(address)

    def client_address(self, peer: str | None, headers: Iterable[tuple[str, str]]) -> str:
        """The client's address in canonical text; raises UndeterminedAddress."""
        address = _canonical(peer) if peer else None
        if address is None:
            raise UndeterminedAddress(detail="the peer has no IP address")
        if self.networks is None or not self.networks.admits(address):
            return address
        forwarded, x_forwarded_for = _forwarding(headers)
        clients = set()
        if forwarded:
            clients.add(_first_untrusted([hop for value in forwarded for hop in _forwarded_hops(value)], self.networks))
        if x_forwarded_for:
            clients.add(_first_untrusted([hop for value in x_forwarded_for for hop in value.split(",")], self.networks))
        if len(clients) > 1:
            raise UndeterminedAddress(detail="Forwarded and X-Forwarded-For disagree")
        return clients.pop() if clients else address


def client_address(peer: str | None, headers: Iterable[tuple[str, str]], trusted_proxies: str | Sequence[str]) -> str:
    """The client's address in canonical text. `headers`: name-value pairs as received; `trusted_proxies`: CIDR texts.

    Raises UndeterminedAddress; and InvalidInput if a trusted proxy is not well written.
    """
    networks = trusted_proxies if isinstance(trusted_proxies, str) else tuple(trusted_proxies)
    return _trusted(networks).client_address(peer, headers)


_trusted = lru_cache(maxsize=64)(TrustedProxies.parse)


def _first_untrusted(hops: list[str], trusted: AllowedIPs) -> str:
    """From the right; the leftmost one if all are trusted."""
    if not 0 < len(hops) <= MAX_HOPS:
        raise UndeterminedAddress(detail="too many hops, or none")
    client = ""
    for hop in reversed(hops):
        address = _hop_address(hop)
        if address is None:
            raise UndeterminedAddress(detail="a hop without an address")
        client = address
        if not trusted.admits(client):
            break
    return client


def _forwarding(headers: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The values of `Forwarded` and of `X-Forwarded-For`, in the order received."""
    values: dict[str, list[str]] = {"forwarded": [], "x-forwarded-for": []}
    for name, value in headers:
        if (found := values.get(name.lower())) is not None:
            found.append(value)
    if any(sum(map(len, found)) > MAX_HEADER for found in values.values()):
        raise UndeterminedAddress(detail="a forwarding header over 8 KiB")
    return values["forwarded"], values["x-forwarded-for"]


def _forwarded_hops(value: str) -> list[str]:
    """The `for` of each element, empty where an element has none."""
    hops: list[str] = []
    element: dict[str, str] = {}
    at = 0
    while (pair := _FORWARDED_PAIR.match(value, at)) is not None:
        if (name := pair["name"]) is not None:
            if name.lower() in element:
                raise UndeterminedAddress(detail="a Forwarded element says something twice")
            quoted = pair["quoted"]
            element[name.lower()] = pair["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if pair["end"] != ";":
            hops.append(element.get("for", ""))
            element = {}
        if not pair["end"]:
            return hops
        at = pair.end()
    raise UndeterminedAddress(detail="Forwarded is malformed")


def _hop_address(hop: str) -> str | None:
    shape = _HOP.fullmatch(hop.strip(" \t"))
    if shape is None:
        return None
    ipv4, bracketed, bare = shape.groups()
    if bracketed is not None and ":" not in bracketed:
        return None
    return _canonical(ipv4 or bracketed or bare)
