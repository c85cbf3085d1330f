"""One GET, bounded in time and size, to where it was meant to go. Against real sockets."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.callers import ANYBODY
from tokenserver.errors import Unavailable
from tokenserver.resource import Verifier
from tokenserver.resource.fetching import HttpFetch, get
from tokenserver.resource.knowledge import NoNews
from tokenserver.resource.testing import FakeIssuer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen: list[tuple[str, object]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self):
        self.server.seen.append((self.path, self.client_address))
        self.server.answer(self)

    def reply(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def serving(answer):
    server = Server(answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_connection_is_kept_from_one_request_to_the_next():
    with serving(lambda handler: handler.reply(b"hello")) as (server, url):
        fetch = HttpFetch()
        assert [get(fetch, f"{url}/{n}?a=b", 5).body for n in range(3)] == [b"hello"] * 3
        assert [path for path, _ in server.seen] == ["/0?a=b", "/1?a=b", "/2?a=b"]
        assert len({peer for _, peer in server.seen}) == 1


def test_a_connection_that_was_closed_meanwhile_is_made_again():
    def hang_up(handler):
        handler.close_connection = True  # without saying so
        handler.reply(b"hello")

    with serving(hang_up) as (server, url):
        fetch = HttpFetch()
        assert [get(fetch, url, 5).body for _ in range(3)] == [b"hello"] * 3
        assert len({peer for _, peer in server.seen}) == 3


def test_chunked_answers_and_answers_without_a_length_are_read():
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b"hello")

    for answer in (chunked, endless):
        with serving(answer) as (_, url):
            fetch = HttpFetch()
            assert [get(fetch, url, 5).body for _ in range(2)] == [b"hello"] * 2


def test_a_connection_with_half_an_answer_in_it_is_not_used_again():
    with serving(lambda handler: handler.reply(bytes(10**6))) as (_, url):
        fetch = HttpFetch(longest=10)
        with pytest.raises(NoNews):
            get(fetch, url, 5, longest=10)
        assert fetch._mine.kept is None


def test_redirects_are_not_followed():
    with (
        serving(lambda handler: handler.reply(b"stolen")) as (elsewhere, target),
        serving(lambda handler: handler.reply(b"", 302, [("Location", target)])) as (_, url),
    ):
        with pytest.raises(NoNews) as refused:
            get(HttpFetch(), url, 5)
        assert refused.value.detail == "the issuer answered 302"
        assert not elsewhere.seen


def test_the_proxies_of_the_environment_are_not_used(monkeypatch):
    with (
        serving(lambda handler: handler.reply(b"stolen")) as (proxy, proxy_url),
        serving(lambda handler: handler.reply(b"hello")) as (_, url),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy_url)
        assert get(HttpFetch(), url, 5).body == b"hello"
        assert not proxy.seen


@pytest.mark.parametrize("stated", [True, False])
def test_an_endless_answer_is_given_up(stated):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Length" if stated else "X-Length", str(10**12))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(bytes(1024))
        except OSError:
            pass
        handler.close_connection = True

    with serving(endless) as (_, url), pytest.raises(NoNews) as refused:
        get(HttpFetch(longest=10_000), url, 5, longest=10_000)
    assert refused.value.detail == "the issuer's answer is too long"


@pytest.mark.fault(
    "the token server is slow and drips its answer",
    "it is given up after `timeout` (5 s) as a whole, and the last good news stays",
)
def test_an_answer_that_drips_is_given_up_in_time():
    over = threading.Event()

    def dripping(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while not over.wait(0.02):
                handler.wfile.write(b".")
        except OSError:
            pass

    with serving(dripping) as (_, url), pytest.raises(NoNews) as refused:
        get(HttpFetch(), url, 0.2)
    over.set()
    assert refused.value.detail == "the issuer did not answer in time"


def test_a_server_that_says_nothing_is_given_up_in_time():
    over = threading.Event()
    with serving(lambda _: over.wait(10)) as (_, url), pytest.raises(NoNews) as refused:
        get(HttpFetch(), url, 0.1)
    over.set()
    assert refused.value.detail == "the issuer did not answer in time"


def test_errors_and_retry_after_are_told():
    with serving(lambda handler: handler.reply(b"", 503, [("Retry-After", "7")])) as (_, url):
        with pytest.raises(NoNews) as refused:
            get(HttpFetch(), url, 5)
        assert (refused.value.detail, refused.value.asked_to_wait) == ("the issuer answered 503", 7.0)


def test_nobody_at_home_is_told():
    with serving(lambda _: None) as (_, url):
        pass
    with pytest.raises(NoNews) as refused:
        get(HttpFetch(), url, 5)
    assert refused.value.detail == "the issuer cannot be reached"


def test_what_does_not_speak_http_is_told_without_its_words():
    def garbage(handler):
        handler.wfile.write(b"\xff\xfe eyJsecret\r\n\r\n")
        handler.close_connection = True

    with serving(garbage) as (_, url), pytest.raises(NoNews) as refused:
        get(HttpFetch(), url, 5)
    assert "eyJ" not in refused.value.detail


def test_a_certificate_that_nobody_vouches_for_is_refused():
    with serving(lambda handler: handler.reply(b"")) as (_, url), pytest.raises(NoNews) as refused:
        get(HttpFetch(), url.replace("http:", "https:"), 5)
    assert "TLS" in refused.value.detail


def test_a_verifier_works_over_real_http_with_nothing_but_the_issuers_address():
    def answer(handler):
        status, headers, body = issuer.fetch(f"{issuer.name}{handler.path}", {}, 5)
        handler.reply(body, status, headers.items())

    with serving(answer) as (_, url):
        issuer = FakeIssuer(url)
        verifier = Verifier(issuer=url, audience=issuer.audience, clock=issuer.clock)
        with verifier:
            assert verifier.ready(10)
            assert verifier.verify(issuer.token(), ANYBODY).organization == "org_test"
            issuer.answers(500)
    with Verifier(issuer=url, audience=issuer.audience) as nobody_there, pytest.raises(Unavailable):
        nobody_there.verify(issuer.token(), ANYBODY)
