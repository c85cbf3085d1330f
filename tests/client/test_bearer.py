"""Tokens on requests, by every library: to the API they are for, renewed once after a 401, repeated where that is safe.

Real libraries against real HTTP: an API that a test tells which tokens it takes, then our own server and a stranger's.
"""

from __future__ import annotations

import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.foreign import foreign_server
from tests.support.http_callers import CALLS, STREAMS, a_file, by_requests
from tests.support.token_endpoint import Answer
from tests.support.world import eventually
from tokenserver.client import TokenRefused, TokenSource
from tokenserver.client.bearer import Bearer
from tokenserver.client.urllib import TokenHandler


class Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refused = set()
        self.refuses_all = False
        self.seen = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self):
        body = self._body()
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if self.path.startswith("/to?"):
            self._reply(302, b"", ("Location", self.path.removeprefix("/to?")))
        elif self.server.refuses_all or token in self.server.refused or not token:
            self._reply(401, b"refused", ("WWW-Authenticate", 'Bearer error="invalid_token"'))
        else:
            self._reply(200, b"welcome")

    def do_POST(self):
        self.do_GET()

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reply(self, status, body, *headers):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def an_api():
    server = Api()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def api():
    with an_api() as api:
        yield api


@pytest.fixture(params=list(CALLS))
def library(request):
    return request.param


@pytest.fixture
def call(library):
    return CALLS[library]


WELCOME, REFUSED = (200, b"welcome"), (401, b"refused")


def test_a_request_carries_the_token_and_the_next_one_the_same(tokens, make, api, call):
    assert call(make(), api.url, f"{api.url}/reports", times=3) == [WELCOME] * 3
    assert [authorization for _, authorization, _ in api.seen] == ["Bearer token-1"] * 3
    assert len(tokens.asked) == 1


def test_after_a_401_the_token_is_renewed_once_and_the_request_repeated(tokens, make, api, call):
    api.refused = {"token-1"}
    assert call(make(), api.url, f"{api.url}/reports?a=b", times=2) == [WELCOME] * 2
    assert api.seen == [("/reports?a=b", f"Bearer token-{number}", b"") for number in (1, 2, 2)]


def test_a_body_in_memory_is_sent_again(tokens, make, api, call):
    api.refused = {"token-1"}
    assert call(make(), api.url, api.url + "/", b"a body") == [WELCOME]
    assert [body for _, _, body in api.seen] == [b"a body"] * 2


def test_a_file_is_wound_back_to_where_it_stood(make, api):
    api.refused = {"token-1"}
    assert by_requests(make(), api.url, api.url + "/", a_file()) == [WELCOME]
    assert [body for _, _, body in api.seen] == [b"a body"] * 2


def test_a_body_that_can_be_sent_once_is_not_sent_again_but_the_next_request_has_a_new_token(
    tokens, make, api, call, library
):
    api.refused = {"token-1"}
    source = make()
    assert call(source, api.url, api.url + "/", STREAMS[library]()) == [REFUSED]
    assert len(api.seen) == 1
    eventually(lambda: source.token() == "token-2", "the renewed token is used")
    assert call(source, api.url, api.url + "/") == [WELCOME]


def test_an_api_that_refuses_everything_is_asked_twice_and_no_more(tokens, make, api, call):
    api.refuses_all = True
    assert call(make(), api.url, api.url + "/", times=5) == [REFUSED] * 5
    assert len(api.seen) == 6
    assert len(tokens.asked) == 2


def test_where_no_other_token_is_to_be_had_the_answer_of_the_api_stands_and_the_next_request_says_why(
    tokens, make, api, call
):
    source = make()
    api.refuses_all = True
    tokens.next.extend([Answer(200, {"access_token": "t", "token_type": "Bearer"}), Answer(401, {"error": "x"})])
    assert call(source, api.url, api.url + "/") == [REFUSED]
    with pytest.raises(TokenRefused):
        call(source, api.url, api.url + "/")
    assert len(api.seen) == 1


def test_no_other_host_is_shown_the_token_neither_called_nor_redirected_to(tokens, make, api, call):
    with an_api() as stranger:
        source = make()
        assert call(source, api.url, stranger.url + "/") == [REFUSED]
        assert call(source, api.url, f"{api.url}/to?{stranger.url}/") == [REFUSED]
        assert call(source, api.url, f"{api.url}/to?/here") == [WELCOME]
        assert {authorization for _, authorization, _ in stranger.seen} == {None}
    assert len(tokens.asked) == 1, "and its refusal renews nothing"


def test_a_request_of_urllib_may_be_opened_again_and_again(tokens, make, api, clock):
    opener = urllib.request.build_opener(TokenHandler(make(), api.url))
    request = urllib.request.Request(api.url + "/")
    for number in range(1, 4):
        api.refused.add(f"token-{number}")
        with opener.open(request, timeout=20) as answer:
            assert answer.status == 200
        clock.advance(11)
    assert [authorization for _, authorization, _ in api.seen] == [f"Bearer token-{n}" for n in (1, 2, 2, 3, 3, 4)]


def test_an_api_may_have_several_hosts(make, api, call):
    with an_api() as another:
        source = make()
        for url in (api.url, another.url):
            assert call(source, [api.url, another.url], url + "/") == [WELCOME]


@pytest.mark.parametrize("wrong", ["", [], "api.example.com", "https://", ["https://api.example.com", "x"]])
def test_the_api_that_tokens_are_for_must_be_named(make, wrong):
    with pytest.raises(ValueError, match="API"):
        Bearer(make(), wrong)


# --- our own server ---


def test_an_app_goes_on_when_its_secret_is_regenerated_and_replaced(world, protected, call, tmp_path):
    made = world.credential()
    path = tmp_path / "secret"
    path.write_text(made["client_secret"])
    source = TokenSource(issuer=world.issuer, client_id=made["client_id"], client_secret=path)
    answered = (200, made["client_id"].encode())
    assert call(source, protected, f"{protected}/any") == [answered]
    before = source.token()
    path.write_text(world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")["client_secret"])
    eventually(lambda: world.call(protected, before) == 401, "the old token is refused")
    assert call(source, protected, f"{protected}/any", times=2) == [answered] * 2
    assert source.token() != before


# --- a stranger's ---


def test_a_server_and_an_api_of_another_make_are_served_alike(call):
    with foreign_server("some app", "a secret") as foreign:
        source = TokenSource(issuer=foreign.url, client_id="some app", client_secret="a secret", scope="reports:read")
        assert call(source, foreign.url, f"{foreign.url}/reports") == [(200, b"reports")]
        foreign.tokens.clear()
        assert call(source, foreign.url, f"{foreign.url}/reports", b"a body") == [(200, b"reports")]
