"""Can a token be had and explained, online and offline, without its text ever coming back?"""

from __future__ import annotations

import json

import pytest
import requests

from tests.support.world import AUDIENCE, eventually
from tokenserver.resource.testing import FakeIssuer


@pytest.fixture(scope="module")
def app(world):
    """A credential of an app, used from this machine only."""
    return world.credential(name="inspected", allowed_ips="127.0.0.0/8")


@pytest.fixture
def an_app(terminal, app):
    terminal.environment.update(TOKENSERVER_CLIENT_ID=app["client_id"], TOKENSERVER_CLIENT_SECRET=app["client_secret"])
    return terminal


def outcomes(told):
    return {check["check"]: check["outcome"] for check in told["checks"]}


def test_a_token_comes_alone_so_that_a_script_can_take_it(an_app, world):
    token = an_app.ok("token", "get").strip()
    assert token.count(".") == 2
    assert an_app.ok("token", "get", "-q").count(".") == 2
    told = an_app.json("token", "get", "--scope", "reports:read", "--audience", AUDIENCE)
    assert (told["scope"], told["token_type"]) == ("reports:read", "Bearer")
    assert an_app.ok("token", "get", "--secret-file", "token") == ""
    assert (an_app.home / "token").read_text().count(".") == 2


NO_ORGANIZATION = {
    "a token": ("token", "get"),
    "a look at a token": ("token", "inspect", "x"),
    "a claim": ("credential", "claim"),
    "a profile": ("login", "--url", "http://127.0.0.1:1", "--client-id", "x"),
}


@pytest.mark.parametrize("typed", NO_ORGANIZATION.values(), ids=NO_ORGANIZATION.keys())
def test_an_organization_is_refused_where_it_would_mislead(at_the_stub, stub, typed):
    for whole in ((*typed, "--organization", "org_1"), ("--organization", "org_1", *typed)):
        assert "--organization has no meaning here" in at_the_stub.refused(2, *whole)
    assert stub.asked == []


def test_what_is_not_granted_is_refused_in_words(an_app):
    assert "scope" in an_app.refused(2, "token", "get", "--scope", "nope")
    assert "no grant there" in an_app.refused(2, "token", "get", "--resource", "https://other.example.com")


def test_a_good_token_passes_every_check_that_was_asked_for(an_app):
    token = an_app.ok("token", "get")
    typed = ("--ip", "127.0.0.1", "--role", "reader", "--scope", "reports:read", "--audience", AUDIENCE)
    told = an_app.json("token", "inspect", "-", *typed, stdin=token)
    assert told["good"] is True
    assert set(outcomes(told).values()) == {"pass"}
    assert [check["number"] for check in told["checks"]] == list(range(1, 13))
    assert told["claims"]["client_id"] == an_app.environment["TOKENSERVER_CLIENT_ID"]
    assert an_app.ok("token", "inspect", token.strip(), "-q") == "good\n"
    assert "pass" in an_app.ok("token", "inspect", f"Bearer {token.strip()}")


def test_what_fails_is_told_and_makes_the_exit_code_one(an_app):
    token = an_app.ok("token", "get")
    done = an_app.run("token", "inspect", "-", "--ip", "192.0.2.1", "--role", "owner", stdin=token)
    assert done.returncode == 1
    assert "It may not be used from this address." in done.stdout
    assert "It lacks owner." in done.stdout
    assert done.stdout.count("FAIL") == 2


def test_a_token_that_was_ended_is_told_as_ended(an_app, world):
    made = world.credential(name="ended in between")
    an_app.environment.update(TOKENSERVER_CLIENT_ID=made["client_id"], TOKENSERVER_CLIENT_SECRET=made["client_secret"])
    token = an_app.ok("token", "get")
    world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
    done = eventually(
        lambda: (found := an_app.run("token", "inspect", "-", stdin=token)).returncode == 1 and found, "it has ended"
    )
    assert "the secret was regenerated" in done.stdout


def test_a_long_list_of_addresses_is_fetched_and_asked(an_app, world):
    texts = [f"10.{number}.0.0/24" for number in range(100)]
    made = world.credential(name="many addresses", allowed_ips=[*texts, "127.0.0.1"])
    token = world.token(made["client_id"], made["client_secret"])
    assert an_app.json("token", "inspect", "-", "--ip", "10.7.0.1", stdin=token)["good"]
    assert an_app.run("token", "inspect", "-", "--ip", "192.0.2.1", stdin=token).returncode == 1


def test_offline_a_key_set_is_enough(an_app, stranger, world):
    token = an_app.ok("token", "get")
    (stranger.home / "keys.json").write_text(requests.get(f"{world.issuer}/.well-known/jwks.json", timeout=20).text)
    offline = ("token", "inspect", "-", "--jwks", "keys.json")
    told = stranger.json(*offline, "--ip", "127.0.0.1", "--issuer", world.issuer, "--audience", AUDIENCE, stdin=token)
    assert told["good"]
    assert outcomes(told) == {
        **dict.fromkeys(["form", "header", "key", "signature", "claims", "issuer", "audience", "time"], "pass"),
        "endings": "skipped",
        "address": "pass",
        "roles": "skipped",
        "scopes": "skipped",
    }
    assert outcomes(stranger.json(*offline, stdin=token))["issuer"] == "skipped"
    done = stranger.run(*offline, "--issuer", "https://other.example.com", stdin=token)
    assert done.returncode == 1


def test_a_token_of_somebody_else_is_not_believed(an_app):
    forged = FakeIssuer(an_app.environment["TOKENSERVER_URL"]).token()
    done = an_app.run("token", "inspect", "-", stdin=forged)
    assert done.returncode == 1
    assert "key" in done.stdout
    assert "client id" not in done.stdout  # what nobody has proven is not shown


def test_the_token_is_never_shown(an_app):
    token = an_app.ok("token", "get").strip()
    signature = token.rpartition(".")[2]
    for presented in (token, token[:-6], token + ".x"):
        for how in ([], ["--output", "json"]):
            done = an_app.run("token", "inspect", "-", *how, stdin=presented)
            assert signature[:40] not in done.stdout + done.stderr


WRONG = {
    "no token": (("-",), "", "There is no token"),
    "an address that is a network": (("x", "--ip", "192.0.2.0/24"), "", "--ip takes one address"),
    "an address that is none": (("x", "--ip", "here"), "", "--ip takes one address"),
    "a key set that is not there": (("x", "--jwks", "nowhere"), "", "cannot be read"),
    "a key set that is none": (("x", "--jwks", "page"), "", "is not a key set"),
    "a key set of another form": (("x", "--jwks", "list"), "", "is not a key set"),
    "a key set without keys": (("x", "--jwks", "empty"), "", "holds no key"),
    "no issuer": (("x",), "", "--issuer"),
    "an issuer that is no address": (("x", "--issuer", "auth"), "", "--issuer takes the https address"),
    "an issuer that is empty": (("x", "--issuer", ""), "", "--issuer takes the https address"),
    "an issuer over plain http": (("x", "--issuer", "http://192.0.2.1"), "", "TOKENSERVER_ALLOW_HTTP=1"),
}


@pytest.mark.parametrize(("typed", "stdin", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_is_typed_wrong_is_told(stranger, typed, stdin, told):
    for name, content in {"page": "<html>", "list": "[]", "empty": json.dumps({"keys": []})}.items():
        (stranger.home / name).write_text(content)
    assert told in stranger.refused(2, "token", "inspect", *typed, stdin=stdin)


@pytest.mark.parametrize("before", ["", "Bearer ", "bearer  ", "Authorization: Bearer ", "\n authorization:bearer "])
def test_a_token_may_be_pasted_with_its_header(before, an_app):
    assert an_app.json("token", "inspect", "-", stdin=before + an_app.ok("token", "get"))["good"]


def test_an_issuer_that_cannot_be_asked_is_told(stranger, stub):
    told = stranger.refused(6, "token", "inspect", "x", "--issuer", stub.url)
    assert "The issuer cannot be asked: the issuer answered 404" in told
    assert "--jwks" in told
