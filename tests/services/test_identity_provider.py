"""Is an ID token believed when all of it is true, and never when any of it is not? And a provider that misbehaves?"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from joserfc.jwk import OctKey, RSAKey

from app.services.identity_provider import SKEW, IdentityProvider
from app.services.sign_on_attempts import Attempt, ProviderUnavailable, SignOnRefused
from app.settings import load
from tests.support.identity_providers import CLIENT_ID, CLIENT_SECRET, PATIENCE, QUICKLY, a_liar, query_of
from tests.support.server import StillClock

ATTEMPT = Attempt("state", "nonce", "v" * 64)
OTHER = "https://login.example.com"


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def liar(clock):
    with a_liar(clock) as liar:
        yield liar


@pytest.fixture
def provider(liar, clock):
    return a_provider(liar, clock)


def a_provider(liar, clock, patience=PATIENCE, **settings):
    given = {"sso_issuer": liar.issuer, "sso_client_id": CLIENT_ID, "sso_groups": "a=auditor", **settings}
    chosen = load({}, dotenv=None, issuer="https://auth.example.com", sso_client_secret=CLIENT_SECRET, **given)
    return IdentityProvider(chosen, clock, patience=patience)


def identify(provider, liar, subject="ada", **claims):
    code = liar.person(subject, **claims)(provider.address(ATTEMPT))["code"]
    return provider.identify(code, ATTEMPT)


# --- the way there --------------------------------------------------------------------------------------------------


def test_somebody_is_sent_with_state_nonce_and_the_digest_of_a_verifier(provider, liar):
    url = provider.address(ATTEMPT)
    assert url.startswith(f"{liar.issuer}/authorize?")
    asked = query_of(url)
    assert asked.pop("code_challenge") != ATTEMPT.verifier
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "https://auth.example.com/console/sign-in/sso/callback",
        "scope": "openid email profile",
        "state": "state",
        "nonce": "nonce",
        "code_challenge_method": "S256",
    }
    assert "state" not in repr(ATTEMPT).replace("again_since", "")


SCOPES = {
    "groups where they are offered": (["openid", "groups"], "a=auditor", "openid email profile groups"),
    "no groups where they mean nothing here": (["openid", "groups"], "", "openid email profile"),
    "no groups where they are not offered": (["openid"], "a=auditor", "openid email profile"),
}


@pytest.mark.parametrize(("offered", "groups", "asked"), SCOPES.values(), ids=SCOPES.keys())
def test_no_more_is_asked_for_than_is_needed(liar, clock, offered, groups, asked):
    liar.says = {"scopes_supported": offered}
    assert query_of(a_provider(liar, clock, sso_groups=groups).address(ATTEMPT))["scope"] == asked


def test_a_query_of_the_provider_stays(provider, liar):
    liar.says = {"authorization_endpoint": f"{liar.issuer}/authorize?tenant=7"}
    assert query_of(provider.address(ATTEMPT))["tenant"] == "7"


# --- what is believed -----------------------------------------------------------------------------------------------


def half_hash(text):
    """Of an access token (OpenID Connect Core 1.0 §3.1.3.6)."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


GOOD = {
    "as it is": {},
    "several audiences, and we are the authorized party": {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
    "one audience in a list": {"aud": [CLIENT_ID]},
    "expired within the skew": {"exp": lambda now: now - SKEW + 1},
    "issued ahead within the skew": {"iat": lambda now: now + SKEW},
    "a digest of the access token": {"at_hash": half_hash("at")},
}


def now_in(claims, clock):
    """What is a function of now, at this moment."""
    return {name: value(int(clock())) if callable(value) else value for name, value in claims.items()}


@pytest.mark.parametrize("claims", GOOD.values(), ids=GOOD.keys())
def test_what_is_true_is_believed(provider, liar, clock, claims):
    liar.claims = now_in(claims, clock)
    identity = identify(provider, liar, groups=["a", "b"], name="Ada")
    assert (identity.issuer, identity.subject, identity.email) == (liar.issuer, "ada", "ada@example.com")
    assert (identity.name, identity.groups) == ("Ada", {"a", "b"})


BAD = {
    "another issuer": {"iss": OTHER},
    "another audience": {"aud": "another"},
    "other audiences": {"aud": ["another", "third"]},
    "another audience, though we are the authorized party": {"aud": "another", "azp": CLIENT_ID},
    "several audiences and no authorized party": {"aud": [CLIENT_ID, "another"]},
    "another authorized party": {"azp": "another"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience that is none": {"aud": {"x": CLIENT_ID}},
    "expired": {"exp": lambda now: now - SKEW},
    "no expiry": {"exp": None},
    "an expiry that is a text": {"exp": "4000000000"},
    "an expiry that is true": {"exp": True},
    "an expiry that is no number": {"exp": float("nan")},
    "not yet valid": {"nbf": lambda now: now + SKEW + 1},
    "issued in the future": {"iat": lambda now: now + SKEW + 1},
    "no moment of issue": {"iat": None},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "a nonce that is a list": {"nonce": ["nonce"]},
    "a digest of another access token": {"at_hash": half_hash("another")},
    "a digest that is none": {"at_hash": 7},
}


@pytest.mark.parametrize("claims", BAD.values(), ids=BAD.keys())
def test_what_is_not_true_is_not_believed(provider, liar, clock, claims):
    liar.claims = now_in(claims, clock)
    with pytest.raises(SignOnRefused, match="not valid") as caught:
        identify(provider, liar)
    assert caught.value.reason.startswith("invalid ID token")


def test_an_issuer_is_compared_to_the_letter(provider, liar):
    liar.claims = {"iss": f"{liar.issuer}/"}
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)


@pytest.mark.parametrize("subject", [None, "", 7, ["ada"]])
def test_nobody_is_nobody(provider, liar, subject):
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar, subject)


ALGORITHMS = {
    "none": ({"alg": "none"}, None),
    "a secret that everybody knows": ({"alg": "HS256"}, "public"),
    "the client's own secret": ({"alg": "HS256"}, "secret"),
    "one that was not announced": ({"alg": "ES384"}, "P-384"),
}


@pytest.mark.parametrize(("header", "kind"), ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_no_other_algorithm_is_believed(provider, liar, header, kind):
    liar.says = {"id_token_signing_alg_values_supported": ["none", "HS256", "ES256"]}
    public = json.dumps(liar.key.as_dict(private=False))
    provider.address(ATTEMPT)
    keys = {"public": public, "secret": CLIENT_SECRET, None: "x" * 40}
    liar.header = header
    if kind == "P-384":
        liar.key = type(liar.key).generate_key("P-384", parameters={"kid": liar.key.kid})
    else:
        liar.key = OctKey.import_key(keys[kind], {"kid": liar.key.kid})
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)


def test_a_symmetric_key_that_is_published_checks_nothing(provider, liar):
    liar.published = [liar.new_key(), secret := OctKey.import_key("k" * 40, {"kid": "s"})]
    liar.instead["/jwks"] = lambda: (
        200,
        json.dumps({"keys": [k.as_dict(private=True) for k in liar.published]}).encode(),
    )
    liar.key, liar.header = secret, {"alg": "HS256"}
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)


def test_a_key_that_is_for_encryption_checks_no_signature(provider, liar):
    other = liar.new_key()
    told = [{**liar.key.as_dict(private=False), "use": "enc"}, other.as_dict(private=False)]
    liar.lie("/jwks", json.dumps({"keys": told}).encode())
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)


def test_nor_does_it_when_it_is_the_only_one_and_nobody_says_which(provider, liar):
    liar.lie("/jwks", json.dumps({"keys": [{**liar.key.as_dict(private=False), "use": "enc"}]}).encode())
    liar.header = {"kid": None}
    with pytest.raises(ProviderUnavailable):
        identify(provider, liar)


def test_keys_that_nobody_understands_are_passed_over(provider, liar):
    odd = [{"kty": "LWE"}, {"kty": "EC", "crv": "P-256"}, "x", None, {"kty": "RSA", "n": "!", "e": 1}]
    liar.lie("/jwks", json.dumps({"keys": [*odd, liar.key.as_dict(private=False)]}).encode())
    assert identify(provider, liar).subject == "ada"


def test_rsa_is_understood_too(provider, liar):
    liar.key = RSAKey.generate_key(2048, auto_kid=True)
    liar.published, liar.header = [liar.key], {"alg": "RS256"}
    assert identify(provider, liar).subject == "ada"


# --- keys that are replaced -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{}, {"kid": None}], ids=["by its name", "though it has no name"])
def test_a_new_key_of_the_provider_is_fetched_once(provider, liar, header):
    liar.header = header
    identify(provider, liar)
    liar.key = liar.new_key()
    liar.published = [liar.key] if header else [*liar.published, liar.key]
    assert identify(provider, liar).subject == "ada"
    identify(provider, liar)
    assert liar.asked.count("/jwks") == 2


def test_a_key_that_is_not_published_is_not_believed_however_often_it_is_asked_for(provider, liar):
    liar.key = liar.new_key()
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)
    assert liar.asked.count("/jwks") == 2


def test_metadata_and_keys_are_asked_for_once_by_many(provider, liar):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: provider.address(ATTEMPT), range(16)))
    assert liar.asked == ["/.well-known/openid-configuration", "/jwks"]


# --- the exchange ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_we_prove_ourselves_as_the_provider_wants(provider, liar, method):
    liar.says = {"token_endpoint_auth_methods_supported": [method]}
    assert identify(provider, liar).subject == "ada"


def test_a_code_of_another_verifier_is_worth_nothing(provider, liar):
    code = liar.person("ada")(provider.address(ATTEMPT))["code"]
    with pytest.raises(SignOnRefused, match="too old, or was used"):
        provider.identify(code, Attempt("state", "nonce", "w" * 64))


def test_a_wrong_secret_of_ours_is_told_to_whoever_runs_this(liar, clock):
    liar.instead["/token"] = lambda: (401, b'{"error": "invalid_client", "error_description": "s3cr3t"}')
    with pytest.raises(SignOnRefused, match="Tell whoever runs this server") as caught:
        identify(a_provider(liar, clock), liar)
    assert caught.value.reason == "the provider refused this server"
    assert "s3cr3t" not in caught.value.public


NO_TOKENS = {
    "no JSON": b"<html>",
    "not UTF-8": b"\xff\xfe{",
    "a list": b"[]",
    "nothing": b"",
    "an empty object": b"{}",
    "no ID token": b'{"access_token": "x", "token_type": "Bearer"}',
    "no access token": b'{"id_token": "x.y.z"}',
    "an ID token that is none": b'{"access_token": "x", "id_token": 7}',
    "an expiry that is none": b'{"access_token": "x", "id_token": "x.y.z", "expires_in": "soon"}',
    "deep": b"[" * 100_000,
    "too much": b" " * 600_000,
}


@pytest.mark.parametrize("answer", NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_an_answer_that_is_no_token_is_a_provider_that_cannot_be_used_now(provider, liar, answer):
    liar.lie("/token", answer)
    with pytest.raises(ProviderUnavailable):
        identify(provider, liar)


@pytest.mark.parametrize(
    "token", ["", "x", "x.y.z", "a.b.c.d.e", "\u00e4.b.c", "e30.e30.e30", "." * 9000, "x" * 200_000]
)
def test_an_id_token_that_is_none_is_refused(provider, liar, token):
    liar.token = {"id_token": token}
    with pytest.raises(SignOnRefused, match="not valid"):
        identify(provider, liar)


def test_no_password_of_whoever_runs_this_is_sent(provider, liar, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    liar.userinfo = {"sub": "ada", "email": "ada@example.com", "email_verified": True}
    assert identify(provider, liar, email=None, email_verified=None).email == "ada@example.com"


def test_our_secret_follows_no_redirect(provider, liar, clock):
    with a_liar(clock) as elsewhere:
        liar.lie("/token", f"{elsewhere.issuer}/token".encode(), 307)
        with pytest.raises(ProviderUnavailable):
            identify(provider, liar)
        assert elsewhere.asked == []


# --- a provider that is down, slow, or not itself -------------------------------------------------------------------

METADATA = {
    "another issuer": {"issuer": OTHER},
    "no issuer": {"issuer": None},
    "no token endpoint": {"token_endpoint": None},
    "an endpoint without TLS": {"token_endpoint": "http://login.example.com/token"},
    "a script for an endpoint": {"authorization_endpoint": "javascript:alert(1)"},
    "an endpoint with a line break": {"authorization_endpoint": "https://login.example.com/\r\nX: y"},
    "an endpoint that is none": {"jwks_uri": 7},
    "only symmetric algorithms": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    "algorithms that are none": {"id_token_signing_alg_values_supported": 7},
}


@pytest.mark.parametrize("says", METADATA.values(), ids=METADATA.keys())
def test_a_provider_that_says_other_things_than_it_should_cannot_be_used(provider, liar, says):
    liar.says = says
    with pytest.raises(ProviderUnavailable, match="Try again shortly") as caught:
        provider.address(ATTEMPT)
    assert caught.value.detail


PATHS = ["/.well-known/openid-configuration", "/jwks"]
GARBAGE = {
    "an error": (500, b"{}"),
    "nothing": (404, b""),
    "no JSON": (200, b"<html>"),
    "a list": (200, b"[]"),
    "null": (200, b"null"),
    "too much": (200, b" " * 600_000),
    "deep": (200, b"[" * 100_000),
    "elsewhere": (302, b"https://login.example.com/"),
    "no keys": (200, b'{"keys": []}'),
    "keys that are none": (200, b'{"keys": {"kty": "EC"}}'),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_provider_that_answers_garbage_cannot_be_used(provider, liar, path, answer):
    liar.instead[path] = lambda: answer
    with pytest.raises(ProviderUnavailable):
        provider.address(ATTEMPT)


@pytest.mark.parametrize("path", [*PATHS, "/token", "/userinfo"])
@pytest.mark.parametrize("how", ["it never answers", "it drips"])
def test_a_slow_provider_is_not_waited_for(liar, clock, path, how):
    provider = a_provider(liar, clock, QUICKLY)
    liar.userinfo = {"sub": "ada"}
    if how == "it drips":
        liar.lie(path, b"drip")
    else:
        liar.stall(path, 40)
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        identify(provider, liar, email=None)
    assert time.monotonic() - began < 20


def test_a_provider_that_is_down_cannot_be_used_and_is_left_alone_for_a_moment(clock):
    with a_liar(clock) as liar:
        provider = a_provider(liar, clock)
    with pytest.raises(ProviderUnavailable, match="Try again"):
        provider.address(ATTEMPT)
    with pytest.raises(ProviderUnavailable) as caught:
        provider.address(ATTEMPT)
    assert caught.value.detail == "the sign-in provider did not answer a moment ago"


def test_what_is_known_of_a_provider_outlives_its_silence(liar, clock):
    ticks = StillClock(0)
    provider = a_provider(liar, clock)
    provider._provider._ticks = ticks
    provider.address(ATTEMPT)
    ticks.advance(4000)
    liar.lie("/.well-known/openid-configuration", b"", 500)
    assert provider.address(ATTEMPT)
    assert liar.asked.count("/.well-known/openid-configuration") == 2
    del liar.instead["/.well-known/openid-configuration"]
    liar.says = {"authorization_endpoint": "https://login.example.com/new"}
    ticks.advance(6)
    assert provider.address(ATTEMPT).startswith("https://login.example.com/new")


def test_no_more_than_a_few_wait_for_a_slow_provider(liar, clock):
    provider = a_provider(liar, clock, QUICKLY)
    provider.address(ATTEMPT)
    liar.stall("/token", 40)
    began = time.monotonic()
    with ThreadPoolExecutor(12) as threads:
        futures = [threads.submit(provider.identify, "code", ATTEMPT) for _ in range(12)]
        assert all(isinstance(future.exception(), ProviderUnavailable) for future in futures)
    assert time.monotonic() - began < 20
    assert liar.asked.count("/token") <= 12


def test_neither_secret_nor_token_is_logged(provider, liar, caplog):
    caplog.set_level("DEBUG")
    identify(provider, liar)
    liar.lie("/token", b"{}")
    with pytest.raises(ProviderUnavailable):
        identify(provider, liar)
    assert "/token" in caplog.text
    for secret in (CLIENT_SECRET, CLIENT_SECRET[:20], "eyJ", ATTEMPT.verifier):
        assert secret not in caplog.text
