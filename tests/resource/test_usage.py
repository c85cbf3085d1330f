"""Does a resource server tell exactly what was done with tokens, without a request ever waiting for it or failing?"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.support.callers import PEER, Request, bearer
from tests.support.transports import RealTime
from tests.support.world import ROOT
from tokenserver.resource import Policy, Require, UsageReports, all_of, any_of
from tokenserver.resource.asgi import TokenMiddleware
from tokenserver.resource.posting import basic
from tokenserver.resource.testing import CLIENT_ID, FakeIssuer
from tokenserver.resource.usage import OLDEST_BATCH

ANYBODY = Require(any_caller=True)
SECRET = "tss_the_reporters_own"


class Reception:
    """The server's side: gives tokens, takes reports, and fails as it is told."""

    def __init__(self):
        self.reports, self.asked, self.answers = [], [], []
        self.away = False

    def __call__(self, url, headers, body, timeout):
        self.asked.append((url, dict(headers), body))
        if self.away:
            raise ConnectionRefusedError
        if url.endswith("/oauth/token"):
            return 200, json.dumps({"access_token": "a-token", "expires_in": 900}).encode()
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.reports.append(json.loads(body))
        return status, b"{}"

    @property
    def uses(self):
        return [use for report in self.reports for use in report["uses"]]


@pytest.fixture
def server():
    return Reception()


@pytest.fixture
def reporting(issuer, server):
    def make(**settings):
        chosen = {"client_id": "tsc_reporter", "secret": SECRET, "instance": "api-1", "post": server}
        of_verifier = settings.pop("verifier", {})
        return issuer.verifier(reports=UsageReports(**{**chosen, **settings}), **of_verifier)

    return make


# --- what is told ---------------------------------------------------------------------------------------------------


def test_nothing_is_counted_or_told_unless_it_was_asked_for(issuer, call):
    verifier = issuer.verifier()
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert verifier.usage is None
    assert "usage_reports" not in verifier.health()


def test_each_request_is_told_once_by_credential_route_status_and_address(issuer, server, reporting, call):
    verifier = reporting()
    policy = Policy([("GET", "/reports/{id}", Require(roles={"reader"}))])
    good, bare = bearer(issuer.token(roles={"reader"})), bearer(issuer.token())
    for request in (good, good, bare, Request()):
        asked = Request(request.authorization, path="/reports/hush")
        call(verifier, policy, asked)
    assert verifier.usage.report()
    told = {(use["client_id"], use["status"]): use for use in server.uses}
    assert {key: use["count"] for key, use in told.items()} == {
        (CLIENT_ID, 200): 2,
        (CLIENT_ID, 403): 1,
        (None, 401): 1,
    }
    assert {use["route"] for use in server.uses} == {"GET /reports/{id}"}
    assert {use["address"] for use in server.uses if use["client_id"]} == {PEER}
    assert told[None, 401]["address"] is None


READS, ADMIN = Require(scopes={"reports:read"}), Require(roles={"cloud_admin"})
NEEDS = {
    "nothing": (ANYBODY, {"roles": [], "scopes": []}),
    "roles and scopes": (
        Require(roles={"b", "a"}, scopes={"reports:read"}),
        {"roles": ["a", "b"], "scopes": ["reports:read"]},
    ),
    "the alternative that was met": (any_of(ADMIN, READS), {"roles": [], "scopes": ["reports:read"]}),
    "all of it": (
        all_of(any_of(ADMIN, READS), Require(roles={"a"})),
        {"roles": ["a"], "scopes": ["reports:read"]},
    ),
    "more than is told": (Require(scopes={f"s{n}" for n in range(21)}), None),
    "a table": (Policy([("*", "/**", READS)]), {"roles": [], "scopes": ["reports:read"]}),
    "a function": (lambda _method, _path: READS, {"roles": [], "scopes": ["reports:read"]}),
}


@pytest.mark.parametrize(("require", "told"), NEEDS.values(), ids=NEEDS.keys())
def test_the_roles_and_scopes_by_which_somebody_was_let_in_are_told(require, told, issuer, server, reporting, call):
    verifier = reporting()
    scopes = {"reports:read", *(f"s{n}" for n in range(21))}
    assert call(verifier, require, bearer(issuer.token(roles={"a", "b"}, scopes=scopes))).status == 200
    assert call(verifier, Require(roles={"nobody"}), bearer(issuer.token())).status == 403
    verifier.usage.report()
    assert {use["status"]: use["needs"] for use in server.uses} == {200: told, 403: None}


def test_the_generation_of_the_token_is_told_of_whoever_was_let_in(issuer, server, reporting, call):
    verifier = reporting()
    for _ in range(2):
        token = bearer(issuer.token(generation=issuer.regenerate()))
        assert [call(verifier, one, token).status for one in (ANYBODY, ANYBODY, ADMIN)] == [200, 200, 403]
    assert call(verifier, ANYBODY, Request()).status == 401
    verifier.usage.report()
    told = [(use["generation"], use["status"], use["count"]) for use in server.uses]
    assert told == [(2, 200, 2), (None, 403, 2), (3, 200, 2), (None, 401, 1)]


def test_a_path_as_it_was_sent_is_never_told(issuer, server, reporting, call):
    verifier = reporting()
    policy = Policy([("*", "/reports/**", ANYBODY)])
    for method, path in (("GET", "/reports/s3cret"), ("SECRET", "/reports/x"), ("GET", "/s3cret"), ("GET", "//s3cret")):
        call(verifier, policy, Request(bearer(issuer.token()).authorization, method=method, path=path))
    call(verifier, ANYBODY, Request(bearer(issuer.token()).authorization, path="/s3cret"))
    verifier.usage.report()
    assert {use["route"] for use in server.uses} == {"GET /reports/**", "* /reports/**", None}
    assert not [body for _, _, body in server.asked if b"s3cret" in body or b"SECRET" in body]


def test_a_function_names_the_routes_of_an_app_without_a_policy(issuer, server, reporting, call):
    verifier = reporting(route_of=lambda method, path: f"{method} {path.split('/')[1]}")
    call(verifier, ANYBODY, Request(bearer(issuer.token()).authorization, path="/reports/7"))
    verifier.usage.report()
    assert [use["route"] for use in server.uses] == ["GET reports"]


@pytest.mark.parametrize("answer", [1 / 3, "", "x" * 201, "line\nbreak", ["unhashable"]])
def test_what_a_function_answers_that_is_no_route_costs_no_request_and_is_not_told(
    issuer, server, reporting, call, answer
):
    verifier = reporting(route_of=lambda method, path: answer)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert verifier.usage.report()
    assert [use["route"] for use in server.uses] in ([None], [])


def test_a_function_that_fails_costs_no_request(issuer, reporting, call):
    verifier = reporting(route_of=lambda method, path: 1 / 0)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200


def test_the_address_is_the_clients_own_behind_trusted_proxies(issuer, server, reporting, call):
    verifier = reporting(verifier={"trusted_proxies": ["192.0.2.0/24"]})
    token = bearer(issuer.token()).authorization
    call(verifier, ANYBODY, Request(token, forwarded=[("X-Forwarded-For", "198.51.100.7")]))
    call(verifier, ANYBODY, Request(token, forwarded=[("X-Forwarded-For", "nonsense")]))
    call(verifier, ANYBODY, Request(token, peer="203.0.113.9", forwarded=[("X-Forwarded-For", "198.51.100.8")]))
    verifier.usage.report()
    assert [use["address"] for use in server.uses] == ["198.51.100.7", None, "203.0.113.9"]


def test_times_are_told_as_their_distance_from_the_sending(issuer, clock, server, reporting, call):
    verifier = reporting()
    token = bearer(issuer.token())
    call(verifier, ANYBODY, token)
    clock.advance(3)
    call(verifier, ANYBODY, token)
    clock.advance(2)
    verifier.usage.report()
    assert [(use["first_ago_ms"], use["last_ago_ms"]) for use in server.uses] == [(5000, 2000)]


def test_the_changes_that_were_applied_are_told_with_the_moment_of_their_news(issuer, clock, server, reporting):
    verifier = reporting()
    verifier.refresh()
    clock.advance(10)
    issuer.regenerate()
    verifier.refresh()
    clock.advance(1)
    verifier.refresh()  # no news
    verifier.usage.report()
    seqs = [(one["seq"], one["ago_ms"]) for one in server.reports[0]["applied"]]
    assert seqs == [(issuer.seq - 1, 11_000), (issuer.seq, 1000)]


def test_a_change_is_told_before_the_interval_is_over(issuer, clock, server, reporting):
    verifier = reporting(interval=600)
    verifier.refresh()
    verifier.usage.attend()
    clock.advance(1)
    verifier.usage.attend()
    assert len(server.reports) == 1
    issuer.regenerate()
    verifier.refresh()
    verifier.usage.attend()
    assert server.reports[-1]["applied"][-1]["seq"] == issuer.seq


def test_a_websocket_is_one_request_however_many_messages_it_carries(issuer, server, reporting):
    verifier = reporting()
    incoming = [{"type": "websocket.connect"}, *[{"type": "websocket.receive", "text": "hello"}] * 5]
    scope = {
        "type": "websocket",
        "path": "/live",
        "headers": [(b"authorization", f"Bearer {issuer.token()}".encode())],
        "client": (PEER, 1),
    }

    async def app(scope, receive, send):
        for _ in range(6):
            assert (await receive())["type"] != "websocket.disconnect"
            await send({"type": "websocket.send", "text": "hello"})

    async def receive():
        return incoming.pop(0)

    async def send(message):
        assert message["type"] == "websocket.send"

    asyncio.run(TokenMiddleware(app, verifier, ANYBODY)(scope, receive, send))
    verifier.usage.report()
    assert [use["count"] for use in server.uses] == [1]


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault(
    "usage cannot be reported",
    "requests pass, one batch waits and another fills, in bounded memory",
)
def test_while_the_server_is_away_requests_pass_and_memory_is_bounded(issuer, clock, server, reporting, call):
    server.away = True
    verifier = reporting(most=20)
    for number in range(100):
        assert (
            call(verifier, ANYBODY, Request(bearer(issuer.token()).authorization, peer=f"192.0.2.{number}")).status
            == 200
        )
        verifier.usage.attend()
        clock.advance(1)
        verifier.refresh()
    assert verifier.health()["usage_reports"]["groups"] <= 20
    assert verifier.health()["usage_reports"]["last_error"] == "the issuer cannot be reached"
    assert len(server.asked) < 30  # it asks more and more seldom
    server.away = False
    verifier.usage.report()
    verifier.usage.report()
    told = sum(use["count"] for use in server.uses) + sum(report["untold"] for report in server.reports)
    assert told == 100
    assert verifier.health()["usage_reports"]["last_error"] is None


def test_a_batch_whose_answer_was_lost_is_sent_again_under_its_number(issuer, server, reporting, call):
    verifier = reporting()
    call(verifier, ANYBODY, bearer(issuer.token()))
    server.answers = [503, 200]
    assert not verifier.usage.report()
    call(verifier, ANYBODY, bearer(issuer.token()))
    assert verifier.usage.report()
    assert verifier.usage.report()
    assert [(report["batch"], sum(use["count"] for use in report["uses"])) for report in server.reports] == [
        (1, 1),
        (2, 1),
    ]


def test_a_batch_that_will_never_be_taken_is_given_up(issuer, clock, server, reporting, call):
    verifier = reporting()
    server.answers = [422]
    call(verifier, ANYBODY, bearer(issuer.token()))
    verifier.usage.report()
    verifier.usage.report()
    assert [report["batch"] for report in server.reports] == [2]
    server.away = True
    verifier.usage.report()
    clock.advance(OLDEST_BATCH + 1)
    verifier.usage.report()
    assert verifier.health()["usage_reports"]["batches_given_up"] == 2


def test_a_token_that_has_ended_is_fetched_anew_once(server, reporting):
    verifier = reporting()
    server.answers = [401, 200]
    assert verifier.usage.report()
    server.answers = [401, 401]
    assert not verifier.usage.report()
    assert [url.rpartition("/")[2] for url, _, _ in server.asked] == [
        *("token", "usage-reports", "token", "usage-reports"),
        *("usage-reports", "token", "usage-reports"),
    ]


@pytest.mark.parametrize("answer", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"access_token": 7, "expires_in": "x"}'])
def test_garbage_in_place_of_a_token_is_a_failure_in_our_words(issuer, caplog, answer):
    def garbage(url, headers, body, timeout):
        return 200, answer

    reports = UsageReports(client_id="tsc_reporter", secret=SECRET, instance="api-1", post=garbage)
    verifier = issuer.verifier(reports=reports)
    assert not verifier.usage.report()
    assert SECRET not in caplog.text + repr(reports) + str(verifier.health())


def test_a_secret_that_was_read_from_a_file_may_end_with_a_line_break():
    proofs = [basic("tsc_reporter", secret) for secret in (SECRET, f"{SECRET}\n", f" {SECRET}\r\n")]
    assert len(set(proofs)) == 1


def test_a_secret_may_come_from_a_function_that_may_fail(issuer, server):
    def secret():
        raise OSError("no such file: /run/secrets/s3cret")

    reports = UsageReports(client_id="tsc_reporter", secret=secret, instance="api-1", post=server)
    verifier = issuer.verifier(reports=reports)
    assert not verifier.usage.report()
    assert verifier.health()["usage_reports"]["last_error"] == "unexpected OSError"


def test_a_secret_may_be_in_a_file_that_changes(issuer, server, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    reports = UsageReports(client_id="tsc_reporter", secret=file, instance="api-1", post=server)
    assert issuer.verifier(reports=reports).usage.report()
    file.write_text("another")
    assert reports.read_secret() == "another"


BAD = {
    "no instance": {"instance": ""},
    "an instance with a line break": {"instance": "a\nb"},
    "no interval to speak of": {"interval": 0},
    "no number at all": {"interval": float("nan")},
    "more groups than a report takes": {"most": 1001},
    "no credential": {"client_id": ""},
    "no secret": {"secret": ""},
    "a secret that is none": {"secret": b"tss"},
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD.keys())
def test_settings_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises((ValueError, TypeError), match=r"is|name"):
        UsageReports(**{"client_id": "tsc_x", "secret": "s", "instance": "i", **wrong})


# --- processes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(server):
    made = []

    def make(issuer, **settings):
        reports = UsageReports(client_id="tsc_r", secret=SECRET, instance="api-1", post=server, **settings)
        made.append(issuer.verifier(reports=reports, background=True, poll_interval=0.02))
        return made[-1]

    yield make
    for verifier in made:
        verifier.stop()


@pytest.mark.fault(
    "an app is stopped in the middle of a batch",
    "the batch is sent with a goodbye",
)
def test_a_running_verifier_reports_by_itself_and_says_goodbye(server, running, call):
    issuer, told = FakeIssuer(clock=RealTime()), threading.Event()
    verifier = running(issuer, interval=0.5)
    reports = server.reports

    class Telling(list[Any]):
        def append(self, report):
            super().append(report)
            told.set()

    server.reports = Telling(reports)
    assert call(verifier, ANYBODY, bearer(issuer.token())).status == 200
    assert told.wait(20)
    verifier.stop()
    assert sum(use["count"] for use in server.uses) == 1
    assert [report["leaving"] for report in server.reports][-1] is True


A_PROGRAM = """
import json, os, sys, time
from tests.support.transports import RealTime
from tests.support.world import ROOT
from tokenserver.resource import Require, UsageReports
from tokenserver.resource.testing import FakeIssuer

def post(url, headers, body, timeout):
    if url.endswith("/oauth/token"):
        return 200, b'{"access_token": "a-token", "expires_in": 900}'
    report = json.loads(body)
    print(report["leaving"], sum(use["count"] for use in report["uses"]), flush=True)
    return 200, b"{}"

issuer = FakeIssuer(clock=RealTime())
reports = UsageReports(client_id="tsc_r", secret="s", instance="api-1", post=post, interval=600)
verifier = issuer.verifier(reports=reports, background=True)
if "started" in sys.argv:
    verifier.start()
    while verifier.usage._told_seq is None or verifier.usage._told_seq != verifier.health()["seq"]:
        time.sleep(0.01)
    print("up to date", flush=True)  # and no report is due for ten minutes
    verifier.usage.add("tsc_x", None, 200, None)
if "stopped" in sys.argv:
    verifier.stop()
if "forked" in sys.argv and os.fork() != 0:  # the child ends here, in which nothing runs
    os.wait()
"""


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("started", ["True 1"]),
        ("started stopped", ["True 1"]),
        ("started forked", ["True 1"]),
        ("", []),
    ],
    ids=["an app that runs", "once only", "the child of a fork that has served nothing", "an app that was never asked"],
)
def test_the_last_batch_is_sent_when_the_interpreter_ends(argument, told):
    command = [sys.executable, "-c", A_PROGRAM, *argument.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.rpartition("up to date\n")[2].split("\n")[:-1], done.stderr) == (told, "")


@pytest.mark.parametrize("message", ["lifespan.startup", "lifespan.shutdown"])
def test_it_is_sent_at_the_end_of_a_lifespan_too_since_many_a_server_ends_otherwise(message, server, reporting):
    async def app(scope, receive, send):
        assert (await receive())["type"] == message

    async def receive():
        return {"type": message}

    async def send(_):
        pass

    asyncio.run(TokenMiddleware(app, reporting(), ANYBODY)({"type": "lifespan"}, receive, send))
    assert [report["leaving"] for report in server.reports] == [True] * (message == "lifespan.shutdown")


@pytest.mark.fault(
    "an app is stopped in the middle of a batch and the token server is away",
    "it stops at once, and the batch is lost",
)
def test_stopping_does_not_wait_for_a_server_that_was_away(server, running):
    server.away = True
    verifier = running(FakeIssuer(clock=RealTime()))
    assert not verifier.usage.report()
    verifier.start()
    asked = len(server.asked)
    verifier.stop()
    assert len(server.asked) <= asked + 1  # the thread's own, if it was faster


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_is_another_process_and_tells_nothing_of_its_parents(issuer, server, reporting, call):
    verifier = reporting()
    call(verifier, ANYBODY, bearer(issuer.token()))
    lock = verifier.usage._tally._lock
    lock.acquire()  # as if another thread were counting at that moment
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call(verifier, ANYBODY, bearer(issuer.token()))
            call(verifier, ANYBODY, bearer(issuer.token()))
            verifier.usage.report()
            os.write(writer, json.dumps(server.reports).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    lock.release()
    with os.fdopen(reader, "rb") as pipe:
        (of_child,) = json.loads(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    verifier.usage.report()
    (of_parent,) = server.reports
    assert [use["count"] for use in of_child["uses"]] == [2]
    assert [use["count"] for use in of_parent["uses"]] == [1]
    assert of_child["process"] != of_parent["process"]
