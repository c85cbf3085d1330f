"""Does a post arrive where it may, once and in time, and nowhere else, whatever the receiver does?"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.services.posting import Poster, resolved
from tests.support.receivers import a_receiver, answering, dropping, hanging, repeating, saying
from tests.support.world import free_port
from tokenserver.domain.webhook_target import IpAddress, Reach

LOOPBACK = Reach.parse(["127.0.0.0/8"])
BODY = b'{"type":"webhook.test"}'
HEADERS = {"Content-Type": "application/json", "webhook-id": "evt_1"}
TOO_LONG = 5.0
"""Seconds after which a post whose patience is short has not been cut off. Bounds no speed: machines are shared."""


@pytest.fixture
def hurried(monkeypatch):
    """Less patience than a test has."""
    monkeypatch.setattr("app.services.posting.TOTAL_SECONDS", 0.5)
    monkeypatch.setattr("app.services.posting.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("app.services.posting.LINGER_SECONDS", 0.2)


def poster(reach=LOOPBACK, **more):
    return Poster(reach, **{"plain_http": True, **more})


def post(url, **more):
    return poster(**more).post(url, HEADERS, BODY)


class Naming:
    """A resolver that gives these addresses in turn, those of one text at each call; the last one stays."""

    def __init__(self, *addresses: str) -> None:
        self.left = list(addresses)
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> list[IpAddress]:
        self.asked += 1
        found = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return [ipaddress.ip_address(address) for address in found.split()]


def test_a_post_arrives_whole_and_once():
    with a_receiver() as receiver:
        outcome = post(receiver.url + "?a=b")
        assert (outcome.status, outcome.error) == (204, None)
        (received,) = receiver.received
    assert received.line == "POST /in?a=b HTTP/1.1"
    assert received.body == BODY
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["webhook-id"] == "evt_1"
    assert received.headers["connection"] == "close"
    assert 0 <= outcome.duration_ms < 10_000


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_status_that_means_success_is_one(status):
    with a_receiver(answering(status, body=b"" if status == 204 else b"thank you")) as receiver:
        assert post(receiver.url).error is None


@pytest.mark.parametrize("status", [101, 400, 401, 404, 410, 429, 500, 503, 599])
def test_any_other_status_does_not(status):
    with a_receiver(answering(status)) as receiver:
        outcome = post(receiver.url)
    assert (outcome.status, outcome.is_gone) == (status, status == 410)
    assert "status" in outcome.error


def test_what_a_receiver_says_of_when_to_come_back_is_handed_on_and_not_shown():
    with a_receiver(answering(503, "Retry-After: 120")) as receiver:
        outcome = post(receiver.url)
    assert outcome.unverified_retry_after == "120"
    assert "120" not in repr(outcome)
    assert "120" not in (outcome.error or "")
    with a_receiver(answering(503)) as receiver:
        assert post(receiver.url).unverified_retry_after == ""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with a_receiver() as elsewhere, a_receiver(answering(status, f"Location: {elsewhere.url}")) as receiver:
        outcome = post(receiver.url)
        assert (outcome.status, elsewhere.connections) == (status, 0)
    assert "redirect" in outcome.error


SLOW = {
    "one that says nothing": hanging,
    "one that says a byte now and then": repeating(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "one that goes on continuing": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("behaviour", SLOW.values(), ids=SLOW.keys())
def test_a_slow_receiver_is_cut_off(hurried, behaviour):
    with a_receiver(behaviour) as receiver:
        began = time.monotonic()
        outcome = post(receiver.url)
        assert time.monotonic() - began < TOO_LONG
    assert outcome.status is None
    assert "no answer within 0.5 seconds" in outcome.error


def test_a_receiver_that_does_not_read_is_cut_off(hurried):
    with socket.create_server(("127.0.0.1", 0)) as full:
        began = time.monotonic()
        outcome = poster().post(f"http://127.0.0.1:{full.getsockname()[1]}/", HEADERS, b"x" * 50_000_000)
        assert time.monotonic() - began < TOO_LONG
    assert "no answer within" in outcome.error


def test_a_body_without_end_is_not_read_to_its_end(hurried):
    endless = repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
    for behaviour in (endless, repeating(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000)):
        with a_receiver(behaviour) as receiver:
            began = time.monotonic()
            assert post(receiver.url).error is None, "the status has said what there is to say"
            assert time.monotonic() - began < TOO_LONG


def test_a_body_that_never_comes_changes_nothing_about_the_status(hurried):
    with a_receiver(repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"", 60)) as receiver:
        assert post(receiver.url).error is None


NO_HTTP = {
    "a head without end": (repeating(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"), ("too long", "not HTTP")),
    "one line without end": (repeating(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000), ("too long", "not HTTP")),
    "another protocol": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), ("not HTTP",)),
    "a status that is no number": (saying(b"HTTP/1.1 OK\r\n\r\n"), ("not HTTP",)),
    "bytes": (saying(bytes(range(128, 256)) * 9 + b"\r\n"), ("not HTTP",)),
    "nothing": (dropping, ("closed before an answer",)),
    "half a head": (saying(b"HTTP/1.1 200"), ("not HTTP", "closed")),
}


@pytest.mark.parametrize(("behaviour", "words"), NO_HTTP.values(), ids=NO_HTTP.keys())
def test_what_is_no_answer_is_told_in_our_words(behaviour, words):
    with a_receiver(behaviour) as receiver:
        outcome = post(receiver.url)
    if outcome.status is None:
        assert any(word in outcome.error for word in words)
    else:
        assert words[-1] == "closed", "half a head that is a status all the same"
    assert "SSH" not in str(outcome)


def test_where_nobody_listens_the_connection_is_refused():
    assert post(f"http://127.0.0.1:{free_port()}/").error == "The connection was refused."


def test_a_name_that_does_not_resolve_is_told_so():
    def resolve(host, port):
        raise socket.gaierror

    assert post("http://hooks.example.com/", resolve=resolve).error == "The host name cannot be resolved."
    assert post(f"http://{'x' * 63}.invalid/").error == "The host name cannot be resolved."


# --- where it must not go ---


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to():
    with a_receiver() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"):
            assert "must not reach" in post(url, reach=Reach(), resolve=Naming(address)).error
        assert "must not reach" in post(f"http://localhost:{receiver.port}/", reach=Reach()).error
        assert "must not reach" in post(receiver.url, reach=Reach()).error
        assert receiver.connections == 0


def test_a_name_that_changes_its_address_after_it_was_judged_changes_nothing():
    """DNS rebinding: judged is what is connected to."""
    resolve = Naming("127.0.0.2", "127.0.0.1")
    with a_receiver(host="127.0.0.2") as meant, a_receiver() as private:
        reach = Reach.parse(["127.0.0.2/32"])
        url = f"http://rebinding.example.com:{meant.port}/"
        assert post(url, reach=reach, resolve=resolve).error is None
        assert (meant.connections, resolve.asked) == (1, 1)
        assert "must not reach" in post(url, reach=reach, resolve=resolve).error
        assert private.connections == 0


def test_of_several_addresses_only_those_are_tried_that_may_be_reached(hurried):
    with a_receiver(host="127.0.0.2") as meant, a_receiver() as private:
        reach = Reach.parse(["127.0.0.2/32", "127.0.0.3/32"])
        resolve = Naming("127.0.0.1 127.0.0.3 127.0.0.2")  # nobody listens at 127.0.0.3
        assert post(f"http://hooks.example.com:{meant.port}/", reach=reach, resolve=resolve).error is None
        assert private.connections == 0


def test_the_proxies_of_the_environment_are_not_used(monkeypatch):
    with a_receiver() as proxy, a_receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(receiver.url).error is None
        assert proxy.connections == 0


def test_plain_http_is_not_spoken_where_it_is_not_allowed():
    with a_receiver() as receiver:
        assert "cannot be used" in post(receiver.url, plain_http=False).error
        assert receiver.connections == 0


def test_the_system_resolves_names_and_gives_addresses():
    assert ipaddress.ip_address("127.0.0.1") in resolved("localhost", 80)


# --- TLS ---


def certified(folder, name, *, days=1):
    """A certificate of its own authority, for a name or an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


@pytest.fixture
def trusting(monkeypatch, tmp_path):
    """The system trusts the authority of the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))


def over_tls(tls, name="hooks.example.com"):
    with a_receiver(tls=tls) as receiver:
        outcome = post(f"https://{name}:{receiver.port}/in", resolve=Naming("127.0.0.1"))
        return outcome, receiver.received


def test_tls_proves_the_name_though_the_connection_is_to_an_address(tmp_path, trusting):
    outcome, received = over_tls(certified(tmp_path, "hooks.example.com"))
    assert outcome.error is None
    assert received[0].headers["host"].startswith("hooks.example.com:")


def test_an_address_may_have_a_certificate_too(tmp_path, trusting):
    outcome, _ = over_tls(certified(tmp_path, "127.0.0.1"), "127.0.0.1")
    assert outcome.error is None


def test_a_certificate_for_another_name_is_refused_before_anything_is_said(tmp_path, trusting):
    outcome, received = over_tls(certified(tmp_path, "other.example.com"))
    assert (outcome.error, received) == ("The TLS certificate is not valid for this host, or not trusted.", [])


def test_a_certificate_that_has_expired_is_refused(tmp_path, trusting):
    outcome, received = over_tls(certified(tmp_path, "hooks.example.com", days=-1))
    assert ("certificate" in outcome.error, received) == (True, [])


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path):
    outcome, received = over_tls(certified(tmp_path, "hooks.example.com"))
    assert ("certificate" in outcome.error, received) == (True, [])


def test_a_receiver_without_tls_is_told_nothing():
    with a_receiver(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as receiver:
        outcome = post(f"https://127.0.0.1:{receiver.port}/")
        assert receiver.received == []
    assert outcome.status is None
    assert outcome.error


def test_a_handshake_that_hangs_is_cut_off(hurried):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        outcome = post(f"https://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.monotonic() - began < TOO_LONG
    assert "no answer within" in outcome.error
