"""Where may a webhook go? What its URL may look like, and which addresses may be connected to.

Customers write the URLs and our server connects to them, from inside our network: so they must not reach what only we
can reach. A URL says nothing about that, because names resolve to what their owners like: `Reach` is asked about
each address after it was resolved, and the connection is made to that very address. Refused is everything that is not
ordinary public unicast: private, loopback, link-local (with it the metadata services of clouds), shared, multicast,
documentation, benchmarking, tunnels, and whatever is not yet assigned (the special-purpose registries of IANA, RFC
6890). An IPv6 address that carries an IPv4 one (mapped; NAT64, RFC 6052) is judged by what it carries.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2000
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?(?P<query>\?[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]*)?"
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_PORTS = {"http": 80, "https": 443}

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL: tuple[IpNetwork, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host, by a public address
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)


class UnfitTarget(ValueError):
    """The URL cannot be that of a webhook; the text says what to do, and holds nothing of the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> IpAddress | None:
        """The address, where the host is one rather than a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def origin(self) -> str:
        """Without path and query, which may be as good as a password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def read_target(url: str, *, plain_http: bool) -> Target:
    """Raises UnfitTarget."""
    found = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if found is None:
        raise UnfitTarget(
            f"Must be an absolute https URL of at most {LONGEST_URL} characters, without user, password or fragment."
        )
    if found["scheme"] == "http" and not plain_http:
        raise UnfitTarget("Must begin with https://; this server sends nothing in clear.")
    port = int(found["port"]) if found["port"] else _PORTS[found["scheme"]]
    if not 0 < port < 65536:
        raise UnfitTarget("There is no such port.")
    host = found["host"].strip("[]").lower()
    target = Target(found["scheme"], host, port, (found["path"] or "/") + (found["query"] or ""))
    if target.literal is None and not _is_name(found["host"]):
        raise UnfitTarget("The host must be a name in ASCII (xn--… for others), or an IP address in its usual form.")
    return target


def _is_name(host: str) -> bool:
    """A last label of digits, or one in hexadecimal, is how some write an IPv4 address that is not to be seen."""
    labels = host.removesuffix(".").split(".")
    if re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", labels[-1]):
        return False
    return all(_LABEL.fullmatch(label) for label in labels)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses may be connected to: public ones, and those of networks that the operator allows."""

    allowed: tuple[IpNetwork, ...] = ()

    @classmethod
    def parse(cls, networks: Iterable[str]) -> Reach:
        """`networks` in CIDR notation; raises ValueError."""
        return cls(tuple(ipaddress.ip_network(text) for text in networks))

    def admits(self, address: IpAddress) -> bool:
        carried = _carried(address)
        if any(one in network for network in self.allowed for one in (address, carried)):
            return True
        return _is_public(carried)


def _carried(address: IpAddress) -> IpAddress:
    """The IPv4 address that is meant, where there is one inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _SPECIAL)
