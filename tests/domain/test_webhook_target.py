"""Where may a webhook go? URLs that are read strictly, and addresses that only we can reach."""

from __future__ import annotations

import ipaddress

import pytest

from tokenserver.domain.webhook_target import Reach, UnfitTarget, read_target

GOOD = {
    "https://hooks.example.com": ("https", "hooks.example.com", 443, "/"),
    "https://HOOKS.example.com/In?a=b&c": ("https", "hooks.example.com", 443, "/In?a=b&c"),
    "https://hooks.example.com:8443/a%20b": ("https", "hooks.example.com", 8443, "/a%20b"),
    "https://hooks.example.com?x": ("https", "hooks.example.com", 443, "/?x"),
    "https://xn--bcher-kva.example/": ("https", "xn--bcher-kva.example", 443, "/"),
    "https://a_b.example.com./": ("https", "a_b.example.com.", 443, "/"),
    "https://198.51.100.7/": ("https", "198.51.100.7", 443, "/"),
    "https://[2001:DB8::1]:8443/": ("https", "2001:db8::1", 8443, "/"),
}


@pytest.mark.parametrize(("url", "read"), GOOD.items())
def test_a_url_is_read_into_its_parts(url, read):
    target = read_target(url, plain_http=False)
    assert (target.scheme, target.host, target.port, target.path) == read


BAD = {
    "empty": "",
    "no scheme": "hooks.example.com",
    "plain http": "http://hooks.example.com",
    "a file": "file:///etc/passwd",
    "capital letters in the scheme": "HTTPS://hooks.example.com",
    "no host": "https://",
    "no host but a port": "https://:443/",
    "a user": "https://me@hooks.example.com/",
    "a user and a password": "https://me:pw@hooks.example.com/",
    "a hidden user": "https://hooks.example.com\\@127.0.0.1/",
    "a fragment": "https://hooks.example.com/#x",
    "a space": "https://hooks.example.com/a b",
    "a line break": "https://hooks.example.com/\nX",
    "a line break at the end": "https://hooks.example.com/\n",
    "a null": "https://hooks.example.com/\0",
    "Unicode in the host": "https://bücher.example/",
    "Unicode in the path": "https://hooks.example.com/ü",
    "port 0": "https://hooks.example.com:0/",
    "port 65536": "https://hooks.example.com:65536/",
    "a port that is no number": "https://hooks.example.com:x/",
    "an empty label": "https://hooks..example.com/",
    "a label that begins with a hyphen": "https://-hooks.example.com/",
    "a label that is too long": f"https://{'x' * 64}.example.com/",
    "a name that is too long": f"https://{'x.' * 130}com/",
    "an address as one number": "https://2130706433/",
    "an address in hexadecimal": "https://0x7f000001/",
    "an address with a part in hexadecimal": "https://127.0.0.0x1/",
    "an octal address": "https://0177.0.0.1/",
    "a short address": "https://127.1/",
    "an address with a dot at the end": "https://127.0.0.1./",
    "an address with a zone": "https://[fe80::1%25eth0]/",
    "brackets around a name": "https://[hooks.example.com]/",
    "a broken address": "https://[::1/",
    "too long": "https://hooks.example.com/" + "x" * 2000,
}


@pytest.mark.parametrize("url", BAD.values(), ids=BAD.keys())
def test_what_is_no_plain_https_url_is_refused_without_repeating_it(url):
    with pytest.raises(UnfitTarget) as caught:
        read_target(url, plain_http=False)
    assert "hooks" not in str(caught.value)


def test_plain_http_is_taken_where_it_is_allowed():
    target = read_target("http://hooks.example.com:8080/in", plain_http=True)
    assert (target.port, target.origin) == (8080, "http://hooks.example.com:8080")
    assert read_target("http://hooks.example.com", plain_http=True).port == 80


def test_the_origin_shows_nothing_of_path_and_query():
    assert (
        read_target("https://hooks.example.com/s3cr3t?s3cr3t", plain_http=False).origin == "https://hooks.example.com"
    )
    assert read_target("https://[2001:db8::1]:8443/", plain_http=False).origin == "https://[2001:db8::1]:8443"


PUBLIC = ["8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255", "1.1.1.1"]
PUBLIC += ["2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"]
PUBLIC += ["::ffff:8.8.8.8", "64:ff9b::808:808"]

SPECIAL = {
    "this host": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104  only asked about
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.255.255", "fc00::1", "fdff::1"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local": ["169.254.1.1", "fe80::1", "febf::1"],
    "metadata services": ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarking": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "relays and tunnels": ["192.88.99.1", "2002:7f00:1::", "2001::1"],
    "IPv4 in IPv6 clothing": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"],
    "behind NAT64": ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"],
    "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
    "site-local and unassigned": ["fec0::1", "4000::1", "100::1", "5f00::1"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address):
    assert Reach().admits(ipaddress.ip_address(address))


@pytest.mark.parametrize("kind", SPECIAL)
def test_an_address_that_is_not_public_may_not(kind):
    reached = [address for address in SPECIAL[kind] if Reach().admits(ipaddress.ip_address(address))]
    assert not reached


def test_networks_that_are_allowed_may_be_reached_and_their_neighbours_not():
    reach = Reach.parse(["10.1.0.0/16", "fd00:1::/32"])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00:1::5", "8.8.8.8"):
        assert reach.admits(ipaddress.ip_address(address))
    for address in ("10.2.0.1", "fd00:2::1", "127.0.0.1", "::ffff:10.2.0.1"):
        assert not reach.admits(ipaddress.ip_address(address))


@pytest.mark.parametrize("network", ["10.1.2.3/8", "x", "", "10.0.0.0/33"])
def test_what_is_no_network_cannot_be_allowed(network):
    with pytest.raises(ValueError, match=r".+"):
        Reach.parse([network])
