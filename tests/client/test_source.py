"""What an app holds on to: what it takes, what it shows, and that it works with anybody's token server."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import jwt
import pytest

from tests.support.foreign import foreign_server
from tests.support.token_endpoint import Answer
from tests.support.world import AUDIENCE
from tokenserver.client import NoToken, TokenRefused, TokenSource, TokenUnavailable
from tokenserver.errors import Refused, TokenServerError, Unavailable

ROOT = Path(__file__).parents[2]
HERE = "https://auth.example.com/oauth/token"

BAD = {
    "no address": ({}, "pass token_endpoint, or issuer"),
    "a plain address": ({"token_endpoint": "http://auth.example.com/token"}, "allow_http=True"),
    "a plain issuer": ({"issuer": "http://auth.example.com"}, "allow_http=True"),
    "no client": ({"token_endpoint": HERE, "client_id": ""}, "client_id"),
    "an empty secret": ({"token_endpoint": HERE, "client_secret": ""}, "client_secret is empty"),
    "another method": ({"token_endpoint": HERE, "auth_method": "none"}, "auth_method"),
    "scopes with commas": ({"token_endpoint": HERE, "scope": 'a,"b'}, "scope"),
    "no patience at all": ({"token_endpoint": HERE, "patience": -1}, "patience"),
    "no time at all": ({"token_endpoint": HERE, "timeout": 0}, "timeout"),
}


@pytest.mark.parametrize(("wrong", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_work_is_refused_at_once_with_what_to_do(wrong, said):
    given = {"client_id": "an app", "client_secret": "tss_1", **wrong}
    with pytest.raises(ValueError, match=said) as refused:
        TokenSource(**given)
    assert "tss_1" not in str(refused.value)


def test_nothing_is_asked_before_a_token_is(tokens, make):
    make()
    make(issuer=tokens.issuer)
    assert not tokens.asked


def test_a_header_is_ready_to_be_sent(make):
    assert make().authorization() == {"Authorization": "Bearer token-1"}


def test_failures_are_of_the_family_that_apps_may_know_already():
    assert issubclass(TokenRefused, Refused)
    assert issubclass(TokenUnavailable, Unavailable)
    assert issubclass(NoToken, TokenServerError)


# --- what must not be seen ---


def everything_in(value, seen=None, depth=0):
    """Every text that a curious debugger would print of an object and of what hangs on it."""
    seen = set() if seen is None else seen
    if id(value) in seen or depth > 6:
        return
    seen.add(id(value))
    yield repr(value)
    names = getattr(value, "__dict__", {})
    for part in [*names.values()] if isinstance(names, dict) else []:
        if type(part).__module__.startswith("tokenserver") or isinstance(part, dict | tuple | list):
            yield from everything_in(part, seen, depth + 1)


def test_no_repr_shows_a_secret_or_a_token(make):
    source = make()
    source.token()
    shown = "\n".join(everything_in(source))
    assert "TokenSource(" in shown
    assert "an app" in shown
    assert "token-1" not in shown
    assert "'first'" not in shown


def test_a_source_is_not_pickled(make):
    with pytest.raises(TypeError, match="in each process"):
        pickle.dumps(make())


FAULTS = {
    "refused": Answer(401, {"error": "invalid_client", "error_description": "no: s3cret-s3cret"}),
    "busy": Answer(503, {"echo": "s3cret-s3cret"}),
    "garbage": Answer(200, b"s3cret-s3cret"),
    "another type": Answer(200, {"access_token": "s3cret-token", "token_type": "mac"}),
    "a broken token": Answer(200, {"access_token": "s3cret-token\n", "token_type": "Bearer"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_no_error_and_no_frame_of_its_traceback_holds_the_secret(tokens, make, fault, method, caplog):
    """Error reporters print the local variables of every frame."""
    tokens.next.append(fault)
    source = make(client_secret=lambda: "s3cret-s3cret", auth_method=method, patience=0)
    with pytest.raises(NoToken) as refused:
        source.token()
    with pytest.raises(NoToken) as refused_again:
        asyncio.run(source.token_async())
    for error in (refused.value, refused_again.value):
        frames = [
            frame for frame, _ in traceback.walk_tb(error.__traceback__) if "/tests/" not in frame.f_code.co_filename
        ]
        assert frames
        assert "s3cret" not in repr([frame.f_locals for frame in frames]) + str(error)
        assert error.__cause__ is None
        assert error.__context__ is None
    assert "s3cret" not in caplog.text


def test_each_caller_gets_an_error_of_its_own(make):
    source = make(client_secret="wrong")
    errors = []
    for _ in range(2):
        with pytest.raises(TokenRefused) as refused:
            source.token()
        errors.append(refused.value)
    assert errors[0] is not errors[1]
    assert errors[0].args == errors[1].args


def test_importing_it_loads_no_framework_and_no_cryptography():
    program = "import sys; import tokenserver.client; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"requests", "httpx", "httpx2", "aiohttp", "jwt", "cryptography", "asyncio"}.isdisjoint(run.stdout.split())


# --- anybody's token server ---

ODD_SECRET = "odd: 50% & more+less/ünïcödé?"


@pytest.fixture(scope="module")
def foreign():
    with foreign_server("some app/with:odd id", ODD_SECRET) as server:
        yield server


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_server_of_another_make_issues_tokens(foreign, method):
    source = TokenSource(
        f"{foreign.url}/token",
        client_id=foreign.client.client_id,
        client_secret=ODD_SECRET,
        auth_method=method,
        scope="reports:read",
    )
    assert source.token() in foreign.tokens


def test_it_is_found_by_its_metadata(foreign):
    source = TokenSource(issuer=foreign.url, client_id=foreign.client.client_id, client_secret=ODD_SECRET)
    assert source.token() in foreign.tokens


def test_its_refusals_are_told_in_its_words(foreign):
    source = TokenSource(f"{foreign.url}/token", client_id="nobody", client_secret="wrong")
    with pytest.raises(TokenRefused) as refused:
        source.token()
    assert refused.value.error == "invalid_client"


# --- ours ---


def test_a_token_of_ours_says_what_was_asked_for(world):
    made = world.credential()
    source = TokenSource(
        issuer=world.issuer,
        client_id=made["client_id"],
        client_secret=made["client_secret"],
        scope=["reports:read"],
        resource=AUDIENCE,
    )
    claims = jwt.decode(source.token(), options={"verify_signature": False})
    assert (claims["aud"], claims["scope"], claims["client_id"]) == (AUDIENCE, "reports:read", made["client_id"])


def test_a_rotation_is_followed_without_an_outage(world, protected, tmp_path):
    made = world.credential()
    path = tmp_path / "secret"
    path.write_text(made["client_secret"])
    source = TokenSource(issuer=world.issuer, client_id=made["client_id"], client_secret=path)
    assert world.call(protected, source.token()) == 200
    rotated = world.manage("POST", f"/v1/credentials/{made['client_id']}/rotate", {"grace_seconds": 3600})
    assert world.call(protected, source.token()) == 200
    path.write_text(rotated["client_secret"])
    world.manage("POST", f"/v1/credentials/{made['client_id']}/rotation/finish")
    refused = source.token()
    fresh = source.token(instead_of=refused)
    assert fresh != refused
    assert world.call(protected, fresh) == 200


def test_the_reason_why_a_credential_ended_reaches_the_app(world):
    made = world.credential()
    source = TokenSource(issuer=world.issuer, client_id=made["client_id"], client_secret=made["client_secret"])
    refused = source.token()
    world.manage("POST", f"/v1/credentials/{made['client_id']}/disable")
    with pytest.raises(TokenRefused, match="disabled"):
        source.token(instead_of=refused)


def test_a_server_that_is_not_there_yet_is_waited_for(world, tmp_path):
    made = world.credential()
    node = world.processes[0]
    node.stop()
    source = TokenSource(issuer=world.issuer, client_id=made["client_id"], client_secret=made["client_secret"])
    source.rejected("none yet")  # asks, and is answered by nobody
    world.start()
    assert source.token()
