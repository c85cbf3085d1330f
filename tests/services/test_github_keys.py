"""Is what GitHub signed told from what it did not?"""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from app.services.github_keys import GithubKeys, NotSignedByGithub
from app.settings import InvalidSettings
from tokenserver.errors import NotFound

BODY = b'[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]'
# As GitHub's documentation shows it, with its key.
DOCUMENTED_ID = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c"
DOCUMENTED_SIGNATURE = (
    "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg=="
)
DOCUMENTED_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd
AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==
-----END PUBLIC KEY-----
"""


def pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def signed(key, body=BODY):
    return base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()


def told(*keys):
    listed = [{"key_identifier": f"k{n}", "key": pem(key), "is_current": n == 0} for n, key in enumerate(keys)]
    return json.dumps({"public_keys": listed})


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


def test_what_a_known_key_signed_passes(key):
    other = ec.generate_private_key(ec.SECP256R1())
    keys = GithubKeys(told(other, key))
    keys.refuse_unsigned(BODY, "k1", signed(key))
    keys.refuse_unsigned(BODY, "k0", signed(other))


def test_the_example_of_the_documentation_passes():
    keys = GithubKeys(json.dumps({"public_keys": [{"key_identifier": DOCUMENTED_ID, "key": DOCUMENTED_KEY}]}))
    keys.refuse_unsigned(BODY, DOCUMENTED_ID, DOCUMENTED_SIGNATURE)
    with pytest.raises(NotSignedByGithub):
        keys.refuse_unsigned(BODY.replace(b"commit", b"issues"), DOCUMENTED_ID, DOCUMENTED_SIGNATURE)


def test_a_bare_list_of_keys_will_do(key):
    GithubKeys(json.dumps(json.loads(told(key))["public_keys"])).refuse_unsigned(BODY, "k0", signed(key))


BAD = {
    "another body": lambda key: (BODY + b" ", "k0", signed(key)),
    "another key": lambda _: (BODY, "k0", signed(ec.generate_private_key(ec.SECP256R1()))),
    "an unknown key": lambda key: (BODY, "k9", signed(key)),
    "no key": lambda key: (BODY, "", signed(key)),
    "no signature": lambda _: (BODY, "k0", ""),
    "no base64": lambda _: (BODY, "k0", "%%%"),
    "text that is not ASCII": lambda _: (BODY, "k0", "é"),
    "too long a signature": lambda _: (BODY, "k0", "A" * 10_000),
    "GitHub's own example, under our key": lambda _: (BODY, "k0", DOCUMENTED_SIGNATURE),
    "GitHub's own example, under its key, which is unknown": lambda _: (BODY, DOCUMENTED_ID, DOCUMENTED_SIGNATURE),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_all_else_is_refused(key, case):
    with pytest.raises(NotSignedByGithub):
        GithubKeys(told(key)).refuse_unsigned(*case(key))


def test_without_keys_there_is_no_such_door(key):
    with pytest.raises(NotFound):
        GithubKeys("").refuse_unsigned(BODY, "k0", signed(key))


FAULTY = {
    "no JSON": "nothing",
    "no keys": '{"public_keys": []}',
    "another shape": '{"keys": {}}',
    "a number": "7",
    "an entry that is none": "[7]",
    "no PEM": '[{"key_identifier": "k", "key": "hunter2"}]',
    "a key that is no text": '[{"key_identifier": "k", "key": 7}]',
    "another curve": json.dumps([{"key_identifier": "k", "key": pem(ec.generate_private_key(ec.SECP384R1()))}]),
    "another kind of key": json.dumps([{"key_identifier": "k", "key": pem(ed25519.Ed25519PrivateKey.generate())}]),
}


@pytest.mark.parametrize("text", FAULTY.values(), ids=FAULTY.keys())
def test_faulty_keys_are_refused_at_the_start_and_not_repeated(text):
    with pytest.raises(InvalidSettings, match="GITHUB_KEYS") as refused:
        GithubKeys(text)
    assert "hunter2" not in str(refused.value)
