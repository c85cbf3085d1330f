"""What do addresses mean, as they are typed? Read as the server reads them, with each fault at its place."""

from __future__ import annotations

from dataclasses import dataclass

from app.console import words
from tokenserver.domain.allowed_ips import AllowedIPs, InvalidAllowedIPs


@dataclass(frozen=True, slots=True)
class Ranges:
    """`allowed` is None where nothing was typed, and where something is wrong with it: then `faults` say what.

    `address` is the viewer's own, and `admits_viewer` whether it is inside.
    """

    address: str
    allowed: AllowedIPs | None = None
    faults: tuple[str, ...] = ()
    admits_viewer: bool = True

    @property
    def size(self) -> str:
        """`768 IPv4 addresses and 2^96 IPv6 addresses`."""
        if self.allowed is None:
            return ""
        ipv4, ipv6 = self.allowed.sizes()
        told = [
            words.counted(count, words.ADDRESSES).format(number=_number(count), family=family)
            for count, family in ((ipv4, "IPv4"), (ipv6, "IPv6"))
            if count
        ]
        return words.AND.join(told)


def read_ranges(text: str, address: str) -> Ranges:
    if not text:
        return Ranges(address)
    try:
        allowed = AllowedIPs.parse(text)
    except InvalidAllowedIPs as fault:
        return Ranges(address, faults=tuple(one.hint for one in fault.faults), admits_viewer=False)
    return Ranges(address, allowed, admits_viewer=allowed.admits(address))


def _number(count: int) -> str:
    """Nobody reads a number of forty digits."""
    if count < 10**9:
        return f"{count:,}"
    exponent = count.bit_length() - 1
    return f"2^{exponent}" if count == 1 << exponent else words.ABOUT.format(f"2^{exponent}")
