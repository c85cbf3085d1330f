"""The token endpoint over real HTTP: what the server in front makes of a request before we see it."""

from __future__ import annotations

import json
import socket
from base64 import b64encode, urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from app.oauth.reading import LARGEST_FORM
from tests.support.world import World, a_world

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


class Served:
    """A real server behind a proxy that is trusted: this machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client_id, self.secret = self.made()
        self.form = urlencode(self.asked()).encode()

    def made(self, **terms):
        made = self.world.credential(**terms)
        return made["client_id"], made["client_secret"]

    def asked(self, **more):
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.secret,
            **more,
        }

    def post(self, body, headers=b"", *, length=None):
        size = len(body) if length is None else length
        return self.raw(b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n" % size + headers, body)

    def raw(self, head, body=b""):
        """These very bytes on a connection of its own; status, headers and body of the answer."""
        with socket.create_connection(("127.0.0.1", self.world.port), timeout=20) as connection:
            connection.sendall(head + b"Host: evil.example\r\nConnection: close\r\n\r\n" + body)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode("latin-1").lower(), body


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("served"), trusted_proxies="127.0.0.1/32", threads="4") as world:
        world.start()
        world.catalogue()
        yield Served(world)


def error(body):
    return json.loads(body)["error"]


def test_a_stock_client_library_gets_a_token(served, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    url = f"{served.world.issuer}/oauth/token"
    session = OAuth2Session(client=BackendApplicationClient(client_id=served.client_id))
    for more in ({"auth": HTTPBasicAuth(served.client_id, served.secret)}, {"client_secret": served.secret}):
        token = session.fetch_token(url, include_client_id="client_secret" in more or None, **more)
        assert token["token_type"] == "Bearer"
        assert token["expires_in"] == 900


def test_a_connection_is_kept_and_used_again(served):
    with requests.Session() as session:
        answers = [
            session.post(f"{served.world.issuer}/oauth/token", data=served.asked(), timeout=20) for _ in range(5)
        ]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 5
    assert answers[0].headers["Cache-Control"] == "no-store"


def test_a_body_in_chunks_without_a_length_is_read(served):
    def chunks():
        for place in range(0, len(served.form), 7):
            yield served.form[place : place + 7]

    answer = requests.post(
        f"{served.world.issuer}/oauth/token",
        data=chunks(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=20,
    )
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert answer.status_code == 200


def test_a_body_in_chunks_that_is_too_large_is_refused(served):
    def chunks():
        yield served.form + b"&x="
        for _ in range(LARGEST_FORM // 1024 + 1):
            yield b"x" * 1024

    answer = requests.post(
        f"{served.world.issuer}/oauth/token",
        data=chunks(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(served):
    status, _, body = served.post(served.form + b"&x=" + b"x" * (LARGEST_FORM + 1))
    assert (status, error(body)) == (413, "invalid_request")
    assert served.post(served.form)[0] == 200


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"POST /oauth/token HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 50\r\n", b"hello", 400),
        (b"POST /oauth/token HTTP/1.1\r\nContent-Length: -5\r\n", b"", 400),
        (b"POST /oauth/token HTTP/1.1\r\nContent-Length: x\r\n", b"", 400),
        (
            b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Authorization: Basic \x01\x02\r\nContent-Length: 0\r\n",
            b"",
            400,
        ),
        (b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"X: \xff\xfe\r\nContent-Length: 0\r\n", b"", 400),
        (b"POST /oauth/token HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: gzip, identity\r\n", b"", 400),
        (b"GET /oauth/token HTTP/1.1\r\n", b"", 405),
        (b"HEAD /oauth/token HTTP/1.1\r\n", b"", 405),
        (b"OPTIONS /oauth/token HTTP/1.1\r\n", b"", 405),
        (b"TRACE /oauth/token HTTP/1.1\r\n", b"", 405),
        (b"P\xc3\x96ST /oauth/token HTTP/1.1\r\n", b"", 400),
        (b"POST /oauth/tok%65n HTTP/1.1\r\nContent-Length: 0\r\n", b"", 400),
        (b"POST /oauth/token/../token HTTP/1.1\r\nContent-Length: 0\r\n", b"", 404),
        (b"POST /oauth/token\xff HTTP/1.1\r\nContent-Length: 0\r\n", b"", 400),
        (b"POST /oauth/token\x00 HTTP/1.1\r\nContent-Length: 0\r\n", b"", 400),
        (b"POST http://evil.example/oauth/token HTTP/1.1\r\nContent-Length: 0\r\n", b"", 400),
        (b"POST /oauth/token?x HTTP/1.1\r\n" + FORM + b"Content-Length: 0\r\n", b"", 400),
    ],
)
def test_odd_bytes_get_a_refusal_and_never_a_500(served, head, body, status):
    found, headers, text = served.raw(head, body)
    assert found == status, text
    assert "traceback" not in text.decode("latin-1").lower()
    assert "evil" not in headers + text.decode("latin-1")
    assert "werkzeug" not in headers


def test_two_headers_of_authentication_are_no_authentication(served):
    good = b"Authorization: Basic " + b64encode(f"{served.client_id}:{served.secret}".encode()) + b"\r\n"
    body = b"grant_type=client_credentials"
    assert served.post(body, good)[0] == 200
    for headers in (good + good, good + b"Authorization: Bearer x\r\n", b"Authorization: x\r\n" + good):
        status, _, answer = served.post(body, headers)
        assert (status, error(answer)) == (401, "invalid_client")


def test_an_underscore_does_not_make_another_authentication(served):
    """`Authorization` has no dash; a header of nearly its name is another header."""
    good = b"Basic " + b64encode(f"{served.client_id}:{served.secret}".encode())
    assert served.post(b"grant_type=client_credentials", b"HTTP_AUTHORIZATION: " + good + b"\r\n")[0] == 401


# --- whose address (A03) ---


@pytest.fixture(scope="module")
def restricted(served):
    client_id, secret = served.made(allowed_ips="192.0.2.1")
    return urlencode(served.asked(client_id=client_id, client_secret=secret)).encode()


def test_the_proxy_says_who_asks(served, restricted):
    assert served.post(restricted, b"X-Forwarded-For: 192.0.2.1\r\n")[0] == 200
    assert served.post(restricted, b"Forwarded: for=192.0.2.1\r\n")[0] == 200
    assert served.post(restricted)[0] == 400


def test_what_the_client_wrote_before_the_proxy_counts_for_nothing_even_in_a_header_of_its_own(served, restricted):
    """HAProxy adds a second header; the last one is the proxy's."""
    spoofed = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 198.51.100.7\r\n"
    assert served.post(restricted, spoofed)[0] == 400
    assert served.post(restricted, b"Forwarded: for=192.0.2.1\r\nForwarded: for=198.51.100.7\r\n")[0] == 400


def test_an_underscore_does_not_make_a_client_be_elsewhere(served, restricted):
    spoofed = b"X-Forwarded-For: 198.51.100.7\r\nX_Forwarded_For: 192.0.2.1\r\n"
    assert served.post(restricted, spoofed)[0] == 400


def test_a_proxy_that_says_it_the_new_way_cannot_be_contradicted(served, restricted):
    """`Forwarded` has no dash to be confused; where both are there they must agree."""
    spoofed = b"Forwarded: for=198.51.100.7\r\nX_Forwarded_For: 192.0.2.1\r\n"
    assert served.post(restricted, spoofed)[0] == 400


def test_a_header_that_nobody_can_read_is_not_as_good_as_none(served, restricted):
    """The proxy's word about the client must not vanish, nor an authentication."""
    for name in (b"X-Forwarded-For", b"Forwarded"):
        assert served.post(restricted, name + b": \xff\r\n")[0] == 400
    status, _, body = served.post(served.form, b"Authorization: Basic \xff\xfe\r\n")
    assert (status, json.loads(body)["error"]) == (400, "invalid_request"), "two ways to authenticate"


# --- busy, slow and rude callers ---


def test_fifty_at_once_are_all_served(served):
    """R01: no 5xx, however many come."""

    def ask(number):
        secret = served.secret if number % 2 else "wrong"
        return number % 2, served.world.ask(served.client_id, secret).status_code

    with ThreadPoolExecutor(50) as apps:
        answers = list(apps.map(ask, range(300)))
    assert set(answers) == {(1, 200), (0, 401)}


def test_a_caller_that_hangs_up_in_the_middle_harms_nobody(served):
    for sent in (b"POST /oauth/token HTTP/1.1\r\nHo", served.form[:10]):
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", served.world.port), timeout=20) as connection:
                head = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\n" + FORM + b"Content-Length: 1000\r\n\r\n"
                connection.sendall(sent if sent.startswith(b"POST") else head + sent)
    assert served.post(served.form)[0] == 200


def test_those_who_wait_for_the_feed_do_not_take_the_places_of_the_others(served):
    with ThreadPoolExecutor(60) as threads:
        url = f"{served.world.issuer}/oauth/generations"
        statement = requests.get(url, timeout=20).text.split(".")[1]
        seq = json.loads(urlsafe_b64decode(statement + "=="))["seq"]
        for _ in range(60):
            threads.submit(requests.get, url, params={"after": seq, "wait": 2}, timeout=20)
        assert served.post(served.form)[0] == 200
