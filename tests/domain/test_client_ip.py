"""Is the client's address the one that a trusted proxy saw, and never one that the client made up?"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenserver.domain.client_ip import MAX_HEADER, MAX_HOPS, TrustedProxies, UndeterminedAddress, client_address
from tokenserver.domain.ip_notation import canonical_address
from tokenserver.errors import AddressRefused, InvalidInput

PROXIES = ["10.0.0.0/8", "2001:db8:a::/48"]
PROXY = "10.0.0.1"

patient = settings(deadline=None)  # a busy machine is not a fault


def forwarded_for(*values: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", value) for value in values]


def forwarded(*values: str) -> list[tuple[str, str]]:
    return [("Forwarded", value) for value in values]


# --- the peer -------------------------------------------------------------------------------------------------------

PEERS = {
    "an IPv4 peer is itself": ("192.0.2.1", "192.0.2.1"),
    "an IPv4 peer in IPv6 clothing is the IPv4 address": ("::ffff:192.0.2.1", "192.0.2.1"),
    "an IPv6 peer is written in the one way": ("2001:0DB8::0001", "2001:db8::1"),
}
NO_PEERS = {
    "no peer": None,
    "a Unix socket": "",
    "the path of a Unix socket": "unix:/run/server.sock",
    "a host name": "localhost",
    "a zone ID": "fe80::1%eth0",
    "a port": "192.0.2.1:4711",
    "brackets": "[2001:db8::1]",
    "spaces": " 192.0.2.1",
    "an octal spelling": "010.0.0.1",
    "a NUL": "192.0.2.1\0",
}


@pytest.mark.parametrize("trusted", [[], ["203.0.113.0/24"]], ids=["no proxies", "other proxies"])
@pytest.mark.parametrize(("peer", "client"), PEERS.values(), ids=PEERS.keys())
def test_an_untrusted_peer_is_the_client_whatever_the_headers_say(peer, client, trusted):
    headers = [*forwarded_for("198.51.100.7"), *forwarded("for=198.51.100.8")]
    assert client_address(peer, headers, trusted) == client


@pytest.mark.parametrize("trusted", [[], PROXIES], ids=["no proxies", "proxies"])
@pytest.mark.parametrize("peer", NO_PEERS.values(), ids=NO_PEERS.keys())
def test_a_peer_without_an_address_is_undetermined_whatever_the_headers_say(peer, trusted):
    with pytest.raises(UndeterminedAddress):
        client_address(peer, forwarded_for("198.51.100.7"), trusted)


def test_who_is_trusted_is_said_of_any_peer():
    proxies = TrustedProxies.parse(PROXIES)
    assert all(proxies.trusts(peer) for peer in (PROXY, "::ffff:10.0.0.1", "2001:db8:a::1"))
    assert not any(proxies.trusts(peer) for peer in ("192.0.2.1", *NO_PEERS.values()))
    assert not TrustedProxies.parse([]).trusts(PROXY)


def test_headers_are_not_even_read_without_trusted_proxies():
    headers = iter(forwarded_for("198.51.100.7"))
    assert client_address("192.0.2.1", headers, []) == "192.0.2.1"
    assert next(headers) == ("X-Forwarded-For", "198.51.100.7")


def test_a_trusted_peer_without_forwarding_headers_is_the_client():
    assert client_address(PROXY, [("Host", "example.com"), ("X-Real-IP", "198.51.100.7")], PROXIES) == PROXY


def test_a_trusted_peer_in_ipv6_clothing_is_trusted():
    assert client_address("::ffff:10.0.0.1", forwarded_for("198.51.100.7"), PROXIES) == "198.51.100.7"


# --- walking from the right -----------------------------------------------------------------------------------------

WALKS = {
    "one hop": (["198.51.100.7"], "198.51.100.7"),
    "what the client wrote itself is further left": (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
    "trusted hops are passed": (["198.51.100.7, 10.0.0.3, 10.0.0.2"], "198.51.100.7"),
    "trusted IPv6 hops are passed": (["198.51.100.7, 2001:db8:a::1"], "198.51.100.7"),
    "trusted hops in IPv6 clothing are passed": (["198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
    "a trusted address left of the client is not reached": (["10.0.0.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
    "if all are trusted it is the leftmost": (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    "repeated headers are joined in order": (["203.0.113.9", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
    "garbage left of the client is not met": (["<script>, unknown, , 198.51.100.7"], "198.51.100.7"),
    "spaces and tabs around an address": (["  203.0.113.9 ,\t198.51.100.7  "], "198.51.100.7"),
    "an IPv4 port is dropped": (["198.51.100.7:4711"], "198.51.100.7"),
    "a bracketed IPv6 address": (["[2001:db8::7]"], "2001:db8::7"),
    "an IPv6 port is dropped": (["[2001:DB8::7]:4711"], "2001:db8::7"),
    "a bare IPv6 address": (["2001:db8::7"], "2001:db8::7"),
    "a client in IPv6 clothing is the IPv4 address": (["::ffff:198.51.100.7"], "198.51.100.7"),
    "the same in brackets with a port": (["[::ffff:198.51.100.7]:80"], "198.51.100.7"),
}
CLOSED = {
    "an empty header": [""],
    "a header of spaces": ["  "],
    "an empty element at the right": ["198.51.100.7,"],
    "an empty element on the way": ["198.51.100.7,, 10.0.0.2"],
    "an empty repeated header": ["198.51.100.7", ""],
    "garbage at the right": ["198.51.100.7, garbage"],
    "garbage on the way": ["198.51.100.7, garbage, 10.0.0.2"],
    "unknown": ["198.51.100.7, unknown"],
    "an obfuscated identifier": ["198.51.100.7, _hidden"],
    "a zone ID": ["fe80::1%eth0"],
    "a bracketed zone ID": ["[fe80::1%25eth0]:80"],
    "a space instead of a comma": ["203.0.113.9 198.51.100.7"],
    "a space inside": ["198.51. 100.7"],
    "an octal spelling": ["0306.51.100.7"],
    "a wrong port": ["198.51.100.7:http"],
    "a port without a number": ["198.51.100.7:"],
    "IPv4 in brackets": ["[198.51.100.7]"],
    "an open bracket": ["[2001:db8::7"],
    "a quoted address": ['"198.51.100.7"'],
    "a network": ["198.51.100.0/24"],
    "a host name": ["client.example.com"],
    "a NUL": ["198.51.100.7\0"],
    "a line break": ["198.51.100.7\n"],
    "a no-break space": ["198.51.100.7\u00a0"],
    "foreign digits": ["\u0661.2.3.4"],
    "too many hops": [", ".join(["10.0.0.2"] * (MAX_HOPS + 1))],
    "too many hops, however near the client": [", ".join(["198.51.100.7"] * (MAX_HOPS + 1))],
    "too long": [" " * MAX_HEADER + "198.51.100.7"],
    "too long in parts": [" " * (MAX_HEADER // 2) + "10.0.0.2"] * 2,
}


@pytest.mark.parametrize(("values", "client"), WALKS.values(), ids=WALKS.keys())
def test_the_first_untrusted_address_from_the_right_is_the_client(values, client):
    assert client_address(PROXY, forwarded_for(*values), PROXIES) == client


@pytest.mark.parametrize("values", CLOSED.values(), ids=CLOSED.keys())
def test_what_is_not_an_address_on_the_way_closes(values):
    with pytest.raises(UndeterminedAddress):
        client_address(PROXY, forwarded_for(*values), PROXIES)


def test_a_hundred_hops_are_walked():
    hops = ["198.51.100.7", *["10.0.0.2"] * (MAX_HOPS - 1)]
    assert client_address(PROXY, forwarded_for(", ".join(hops)), PROXIES) == "198.51.100.7"


@pytest.mark.parametrize("name", ["x-forwarded-for", "X-FORWARDED-FOR", "X-Forwarded-For"])
def test_header_names_have_no_case(name):
    assert client_address(PROXY, [(name, "198.51.100.7")], PROXIES) == "198.51.100.7"


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded-For ", "XX-Forwarded-For", "X-Forwarded"])
def test_a_name_that_only_looks_like_the_header_is_another(name):
    assert client_address(PROXY, [(name, "198.51.100.7")], PROXIES) == PROXY


# --- Forwarded, RFC 7239 --------------------------------------------------------------------------------------------

FORWARDED = {
    "one hop": (["for=198.51.100.7"], "198.51.100.7"),
    "the examples of RFC 7239": (
        ["for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com"],
        "198.51.100.17",
    ),
    "a quoted IPv6 address with a port": (['For="[2001:db8:cafe::17]:4711"'], "2001:db8:cafe::17"),
    "a quoted IPv6 address": (['for="[2001:db8:cafe::17]"'], "2001:db8:cafe::17"),
    "a quoted IPv4 address with a port": (['for="198.51.100.7:4711"'], "198.51.100.7"),
    "a backslash in a quoted string": ([r'for="198\.51.100.7"'], "198.51.100.7"),
    "commas and semicolons in a quoted string": (['for=198.51.100.7;by="a, for=203.0.113.9; b"'], "198.51.100.7"),
    "trusted hops are passed": (["for=198.51.100.7, for=10.0.0.3;proto=https, for=10.0.0.2"], "198.51.100.7"),
    "repeated headers are joined in order": (["for=203.0.113.9", "for=198.51.100.7", "for=10.0.0.2"], "198.51.100.7"),
    "hidden names left of the client are not met": (["for=unknown, for=_x, for=198.51.100.7"], "198.51.100.7"),
    "spaces around separators": (["proto=https ; for=198.51.100.7 , for=10.0.0.2"], "198.51.100.7"),
    "empty pairs": ([";for=198.51.100.7;;proto=https;"], "198.51.100.7"),
    "if all are trusted it is the leftmost": (["for=10.0.0.3, for=10.0.0.2"], "10.0.0.3"),
}
MALFORMED = {
    "an empty header": [""],
    "an obfuscated identifier": ["for=_hidden"],
    "an obfuscated identifier on the way": ["for=198.51.100.7, for=_SEVKISEK"],
    "unknown": ["for=198.51.100.7, for=unknown"],
    "an element without for": ["for=198.51.100.7, proto=https"],
    "an empty element at the right": ["for=198.51.100.7,"],
    "an empty element on the way": ["for=198.51.100.7,,for=10.0.0.2"],
    "an address without a name": ["198.51.100.7"],
    "an IPv6 address without quotes": ["for=[2001:db8::7]"],
    "a port without quotes": ["for=198.51.100.7:80"],
    "for said twice in one element": ["for=203.0.113.9;for=198.51.100.7"],
    "for said twice in two cases": ["for=203.0.113.9;FOR=198.51.100.7"],
    "spaces around the equals sign": ["for = 198.51.100.7"],
    "an empty value": ["for="],
    "an empty quoted value": ['for=""'],
    "an open quotation mark": ['for="198.51.100.7'],
    "text behind a quoted value": ['for="198.51.100.7"x'],
    "a quotation mark of the client that swallows the proxy's element": ['for=203.0.113.9;x=", for="198.51.100.7"'],
    "a quotation mark of the client in a header of its own": ['for=203.0.113.9;x="', 'for="198.51.100.7"'],
    "a zone ID": ['for="[fe80::1%eth0]"'],
    "a NUL in a quoted string": ['for="198.51.100.7\0"'],
    "too many hops": [", ".join(["for=10.0.0.2"] * (MAX_HOPS + 1))],
    "too long": ["for=198.51.100.7;x=" + "x" * MAX_HEADER],
}


@pytest.mark.parametrize(("values", "client"), FORWARDED.values(), ids=FORWARDED.keys())
def test_forwarded_is_walked_from_the_right(values, client):
    assert client_address(PROXY, forwarded(*values), PROXIES) == client


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED.keys())
def test_forwarded_without_an_address_or_malformed_closes(values):
    with pytest.raises(UndeterminedAddress):
        client_address(PROXY, forwarded(*values), PROXIES)


def test_both_headers_must_name_the_same_client():
    agreeing = [*forwarded("for=198.51.100.7"), *forwarded_for("203.0.113.9, ::ffff:198.51.100.7, 10.0.0.2")]
    assert client_address(PROXY, agreeing, PROXIES) == "198.51.100.7"


@pytest.mark.parametrize("made_up", ["for=203.0.113.9", "for=10.0.0.2", "for=unknown", "garbage", ""])
def test_a_header_that_the_proxy_only_passed_through_cannot_move_the_client(made_up):
    with pytest.raises(UndeterminedAddress):
        client_address(PROXY, [*forwarded(made_up), *forwarded_for("198.51.100.7")], PROXIES)


# --- properties -----------------------------------------------------------------------------------------------------

ADDRESSES = st.sampled_from(
    ["10.0.0.2", "10.255.255.255", "2001:db8:a::1", "198.51.100.7", "203.0.113.9", "2001:db8::7", "9.255.255.255"]
)


def trusted(address: str) -> bool:
    return address.startswith(("10.", "2001:db8:a:"))


def quoted(address: str) -> str:
    return f'for="[{address}]:80"' if ":" in address else f"for={address}"


@patient
@given(st.lists(ADDRESSES, min_size=1, max_size=12), st.booleans())
def test_the_walk_agrees_with_the_naive_model(hops, as_forwarded):
    expected = next((hop for hop in reversed(hops) if not trusted(hop)), hops[0])
    value = ", ".join(map(quoted, hops) if as_forwarded else hops)
    headers = forwarded(value) if as_forwarded else forwarded_for(value)
    assert client_address(PROXY, headers, PROXIES) == expected


NOISE = st.text('0123456789abfor=.:,;"[]_ \t\\%', max_size=60) | st.text(max_size=40)


@patient
@given(NOISE | ADDRESSES, ADDRESSES.filter(lambda address: not trusted(address)))
@example('for=203.0.113.9;x="', "198.51.100.7")
def test_nothing_a_client_sends_moves_it_to_another_address(sent, client):
    """The proxy appends what it saw to what the client sent, in either header."""
    for headers in (forwarded_for(f"{sent}, {client}"), forwarded(f"{sent}, {quoted(client)}")):
        try:
            assert client_address(PROXY, headers, PROXIES) == client
        except UndeterminedAddress:
            assert headers[0][0] == "Forwarded", "X-Forwarded-For has no quoting that could be broken"


NAMES = st.sampled_from(["Forwarded", "forwarded", "X-Forwarded-For", "x-forwarded-for", "Host"]) | st.text(max_size=9)


@patient
@given(NOISE | ADDRESSES | st.none(), st.lists(st.tuples(NAMES, NOISE | ADDRESSES), max_size=5))
def test_whatever_arrives_gives_a_canonical_address_or_a_refusal(peer, headers):
    for proxies in ([], PROXIES, ["0.0.0.0/0", "::/0"]):
        with suppress(UndeterminedAddress):
            address = client_address(peer, headers, proxies)
            assert canonical_address(address) == address


# --- trusted proxies ------------------------------------------------------------------------------------------------


def test_an_undetermined_address_is_a_refused_address():
    assert issubclass(UndeterminedAddress, AddressRefused)
    assert UndeterminedAddress.status == 403


def test_a_refusal_shows_nothing_that_was_sent():
    with pytest.raises(UndeterminedAddress) as raised:
        client_address(PROXY, forwarded_for("secret-of-mine"), PROXIES)
    assert str(raised.value) == "The address of the caller could not be determined."
    assert "secret-of-mine" not in raised.value.detail


@pytest.mark.parametrize("none", [[], (), "", "  "])
def test_no_trusted_proxies_is_the_default_and_is_fine(none):
    assert TrustedProxies.parse(none) == TrustedProxies()
    assert client_address("192.0.2.1", (), none) == "192.0.2.1"


def test_trusted_proxies_may_be_one_text():
    assert client_address(PROXY, forwarded_for("198.51.100.7"), "10.0.0.0/8, 2001:db8:a::/48") == "198.51.100.7"


def test_every_badly_written_proxy_is_named():
    for read in (TrustedProxies.parse, lambda proxies: client_address("192.0.2.1", (), proxies)):
        with pytest.raises(InvalidInput) as raised:
            read(["10.0.0.0/8", "10.0.0.1/8", "loadbalancer"])
        assert [fault.pointer for fault in raised.value.faults] == ["/1", "/2"]
