"""Do lists of allowed IPs mean what a person meant, and admit exactly their addresses?"""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tokenserver.domain.allowed_ips import (
    MAX_CHARACTERS,
    MAX_ITEMS,
    MAX_REPORTED,
    AllowedIPs,
    FaultKind,
    InvalidAllowedIPs,
)
from tokenserver.domain.ip_notation import canonical_address
from tokenserver.errors import Fault, InvalidInput

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "allowed_ips.json").read_text("utf-8"))
UNDERSTOOD = {vector["name"]: (vector["input"], vector["normal_form"]) for vector in VECTORS if "normal_form" in vector}
REFUSED = {vector["name"]: (vector["input"], vector["faults"]) for vector in VECTORS if "faults" in vector}

MAPPED_FIRST = int(IPv6Address("::ffff:0:0"))
MAPPED_LAST = int(IPv6Address("::ffff:ffff:ffff"))
SAYABLE = [*(re.escape(kind.hint) for kind in FaultKind), r"Faulty items that are not listed here: [0-9]+\."]
ONLY_OUR_WORDS = re.compile(rf"(?:Item [0-9]+ \(at character [0-9]+\): )?(?:{'|'.join(SAYABLE)})")


def read_or_refused(value) -> tuple[AllowedIPs | None, InvalidAllowedIPs | None]:
    try:
        return AllowedIPs.parse(value), None
    except InvalidAllowedIPs as refused:
        return None, refused


def refusal(value) -> InvalidAllowedIPs:
    with pytest.raises(InvalidAllowedIPs) as raised:
        AllowedIPs.parse(value)
    return raised.value


patient = settings(deadline=None)  # a busy machine is not a fault


# --- the naive model: lists of (version, first, last), compared number by number ------------------------------------


def naive(text: str) -> tuple[int, int] | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def naively_admits(ranges, text: str) -> bool:
    found = naive(text)
    return found is not None and any(v == found[0] and first <= found[1] <= last for v, first, last in ranges)


def text_of(version: int, number: int) -> str:
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


# Small neighbourhoods, so that ranges touch, overlap and meet the ends of each family and of the mapped block.
IPV4_NUMBERS = st.builds(int.__add__, st.sampled_from([0, 0x0A000000, 2**32 - 48]), st.integers(0, 47))
IPV6_NUMBERS = st.builds(
    int.__add__,
    st.sampled_from([0, MAPPED_FIRST - 48, MAPPED_LAST + 1, 0x20010DB8 << 96, 2**128 - 48]),
    st.integers(0, 47),
)


@st.composite
def ranges(draw) -> tuple[int, int, int]:
    version = draw(st.sampled_from([4, 6]))
    numbers = IPV4_NUMBERS if version == 4 else IPV6_NUMBERS
    first, last = sorted([draw(numbers), draw(numbers)])
    return version, first, last


@st.composite
def spelled(draw, one) -> str:
    """One range in one of the ways a person may write it."""
    version, first, last = one
    begin, end = text_of(version, first), text_of(version, last)
    spellings = [f"{begin}-{end}", f"{begin} - {end}", f"{begin}\t-  {end}"]
    if first == last:
        spellings += [begin, begin.upper(), IPv6Address(first).exploded if version == 6 else f"::ffff:{begin}"]
    size = last - first + 1
    if size & (size - 1) == 0 and first % size == 0:
        prefix = (32 if version == 4 else 128) - size.bit_length() + 1
        spellings += [f"{begin}/{prefix}"] + ([f"::FFFF:{begin}/{prefix + 96}"] if version == 4 else [])
    spelling: str = draw(st.sampled_from(spellings))
    return spelling


@st.composite
def typed_lists(draw) -> tuple[list[tuple[int, int, int]], str]:
    drawn = draw(st.lists(ranges(), min_size=1, max_size=8))
    separators = st.sampled_from([",", ", ", " ,\t", "\n", "\r\n", ",\n\n", ",,"])
    text = "".join(draw(spelled(one)) + draw(separators) for one in drawn)
    return drawn, text


def borders(*lists) -> list[str]:
    """The addresses at and beside every border, where admitting can change."""
    numbers = {
        (version, beside)
        for drawn in lists
        for version, first, last in [*drawn, (6, MAPPED_FIRST, MAPPED_LAST)]
        for beside in (first - 1, first, last, last + 1)
        if 0 <= beside < 2 ** (32 if version == 4 else 128)
    }
    return [text_of(version, number) for version, number in numbers]


# --- what is understood ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "normal_form"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_what_a_person_writes_has_one_normal_form(value, normal_form):
    allowed = AllowedIPs.parse(value)
    assert list(allowed.normal_form()) == normal_form
    assert len(allowed) == len(normal_form)
    assert AllowedIPs.from_normal_form(normal_form) == allowed
    assert AllowedIPs.parse(normal_form) == allowed


@patient
@given(typed_lists())
def test_reading_the_normal_form_gives_the_same_list(typed):
    allowed = AllowedIPs.parse(typed[1])
    assert AllowedIPs.parse(allowed.normal_form()) == allowed
    assert AllowedIPs.parse(", ".join(allowed.normal_form())) == allowed
    assert AllowedIPs.from_normal_form(allowed.normal_form()) == allowed
    assert hash(AllowedIPs.from_normal_form(list(allowed.normal_form()))) == hash(allowed)


@patient
@given(typed_lists(), st.randoms())
def test_order_and_repetition_do_not_change_a_list(typed, random):
    items = typed[1].replace("\n", ",").split(",")
    again = [item for item in items if item.strip()] * 2
    random.shuffle(again)
    assert AllowedIPs.parse(again) == AllowedIPs.parse(typed[1])


@patient
@given(typed_lists())
def test_ranges_in_normal_form_are_ascending_and_apart(typed):
    spans = []
    for item in AllowedIPs.parse(typed[1]).normal_form():
        if "-" in item:
            first, last = map(ip_address, item.split("-"))
        else:
            first, last = ip_network(item)[0], ip_network(item)[-1]
        spans.append((first.version, int(first), int(last)))
    for (version, _, end), (next_version, begin, _) in pairwise(spans):
        assert version < next_version or (version == next_version and end + 1 < begin)


def test_the_digest_is_of_the_normal_form_and_so_of_the_meaning():
    one = AllowedIPs.parse("10.0.0.0/25, 10.0.0.128/25\n2001:DB8::1")
    other = AllowedIPs.parse(["2001:db8:0::1", "::ffff:10.0.0.0 - ::ffff:10.0.0.255"])
    assert one.digest() == other.digest() == sha256(b"10.0.0.0/24\n2001:db8::1").hexdigest()


def test_a_list_cannot_be_changed():
    allowed: Any = AllowedIPs.parse("10.0.0.0/8")
    with pytest.raises(FrozenInstanceError):
        allowed._normal_form = ()


def test_a_list_in_a_log_shows_no_address():
    assert "192.0.2" not in f"{AllowedIPs.parse('192.0.2.1')!r}"


# --- what is admitted -----------------------------------------------------------------------------------------------

ADMITTED = {
    "an address inside a range is admitted": ("192.0.2.1-192.0.3.254", "192.0.2.200", True),
    "the first address is": ("192.0.2.1-192.0.3.254", "192.0.2.1", True),
    "the last address is": ("192.0.2.1-192.0.3.254", "192.0.3.254", True),
    "the neighbour below is not": ("192.0.2.1-192.0.3.254", "192.0.2.0", False),
    "the neighbour above is not": ("192.0.2.1-192.0.3.254", "192.0.3.255", False),
    "addresses compare as numbers, not as text": ("9.0.0.0-10.0.0.0", "9.255.0.1", True),
    "an IPv4 address in IPv6 clothing is the same address": ("192.0.2.1", "::ffff:192.0.2.1", True),
    "also in hexadecimal clothing": ("192.0.2.1", "::FFFF:C000:0201", True),
    "a list in IPv6 clothing admits the IPv4 address": ("::ffff:192.0.2.0/120", "192.0.2.77", True),
    "another IPv4 address in IPv6 clothing is not": ("192.0.2.1", "::ffff:192.0.2.2", False),
    "all of IPv6 admits no IPv4 address": ("::/0", "192.0.2.1", False),
    "all of IPv6 admits no IPv4 address in IPv6 clothing": ("::/0", "::ffff:192.0.2.1", False),
    "all of IPv4 admits no IPv6 address": ("0.0.0.0/0", "::1", False),
    "all of IPv4 admits its last address": ("0.0.0.0/0", "255.255.255.255", True),
    "IPv6 in any spelling is the same address": ("2001:db8::1", "2001:0DB8:0:0:0:0:0:0001", True),
    "the deprecated compatible form is not the IPv4 address": ("192.0.2.1", "::192.0.2.1", False),
    "an octal spelling is no address": ("8.0.0.1", "010.0.0.1", False),
    "a padded spelling is no address": ("192.0.2.1", "192.0.2.001", False),
    "a short spelling is no address": ("127.0.0.1", "127.1", False),
    "a zone ID is no address": ("fe80::/10", "fe80::1%eth0", False),
    "a zone ID with a line break is no address": ("fe80::/10", "fe80::1%\n", False),
    "spaces are no address": ("192.0.2.1", " 192.0.2.1", False),
    "a line break behind is no address": ("192.0.2.1", "192.0.2.1\n", False),
    "a NUL behind is no address": ("192.0.2.1", "192.0.2.1\0", False),
    "a lone surrogate is no address": ("192.0.2.1", "\ud800", False),
    "foreign digits are no address": ("1.0.0.1", "\u0661.0.0.1", False),
    "a port is no address": ("192.0.2.1", "192.0.2.1:80", False),
    "brackets are no address": ("2001:db8::1", "[2001:db8::1]", False),
    "a network is no address": ("192.0.2.0/24", "192.0.2.0/24", False),
    "nothing is no address": ("0.0.0.0/0,::/0", "", False),
}


@pytest.mark.parametrize(("listed", "address", "admitted"), ADMITTED.values(), ids=ADMITTED.keys())
def test_a_list_admits_exactly_its_addresses(listed, address, admitted):
    assert AllowedIPs.parse(listed).admits(address) is admitted


@patient
@given(typed_lists(), st.lists(IPV4_NUMBERS), st.lists(IPV6_NUMBERS))
def test_admitting_agrees_with_the_naive_model(typed, ipv4, ipv6):
    drawn, text = typed
    allowed = AllowedIPs.parse(text)
    for address in [*borders(drawn), *map(str, map(IPv4Address, ipv4)), *map(str, map(IPv6Address, ipv6))]:
        assert allowed.admits(address) is naively_admits(drawn, address)
        if "." in address and ":" not in address:
            assert allowed.admits(f"::ffff:{address}") is naively_admits(drawn, address)


@patient
@given(st.text() | st.text("0123456789abcdefABCDEF:.%/[]x \n\0", max_size=50))
@example("::1%\n")
@example("1.2.3.4\0")
def test_whatever_is_asked_gets_an_answer_and_only_addresses_are_admitted(text):
    everybody = AllowedIPs.parse("0.0.0.0/0, ::/0")
    assert everybody.admits(text) is (naive(text) is not None)
    assert (canonical_address(text) is not None) is (naive(text) is not None)


@patient
@given(st.ip_addresses().map(str) | st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"))
def test_an_address_has_one_canonical_text(text):
    version, number = naive(text) or (0, 0)
    assert canonical_address(text) == text_of(version, number)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "faults"), REFUSED.values(), ids=REFUSED.keys())
def test_a_faulty_list_is_refused_with_every_fault_in_its_place(value, faults):
    items = refusal(value).items
    assert [
        {"kind": item.kind, "index": item.index, "number": item.number, "offset": item.offset} for item in items
    ] == faults


def test_every_kind_of_fault_has_a_golden_vector():
    shown = {fault["kind"] for _, faults in REFUSED.values() for fault in faults}
    assert shown == set(FaultKind) - {FaultKind.TOO_LONG, FaultKind.TOO_MANY}


def test_a_fault_says_where_it_is_and_what_to_do():
    fault = refusal("192.0.2.1, 198.51.100.7,192.0.2.1/24")
    assert fault.faults == (
        Fault(
            "",
            "Item 3 (at character 25): the host bits are set: write the network's first address, "
            "or a single address without a slash.",
        ),
    )
    assert isinstance(fault, InvalidInput)
    assert fault.status == 422


def test_a_fault_in_a_list_points_to_its_text():
    faults = refusal(["10.0.0.0/8", "10.0.0.9-10.0.0.1", "10.0.0.0/8, 10.0.0.256"]).faults
    assert [fault.pointer for fault in faults] == ["/1", "/2"]
    assert faults[1].hint.startswith("Item 4 (at character 13): each of the four numbers")


def test_a_fault_of_the_whole_list_names_no_item():
    assert refusal("").faults == (
        Fault("", "Name at least one address; null, not an empty list, means from anywhere."),
    )


FUZZ = st.text() | st.text("0123456789abcdfABx:./-,;%*[] \t\n", max_size=60) | st.lists(st.text(), max_size=5)


@patient
@given(FUZZ)
@example("fe80::1%secret-of-mine, 192.0.2.*, https://user:password@example.com/")
def test_whatever_is_typed_is_read_or_refused_in_our_own_words(value):
    read, refused = read_or_refused(value)
    if refused is None:
        assert read
        assert len(read) > 0
    else:
        assert refused.faults
        assert all(ONLY_OUR_WORDS.fullmatch(fault.hint) for fault in refused.faults)
        assert all(re.fullmatch(r"(?:/[0-9]+)?", fault.pointer) for fault in refused.faults)
        assert not refused.detail


@patient
@given(st.lists(st.text("0123456789abcdf:./-%*", min_size=5), min_size=1, max_size=9))
def test_a_refusal_never_repeats_an_item(items):
    _, refused = read_or_refused(items)
    if refused is not None:
        said = [str(refused), repr(refused), *(item.hint for item in refused.items), *map(repr, refused.items)]
        assert not [item for item in items if any(item in text for text in said)]


@patient
@given(typed_lists(), st.sampled_from(["192.0.2.1/24", "010.0.0.1", "192.0.2.*", "fe80::1%eth0"]), st.data())
def test_one_faulty_item_refuses_the_whole_list(typed, wrong, data):
    items = [item for item in re.split(r"[,\r\n]", typed[1]) if item.strip()]
    at = data.draw(st.integers(0, len(items)))
    faulty = refusal("\n".join([*items[:at], wrong, *items[at:]])).items
    assert [item.number for item in faulty] == [at + 1]


def test_thousands_of_faults_are_counted_but_not_all_listed():
    fault = refusal(["192.0.2.1/24"] * (MAX_REPORTED + 5))
    assert len(fault.items) == MAX_REPORTED
    assert fault.unlisted == 5
    assert fault.faults[-1] == Fault("", "Faulty items that are not listed here: 5.")


def test_a_list_has_at_most_a_hundred_thousand_items():
    assert len(AllowedIPs.parse("192.0.2.1\n" * MAX_ITEMS)) == 1
    assert [item.kind for item in refusal("192.0.2.1\n" * (MAX_ITEMS + 1)).items] == [FaultKind.TOO_MANY]
    assert [item.kind for item in refusal(["192.0.2.1"] * (MAX_ITEMS + 1)).items] == [FaultKind.TOO_MANY]


def test_a_text_has_a_greatest_length():
    assert AllowedIPs.parse("192.0.2.1".ljust(MAX_CHARACTERS)).admits("192.0.2.1")
    assert [item.kind for item in refusal("192.0.2.1".ljust(MAX_CHARACTERS + 1)).items] == [FaultKind.TOO_LONG]
    halves = ["192.0.2.1".ljust(MAX_CHARACTERS // 2), "192.0.2.1".ljust(MAX_CHARACTERS // 2 + 1)]
    assert [item.kind for item in refusal(halves).items] == [FaultKind.TOO_LONG]


@pytest.mark.parametrize("value", [None, b"192.0.2.1", 7, {"192.0.2.1": 1}, {"192.0.2.1"}, True])
def test_what_is_not_text_is_refused_and_not_an_accident(value):
    assert [item.kind for item in refusal(value).items] == [FaultKind.NOT_TEXT]


# --- what our own tokens and rows hold ------------------------------------------------------------------------------


def test_an_empty_list_in_a_token_admits_nobody_and_is_not_nothing():
    nobody = AllowedIPs.from_normal_form([])
    assert len(nobody) == 0
    assert nobody.normal_form() == ()
    assert not nobody.admits("192.0.2.1")
    assert not nobody.admits("::")
    assert bool(nobody), "`if allowed_ips:` must not take it for None, from anywhere"


NOT_NORMAL = {
    "another order": ["10.0.0.9", "10.0.0.1"],
    "IPv6 first": ["2001:db8::1", "10.0.0.1"],
    "twice the same": ["10.0.0.1", "10.0.0.1"],
    "an overlap": ["10.0.0.1-10.0.0.5", "10.0.0.4-10.0.0.9"],
    "neighbours that are one range": ["10.0.0.0/25", "10.0.0.128/25"],
    "spaces around a hyphen": ["10.0.0.1 - 10.0.0.9"],
    "spaces around an item": [" 10.0.0.1"],
    "two items in one text": ["10.0.0.1,10.0.0.9"],
    "a network as a range": ["10.0.0.0-10.0.0.255"],
    "an address as a network": ["10.0.0.1/32"],
    "an address as a range": ["10.0.0.1-10.0.0.1"],
    "capital letters": ["2001:DB8::1"],
    "IPv6 in full": ["2001:db8:0:0:0:0:0:1"],
    "an IPv4-mapped address": ["::ffff:10.0.0.1"],
    "host bits": ["10.0.0.1/8"],
    "a blank item": [""],
    "garbage": ["10.0.0.1", "garbage"],
    "a number": [167772161],
    "a list in a list": [["10.0.0.1"]],
    "one text instead of a list": "10.0.0.1",
    "an empty text instead of a list": "",
    "an object": {},
    "nothing": None,
    "far too many": ["10.0.0.1"] * (MAX_ITEMS + 1),
}


@pytest.mark.parametrize("items", NOT_NORMAL.values(), ids=NOT_NORMAL.keys())
def test_the_reader_of_tokens_takes_the_normal_form_only(items):
    with pytest.raises(ValueError, match="not a list of ranges in normal form"):
        AllowedIPs.from_normal_form(items)


@patient
@given(st.lists(ranges().flatmap(spelled) | st.text(max_size=20), max_size=4))
def test_the_reader_of_tokens_takes_a_list_or_raises(items):
    try:
        allowed = AllowedIPs.from_normal_form(items)
    except ValueError:
        assume(items)
    else:
        assert allowed.normal_form() == tuple(items)


# --- does a change narrow -------------------------------------------------------------------------------------------

COVERS = {
    "a list covers itself": ("10.0.0.0/8, 2001:db8::/32", "10.0.0.0/8, 2001:db8::/32", True),
    "a wider range covers a narrower one": ("10.0.0.0/8", "10.1.0.0/16, 10.9.9.9", True),
    "a narrower range does not cover a wider one": ("10.1.0.0/16", "10.0.0.0/8", False),
    "neighbours together cover what reaches over both": ("10.0.0.0/25,10.0.0.128/25", "10.0.0.100-10.0.0.200", True),
    "a gap of one address is a gap": ("10.0.0.0-10.0.0.9,10.0.0.11-10.0.0.20", "10.0.0.5-10.0.0.15", False),
    "all of IPv6 does not cover an IPv4 address": ("::/0", "10.0.0.1", False),
    "all of IPv4 does not cover an IPv6 address": ("0.0.0.0/0", "::1", False),
    "a gap that no IPv6 address can be in is no gap": ("::-::fffe:ffff:ffff, ::1:0:0:0-ffff::", "::-ffff::", True),
    "IPv6 beside the mapped block does not cover what is inside it": ("::/0", "::ffff:10.0.0.1", False),
}


@pytest.mark.parametrize(("listed", "other", "covered"), COVERS.values(), ids=COVERS.keys())
def test_a_list_covers_what_it_admits_all_of(listed, other, covered):
    assert AllowedIPs.parse(listed).covers(AllowedIPs.parse(other)) is covered


def test_everybody_covers_nobody_and_nobody_covers_only_nobody():
    nobody, everybody = AllowedIPs.from_normal_form([]), AllowedIPs.parse("0.0.0.0/0,::/0")
    assert everybody.covers(nobody)
    assert nobody.covers(nobody)
    assert not nobody.covers(everybody)


@patient
@given(typed_lists(), typed_lists())
def test_covering_agrees_with_the_naive_model(one, other):
    ours, theirs = AllowedIPs.parse(one[1]), AllowedIPs.parse(other[1])
    asked = borders(one[0], other[0])
    lost = [address for address in asked if naively_admits(other[0], address) and not naively_admits(one[0], address)]
    assert ours.covers(theirs) is not bool(lost)


@patient
@given(typed_lists(), typed_lists())
def test_adding_addresses_never_narrows(one, more):
    both = AllowedIPs.parse(f"{one[1]}\n{more[1]}")
    assert both.covers(AllowedIPs.parse(one[1]))
    assert both.covers(AllowedIPs.parse(more[1]))


SIZES = {
    "one address": ("192.0.2.1", (1, 0)),
    "what overlaps is counted once": ("192.0.2.0/25, 192.0.2.64 - 192.0.2.255", (256, 0)),
    "each family by itself": ("192.0.2.0/24, 2001:db8::/126", (256, 4)),
    "everything": ("0.0.0.0/0, ::/0", (2**32, 2**128)),
}


@pytest.mark.parametrize(("text", "sizes"), SIZES.values(), ids=SIZES.keys())
def test_a_list_knows_how_many_addresses_it_admits(text, sizes):
    assert AllowedIPs.parse(text).sizes() == sizes
