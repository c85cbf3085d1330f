"""One request, bounded in time and size, to where it was meant to go, over TLS that is checked. On real sockets."""

from __future__ import annotations

import datetime as dt
import ipaddress
import select
import socket
import ssl
import threading
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.token_endpoint import CLIENT_ID, Answer, serving
from tokenserver.client import HttpTransport, TokenRefused, TokenSource, TokenUnavailable
from tokenserver.client.transport import LONGEST_ANSWER


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def raw_server(answer):
    """Takes connections, and answers each as `answer` does."""

    class Handler(BaseRequestHandler):
        def handle(self):
            server.seen += 1
            answer(self.request)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        seen = 0

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server, f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def receive(connection):
    """The whole request: who closes a connection with something unread in it resets it."""
    received = b""
    while not received.endswith(b"client_credentials"):
        received += connection.recv(65536)


def source_for(url, **settings):
    given = {"client_id": CLIENT_ID, "client_secret": "first", "patience": 0, **settings}
    return TokenSource(url, **given)


def test_redirects_are_not_followed_with_a_secret():
    with serving() as elsewhere, serving() as tokens:
        tokens.next.append(Answer(307, b"", {"Location": elsewhere.token_endpoint}))
        with pytest.raises(TokenRefused, match="answered 307"):
            source_for(tokens.token_endpoint).token()
        assert not elsewhere.asked


def test_an_answer_that_drips_is_given_up_in_time():
    def drip(connection):
        receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        stop = threading.Event()
        for _ in range(1000):
            connection.sendall(b" ")
            stop.wait(0.01)

    with raw_server(drip) as (_, address), pytest.raises(TokenUnavailable, match="in time"):
        source_for(f"http://{address}/token", timeout=0.3).token()


def test_a_server_that_says_nothing_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TokenUnavailable, match="in time"):
        source_for(f"http://127.0.0.1:{silent.getsockname()[1]}/token", timeout=0.2).token()


def test_an_endless_answer_is_given_up():
    def endless(connection):
        receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.sendall(b" " * (LONGEST_ANSWER * 4))

    with raw_server(endless) as (_, address), pytest.raises(TokenUnavailable, match="too long"):
        source_for(f"http://{address}/token").token()


GARBAGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
    "chunks of no size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "less than it said": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_no_answer(garbage):
    def answer(connection):
        receive(connection)
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)

    with raw_server(answer) as (_, address), pytest.raises(TokenUnavailable):
        source_for(f"http://{address}/token").token()


# --- TLS and proxies ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        yield server


@pytest.fixture
def trusting(certificate):
    return HttpTransport(context=ssl.create_default_context(cafile=certificate))


def test_a_certificate_that_nobody_trusts_is_shown_no_secret(secure):
    with pytest.raises(TokenUnavailable, match="certificate is not trusted"):
        source_for(secure.token_endpoint).token()
    assert not secure.asked


def test_a_private_authority_can_be_trusted(secure, trusting):
    assert source_for(secure.token_endpoint, transport=trusting).token() == "token-1"


@contextmanager
def proxy(seen):
    """Understands CONNECT, and notes what it was told and what passed through it."""

    def tunnel(connection):
        head = connection.recv(65536)
        host, _, port = head.split(b" ")[1].partition(b":")
        with socket.create_connection((host.decode(), int(port))) as target:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            seen.append(head)
            while True:
                for ready in select.select([connection, target], [], [], 20)[0]:
                    piece = ready.recv(65536)
                    seen.append(piece)
                    if not piece:
                        return
                    (target if ready is connection else connection).sendall(piece)

    with raw_server(tunnel) as (_, address):
        yield address


def test_a_proxy_of_the_environment_passes_on_what_it_cannot_read(secure, trusting, monkeypatch):
    seen: list[bytes] = []
    with proxy(seen) as address:
        monkeypatch.setenv("https_proxy", f"http://me:p%40ss@{address}")
        assert source_for(secure.token_endpoint, transport=trusting).token() == "token-1"
    assert seen[0].startswith(f"CONNECT 127.0.0.1:{secure.server_port} HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in seen[0]
    assert b"token-1" not in b"".join(seen)
    assert b"Basic YW4lMjBhcHA6" not in b"".join(seen)


def test_no_proxy_is_heeded(secure, trusting, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert source_for(secure.token_endpoint, transport=trusting).token() == "token-1"


def test_plain_http_goes_through_no_proxy_which_could_read_it(monkeypatch):
    with serving() as stranger, serving() as tokens:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, stranger.issuer)
        assert source_for(tokens.token_endpoint).token() == "token-1"
        assert not stranger.asked


@pytest.mark.parametrize("named", ["socks5://127.0.0.1:9", "https://127.0.0.1:9", "http://", "http://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_not_gone_around(secure, trusting, monkeypatch, named):
    monkeypatch.setenv("https_proxy", named)
    with pytest.raises(TokenUnavailable, match="cannot be reached"):
        source_for(secure.token_endpoint, transport=trusting).token()
    assert not secure.asked


def test_a_transport_of_ones_own_may_fail_as_it_likes():
    def breaks(*_):
        raise KeyError("tss_1")

    with pytest.raises(TokenUnavailable, match="KeyError") as refused:
        source_for("https://auth.example.com/token", transport=breaks).token()
    assert "tss" not in str(refused.value)
