"""The entrance, with a server that hands over what we choose: bodies on time or not, and headers as they were sent."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import app.entrance
from app.entrance import Entrance, environ_of
from app.http import LARGEST_BODY

PATH, BELOW = "/oauth/token", "/below/"


class Headers:
    """As granian has them: `items` leaves out values that are not ASCII, `keys` does not."""

    def __init__(self, pairs):
        self.pairs = pairs

    def items(self):
        return [(name, value) for name, value in self.pairs if value.isascii()]

    def keys(self):
        return list(dict.fromkeys(name for name, _ in self.pairs))

    def get(self, name, default=None):
        return dict(self.items()).get(name, default)

    def __contains__(self, name):
        return name in self.keys()


@dataclass
class Scope:
    path: str = PATH
    method: str = "POST"
    query_string: str = ""
    client: str = "192.0.2.1:4711"
    scheme: str = "http"
    http_version: str = "1.1"
    pairs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def headers(self):
        return Headers(self.pairs)


class Proto:
    """A connection whose body comes when `chunks` are given, or never ends."""

    def __init__(self, *chunks, ends=True):
        self.chunks = list(chunks)
        self.ends = ends
        self.answers = []
        self.fetched = bytearray()
        self.hangs_up_after = 0
        self.falls_asleep = False
        self.opened, self.awake = threading.Event(), threading.Event()

    def __call__(self):
        """Futures, as granian's are: they can be cancelled."""
        future = asyncio.get_running_loop().create_future()
        if self.ends:
            future.set_result(b"".join(self.chunks))
        return future

    def __aiter__(self):
        return self

    def __anext__(self):
        future = asyncio.get_running_loop().create_future()
        if self.chunks:
            future.set_result(self.chunks.pop(0))
        elif self.ends:
            future.set_exception(StopAsyncIteration())
        return future

    def response_bytes(self, status, headers, body):
        self.answers.append((status, dict(headers), body))

    def response_file(self, status, headers, path):
        """As granian does: opens it elsewhere, and reads as the caller fetches; one who hangs up closes it."""
        self.answers.append((status, dict(headers), self.fetched))
        self.caller = threading.Thread(target=self.fetch, args=(path,))
        self.caller.start()

    def fetch(self, path):
        with Path(path).open("rb", buffering=0) as pipe:
            self.opened.set()
            while not self.hangs_up_after or len(self.fetched) < self.hangs_up_after:
                read = pipe.read(1000)
                if not read:
                    return
                self.fetched += read
            if self.falls_asleep:
                self.awake.wait(30)


class Doors:
    """All doors, which answer with what they were given."""

    def __init__(self):
        self.environs = []

    async def answer(self, environ):
        self.environs.append(environ)
        return 200, [], environ["wsgi.input"].read()

    async def sometimes(self, environ):
        body = environ["wsgi.input"].read()
        return None if body == b"odd" else (200, [], environ["PATH_INFO"].encode())

    def __call__(self, environ, start_response):
        self.environs.append(environ)
        start_response("201 Created", [("X-Is", "Flask's")])
        yield environ["wsgi.input"].read(3)
        yield environ["wsgi.input"].read()


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def ask(doors):
    def asked(scope, *chunks):
        proto = Proto(*chunks)
        entrance = Entrance(doors, {PATH: doors.answer, BELOW: doors.sometimes}, 2)
        asyncio.run(asyncio.wait_for(entrance.__rsgi__(scope, proto), 30))
        assert not entrance._receiving
        return proto.answers

    return asked


def test_a_token_request_is_answered_on_the_loop_and_others_by_flask(ask):
    sized = [("content-length", "6")]
    assert ask(Scope(pairs=sized), b"abc", b"def") == [(200, {}, b"abcdef")]
    assert ask(Scope("/v1/roles", pairs=sized), b"abc", b"def") == [(201, {"X-Is": "Flask's"}, b"abcdef")]


def test_a_plain_door_may_stand_at_all_paths_below_one(ask):
    assert ask(Scope("/below/a/b")) == [(200, {}, b"/below/a/b")]
    assert ask(Scope("/below/")) == [(200, {}, b"/below/")]
    for beside in ("/below", "/belows/a", "//below/a", "/oauth/token/", "/", ""):
        assert ask(Scope(beside))[0][0] == 201, beside


def test_what_a_plain_door_has_no_answer_to_is_flasks_with_its_whole_body(ask):
    assert ask(Scope(BELOW, pairs=[("content-length", "3")]), b"odd") == [(201, {"X-Is": "Flask's"}, b"odd")]


def test_a_body_in_chunks_is_received_whole(ask):
    assert ask(Scope(pairs=[("transfer-encoding", "chunked")]), b"abc", b"def") == [(200, {}, b"abcdef")]


def test_a_request_without_a_body_is_not_waited_for(ask):
    assert ask(Scope(method="GET")) == [(200, {}, b"")]


def test_of_a_body_that_is_too_large_no_more_is_kept_than_shows_it(ask):
    megabyte = b"x" * 2**20
    ((_, _, kept),) = ask(Scope(pairs=[("transfer-encoding", "chunked")]), *[megabyte] * 50)
    assert LARGEST_BODY < len(kept) <= LARGEST_BODY + len(megabyte)
    for length in (str(LARGEST_BODY + 1), "9" * 40, "-5", "x", "\u0665"):
        ((_, _, kept),) = ask(Scope(pairs=[("content-length", length)]))
        assert kept == b""


@pytest.mark.parametrize(("path", "kind"), [(PATH, "application/json"), ("/v1/roles", "application/problem+json")])
@pytest.mark.parametrize("header", [("content-length", "6"), ("transfer-encoding", "chunked")])
def test_a_body_that_does_not_come_in_time_is_told_so_and_the_connection_closed(doors, path, kind, header, monkeypatch):
    monkeypatch.setattr(app.entrance, "RECEIVING_SECONDS", 0.0)

    async def asked():
        entrance, late = Entrance(doors, {PATH: doors.answer, BELOW: doors.sometimes}, 2), Proto(ends=False)
        await asyncio.wait_for(entrance.__rsgi__(Scope(path, pairs=[header]), late), 30)
        return late.answers

    ((status, headers, body),) = asyncio.run(asked())
    assert (status, headers["Content-Type"], headers["Connection"]) == (408, kind, "close")
    assert b"did not arrive in time" in body
    assert json.loads(body)
    assert doors.environs == []


def test_a_body_that_comes_after_its_deadline_is_not_worked_on(ask, doors, monkeypatch):
    """However it comes: a chunk now and then must not hold a connection for ever."""
    monkeypatch.setattr(app.entrance, "RECEIVING_SECONDS", -1.0)
    for header in (("content-length", "6"), ("transfer-encoding", "chunked")):
        ((status, _, _),) = ask(Scope(pairs=[header]), b"abc", b"def")
        assert status == 408
    assert doors.environs == []


def test_those_who_are_on_time_are_not_swept_with_those_who_are_late(doors, monkeypatch):
    async def asked():
        entrance, late, on_time = (
            Entrance(doors, {PATH: doors.answer, BELOW: doors.sometimes}, 2),
            Proto(ends=False),
            Proto(ends=False),
        )
        scope = Scope(pairs=[("content-length", "3")])
        monkeypatch.setattr(app.entrance, "RECEIVING_SECONDS", 0.0)
        first = asyncio.ensure_future(entrance.__rsgi__(scope, late))
        await asyncio.sleep(0)
        monkeypatch.setattr(app.entrance, "RECEIVING_SECONDS", 60.0)
        second = asyncio.ensure_future(entrance.__rsgi__(scope, on_time))
        await asyncio.sleep(0)
        entrance._sweep()
        await first
        assert [status for status, _, _ in late.answers] == [408]
        assert on_time.answers == []
        second.cancel()

    asyncio.run(asked())


def test_an_environment_is_what_wsgi_wants():
    pairs = [("content-type", "text/plain"), ("content-length", "3"), ("x-a", "1"), ("x-a", "2")]
    environ = environ_of(Scope("/ä", query_string="a=%20", pairs=pairs), b"abc")
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/ä"
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["HTTP_X_A"]) == ("text/plain", "3", "1,2")
    assert (environ["QUERY_STRING"], environ["REMOTE_ADDR"]) == ("a=%20", "192.0.2.1")
    assert environ_of(Scope(client="[2001:db8::1]:443"), b"")["REMOTE_ADDR"] == "2001:db8::1"


def test_a_header_with_an_underscore_is_no_header():
    environ = environ_of(Scope(pairs=[("x_forwarded_for", "192.0.2.9"), ("x-forwarded-for", "198.51.100.7")]), b"")
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.7"
    assert "HTTP_X_FORWARDED_FOR" not in environ_of(Scope(pairs=[("x_forwarded_for", "192.0.2.9")]), b"")


def test_a_header_that_cannot_be_read_is_there_all_the_same():
    environ = environ_of(Scope(pairs=[("authorization", "Basic \xff"), ("x-forwarded-for", "\xff")]), b"")
    assert not environ["HTTP_AUTHORIZATION"].isascii()
    assert not environ["HTTP_X_FORWARDED_FOR"].isascii()


# --- long answers ---


class LongAnswer:
    """An application whose answer comes in pieces, and that sees who fetched how many of them, and whether it ended."""

    def __init__(self, *pieces, headers=(("Content-Type", "text/csv"),)):
        self.pieces = pieces
        self.headers = list(headers)
        self.made = []
        self.closed = 0

    def __call__(self, environ, start_response):
        start_response("200 OK", self.headers)
        return self

    def __iter__(self):
        for piece in self.pieces:
            self.made.append(piece)
            yield piece

    def close(self):
        self.closed += 1


def streamed(app, *, hangs_up_after=0, falls_asleep=False, method="GET"):
    proto = Proto()
    proto.hangs_up_after, proto.falls_asleep = hangs_up_after, falls_asleep
    entrance = Entrance(app, {}, 2)
    asyncio.run(asyncio.wait_for(entrance.__rsgi__(Scope("/v1/audit-events/export", method), proto), 30))
    proto.awake.set()
    if proto.answers[0][2] is proto.fetched:
        proto.caller.join()
    return [(status, headers, bytes(body)) for status, headers, body in proto.answers]


def test_an_answer_whose_length_is_not_told_goes_out_piece_by_piece():
    pieces = [bytes([number]) * 5000 for number in range(100)]
    app = LongAnswer(*pieces)
    assert streamed(app) == [(200, {"Content-Type": "text/csv"}, b"".join(pieces))]
    assert app.closed == 1


def test_for_a_caller_who_has_hung_up_nothing_more_is_made():
    app = LongAnswer(*[b"x" * 1000] * 10_000)
    streamed(app, hangs_up_after=2000)
    assert len(app.made) < 500
    assert app.closed == 1


def test_for_a_caller_who_has_fallen_asleep_no_more_is_made_than_a_pipe_holds(monkeypatch):
    monkeypatch.setattr(app.entrance, "SENDING_SECONDS", 0.2)
    sleeper = LongAnswer(*[b"x" * 1000] * 10_000)
    streamed(sleeper, hangs_up_after=2000, falls_asleep=True)
    assert len(sleeper.made) < 500
    assert sleeper.closed == 1


def test_an_answer_that_nobody_fetches_is_given_up(monkeypatch):
    monkeypatch.setattr(app.entrance, "SENDING_SECONDS", 0.2)
    monkeypatch.setattr(Proto, "fetch", lambda *_: None)
    nobodys = LongAnswer(b"x")
    streamed(nobodys)
    assert (nobodys.made, nobodys.closed) == ([b"x"], 1)


def test_an_answer_whose_length_is_told_and_one_without_a_body_go_out_whole():
    sized = LongAnswer(b"a", b"b", headers=[("Content-Type", "text/csv"), ("Content-Length", "2")])
    assert streamed(sized)[0][2] == b"ab"
    assert streamed(LongAnswer(headers=[]))[0][2] == b""
    assert streamed(LongAnswer(b"a"), method="HEAD")[0][2] == b"a"
    assert sized.closed == 1
