"""How are addresses written? One item of a list of allowed IPs, read strictly and written in one way.

An item is a single address, a network in CIDR notation, or a range of two addresses joined by a hyphen with or without
spaces (`192.0.2.1 - 192.0.3.254`); IPv4 or IPv6. The rules:

- The shape is checked by regular expression before a library sees the text: libraries differ between platforms and let
  through octal parts, netmasks of zeros (which mean everybody) and zone IDs with a line break in them.
- Plain ASCII only. Long dashes and special spaces pasted from a document are refused with a hint, not guessed at.
- A network is written with its first address: set host bits are refused, for they show that two people would disagree.
- An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) *is* the IPv4 address; a mapped network (/96 to /128) or range becomes
  the IPv4 one. A range with one end inside that block and one outside is of mixed families. No other embedding
  (NAT64, 6to4, the deprecated "compatible" form) is unwrapped: those are IPv6 addresses like any other.
- What is refused gets a kind and a hint. Hints are constants: nothing that was typed comes back in them.

IPv6 is written as RFC 5952 says (never by `inet_ntop`, which differs between C libraries, and digests are made of it).
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple, Self

MAPPED: Final = bytes(10) + b"\xff\xff"
"""The first twelve bytes of an IPv4-mapped IPv6 address."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IPV4_SHAPE = re.compile(_IPV4)
_IPV6_SHAPE = re.compile(rf"[0-9A-Fa-f:]{{1,40}}:(?:[0-9A-Fa-f]{{0,4}}|{_IPV4})")
_ITEM_SHAPE = re.compile(
    r"([0-9A-Fa-f:.]{2,45})(?:/(0|[1-9][0-9]{0,2})|[ \t]*-[ \t]*([0-9A-Fa-f:.]{2,45}))?",
)


class FaultKind(StrEnum):
    """What is wrong with an item or with the whole list, and what to do. Names may be counted: add, never rename."""

    hint: str

    def __new__(cls, name: str, hint: str) -> Self:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.hint = hint
        return kind

    NOT_TEXT = "not_text", "Give text, or a list of texts."
    EMPTY = "empty", "Name at least one address; null, not an empty list, means from anywhere."
    BLANK = "blank", "This text is blank: leave it out of the list."
    TOO_LONG = "too_long", "The list is too long: 4,194,304 characters at most."
    TOO_MANY = "too_many", "The list has too many items (100,000 at most): write neighbours as one range."
    CONTROL_CHARACTER = "control_character", "an invisible control character is inside: type the item again."
    LONG_DASH = "long_dash", "a long dash is inside: write a plain hyphen between the two addresses."
    FOREIGN_DIGIT = "foreign_digit", "digits of another script are inside: write plain digits, 0 to 9."
    SPECIAL_SPACE = "special_space", "a special space is inside: write plain spaces or none."
    NOT_ASCII = "not_ascii", "a character is inside that no address has: type the item again in plain ASCII."
    SEMICOLON = "semicolon", "a semicolon does not separate items: write a comma or a new line."
    URL = "url", "this is a web address: give only the IP address."
    WILDCARD = (
        "wildcard",
        "wildcards are not understood: write the network in CIDR notation, or a range with both ends.",
    )
    ZONE = "zone", "zone IDs mean something on one machine only: leave out the percent sign and what follows it."
    QUOTE = "quote", "leave out the quotation marks."
    BRACKET = "bracket", "write the address without brackets, and without a port."
    COMMENT = "comment", "comments are not read: leave out the number sign and what follows it."
    HEXADECIMAL = "hexadecimal", "write the four numbers of an IPv4 address in decimal."
    HOST_NAME = "host_name", "only addresses can be listed, not names: give the addresses of the host."
    ITEM_TOO_LONG = "item_too_long", "this is too long for one item: write a comma or a new line between items."
    NETWORK_IN_RANGE = (
        "network_in_range",
        "write a network in CIDR notation or a range of two addresses, not both in one item.",
    )
    NETMASK = "netmask", "write the length of the prefix after the slash, not a netmask."
    PREFIX = (
        "prefix",
        "after the slash comes one number, 0 to 32 for IPv4 and 0 to 128 for IPv6, without spaces or leading zeros.",
    )
    HYPHENS = "hyphens", "more than one hyphen: write each range as an item of its own."
    OPEN_RANGE = "open_range", "one end of the range is missing: write the first and the last address."
    SHORT_RANGE = "short_range", "the end of the range is abbreviated: write the last address in full."
    SPACE = "space", "spaces belong only around the hyphen of a range: write a comma or a new line between items."
    PORT = "port", "write the address without a port."
    LEADING_ZERO = (
        "leading_zero",
        "a number of the IPv4 address has a leading zero, which some programs read as octal: write it without.",
    )
    TOO_BIG = "too_big", "each of the four numbers of an IPv4 address is at most 255."
    NOT_FOUR_NUMBERS = "not_four_numbers", "an IPv4 address has four numbers with single dots between them."
    BAD_IPV6 = (
        "bad_ipv6",
        "not an IPv6 address: eight groups of one to four hexadecimal digits, where :: may stand once for zeros.",
    )
    NOT_AN_ADDRESS = "not_an_address", "not an IPv4 or IPv6 address, network or range."
    MAPPED_PREFIX = (
        "mapped_prefix",
        "the prefix of an IPv4-mapped network is 96 to 128: better, write the IPv4 network.",
    )
    HOST_BITS = (
        "host_bits",
        "the host bits are set: write the network's first address, or a single address without a slash.",
    )
    MIXED_FAMILIES = (
        "mixed_families",
        "one end is IPv4 (IPv4-mapped addresses are) and the other is IPv6: write one range for each family.",
    )
    REVERSED = "reversed", "the range runs backwards: write the lower address first."


# What is looked for, in this order, in an item that could not be read. The first rows ask for single characters, so a
# whole list with the wrong separator still gets the right hint; below ITEM_TOO_LONG the text is known to be short.
_ITEM_FAULTS: Final = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in [
        (r"[\x00-\x08\x0b-\x1f\x7f]", FaultKind.CONTROL_CHARACTER),
        (r"[\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]", FaultKind.LONG_DASH),
        (r"(?![0-9])\d", FaultKind.FOREIGN_DIGIT),
        (r"(?![ \t])\s", FaultKind.SPECIAL_SPACE),
        (r"[^\x00-\x7f]", FaultKind.NOT_ASCII),
        (r";", FaultKind.SEMICOLON),
        (r"//", FaultKind.URL),
        (r"\*|\.[xX](?![0-9A-Za-z])", FaultKind.WILDCARD),
        (r"%", FaultKind.ZONE),
        (r"[\"'`]", FaultKind.QUOTE),
        (r"[][(){}<>]", FaultKind.BRACKET),
        (r"#", FaultKind.COMMENT),
        (r"0[xX][0-9A-Fa-f]", FaultKind.HEXADECIMAL),
        (r"[G-Zg-z_]", FaultKind.HOST_NAME),
        (r"[0-9A-Fa-f:.][ \t]+[0-9A-Fa-f:.]", FaultKind.SPACE),
        (r".{129}", FaultKind.ITEM_TOO_LONG),
        (r"/.*-.*[.:]|-.*/", FaultKind.NETWORK_IN_RANGE),
        (r"/[ \t]*[0-9A-Fa-f]*[.:]", FaultKind.NETMASK),
        (r"/(?!(0|[1-9][0-9]{0,2})\Z)|[ \t]/", FaultKind.PREFIX),
        (r"-.*-", FaultKind.HYPHENS),
        (r"\A-|-\Z", FaultKind.OPEN_RANGE),
        (r"-[ \t]*(?:[0-9A-Fa-f]{1,4}|[0-9]+(?:\.[0-9]+){1,2})\Z", FaultKind.SHORT_RANGE),
    ]
)

# The same for one address of the item: these need to know where it begins and ends.
_ADDRESS_FAULTS: Final = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in [
        (r"\A[0-9]+(?:\.[0-9]+)+:[0-9]*\Z", FaultKind.PORT),
        (r"(?:\A|[:.])0[0-9]+\.|\.0[0-9]+\Z", FaultKind.LEADING_ZERO),
        (rf"(?:\A|:)(?=[0-9]+(?:\.[0-9]+){{3}}\Z)(?!{_IPV4}\Z)", FaultKind.TOO_BIG),
        (r"\A[0-9.]+\Z", FaultKind.NOT_FOUR_NUMBERS),
        (r":", FaultKind.BAD_IPV6),
        (r"[A-Fa-f]", FaultKind.HOST_NAME),
    ]
)


class Interval(NamedTuple):
    """The addresses from `first` to `last`, both included. `bits` is the family, 32 or 128: IPv4 sorts before IPv6."""

    bits: int
    first: int
    last: int


def packed_address(text: str) -> bytes | None:
    """Four or sixteen bytes, or None for anything but one well-written address. IPv4-mapped IPv6 gives four."""
    if _IPV4_SHAPE.fullmatch(text):
        return inet_pton(AF_INET, text)
    if not _IPV6_SHAPE.fullmatch(text):
        return None
    try:
        packed = inet_pton(AF_INET6, text)
    except OSError:
        return None
    return packed[12:] if packed.startswith(MAPPED) else packed


def canonical_address(text: str) -> str | None:
    """The one way to write this address, or None for anything else."""
    packed = packed_address(text)
    if packed is None:
        return None
    return inet_ntop(AF_INET, packed) if len(packed) == 4 else str(IPv6Address(packed))


def read_item(item: str) -> Interval | FaultKind:
    """The interval that one item (stripped of spaces) stands for, or what is wrong with it."""
    shape = _ITEM_SHAPE.fullmatch(item)
    if shape is None:
        return _diagnosis(item)
    first_text, prefix, last_text = shape.groups()
    first = packed_address(first_text)
    last = first if last_text is None else packed_address(last_text)
    if first is None or last is None:
        return _diagnosis(item)
    if prefix is not None:
        return _network(first, int(prefix), written_as_ipv6=":" in first_text)
    if len(first) != len(last):
        return FaultKind.MIXED_FAMILIES
    if first > last:
        return FaultKind.REVERSED
    return Interval(len(first) * 8, int.from_bytes(first, "big"), int.from_bytes(last, "big"))


def write_item(interval: Interval) -> str:
    """The normal form: a single address, else an exact CIDR, else `first-last`."""
    bits, first, last = interval
    size = last - first + 1
    if size == 1:
        return _address_text(bits, first)
    if size & (size - 1) == 0 and first % size == 0:
        return f"{_address_text(bits, first)}/{bits - size.bit_length() + 1}"
    return f"{_address_text(bits, first)}-{_address_text(bits, last)}"


def _address_text(bits: int, number: int) -> str:
    return inet_ntop(AF_INET, number.to_bytes(4, "big")) if bits == 32 else str(IPv6Address(number))


def _network(address: bytes, prefix: int, *, written_as_ipv6: bool) -> Interval | FaultKind:
    bits = len(address) * 8
    if prefix > (128 if written_as_ipv6 else 32):
        return FaultKind.PREFIX
    if written_as_ipv6 and bits == 32:
        prefix -= 96
        if prefix < 0:
            return FaultKind.MAPPED_PREFIX
    first, hosts = int.from_bytes(address, "big"), (1 << (bits - prefix)) - 1
    if first & hosts:
        return FaultKind.HOST_BITS
    return Interval(bits, first, first | hosts)


def _diagnosis(item: str) -> FaultKind:
    for pattern, kind in _ITEM_FAULTS:
        if pattern.search(item):
            return kind
    for address in re.split(r"[ \t]*[-/][ \t]*", item):
        if packed_address(address) is None:
            for pattern, kind in _ADDRESS_FAULTS:
                if pattern.search(address):
                    return kind
    return FaultKind.NOT_AN_ADDRESS
