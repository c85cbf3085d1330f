"""Does everything come from one place, so that no address ever meets the secret of another?"""

from __future__ import annotations

import pytest

from tokenserver.cli.connection import checked_url, connection, url_alone
from tokenserver.cli.failures import Failure
from tokenserver.cli.profiles import Profile, Profiles
from tokenserver.cli.secret_file import write_private

WHOLE = {
    "TOKENSERVER_URL": "https://auth.example.com/",
    "TOKENSERVER_CLIENT_ID": "tsc_env",
    "TOKENSERVER_CLIENT_SECRET": "tss_env",
}


@pytest.fixture
def home(tmp_path):
    """A user with a default profile and another one."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    profiles = Profiles(environment)
    for name in ("default", "staging"):
        profiles.make_folder()
        write_private(profiles.own_secret_file(name), f"tss_{name}")
        url = f"https://{name}.example.com"
        profiles.put(name, Profile(url, f"tsc_{name}", str(profiles.own_secret_file(name))))
    return environment


def test_the_environment_goes_before_the_default_profile_and_a_named_profile_before_both(home):
    assert connection(None, home).client_id == "tsc_default"
    found = connection(None, {**home, **WHOLE})
    assert (found.url, found.client_id, found.secret.reveal()) == ("https://auth.example.com", "tsc_env", "tss_env")
    found = connection("staging", {**home, **WHOLE})
    assert (found.url, found.secret.reveal()) == ("https://staging.example.com", "tss_staging")
    assert connection(None, {**home, **WHOLE, "TOKENSERVER_PROFILE": "staging"}).client_id == "tsc_staging"


@pytest.mark.parametrize("missing", WHOLE)
def test_half_an_environment_is_not_filled_up_from_a_profile(home, missing):
    environment = {name: value for name, value in WHOLE.items() if name != missing}
    with pytest.raises(Failure, match=missing):
        connection(None, {**home, **environment})


def test_each_may_be_in_a_file_but_not_in_both(tmp_path):
    environment = {}
    for name, value in WHOLE.items():
        (tmp_path / name).write_text(value + "\n")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    assert connection(None, environment).secret.reveal() == "tss_env"
    with pytest.raises(Failure, match="set one of them"):
        connection(None, {**environment, "TOKENSERVER_CLIENT_SECRET": "x"})
    with pytest.raises(Failure, match="cannot be read"):
        connection(None, {**environment, "TOKENSERVER_CLIENT_SECRET_FILE": str(tmp_path / "nowhere")})


def test_where_nothing_is_known_it_says_what_to_do(tmp_path):
    nothing = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(Failure, match="tokenserver login"):
        connection(None, nothing)
    with pytest.raises(Failure, match="no profile nope"):
        connection("nope", nothing)
    assert url_alone(None, nothing) is None


def test_for_what_needs_no_credential_an_address_is_enough(home):
    assert url_alone(None, {"TOKENSERVER_URL": "https://auth.example.com/"}) == "https://auth.example.com"
    assert url_alone("staging", {**home, **WHOLE}) == "https://staging.example.com"
    assert url_alone(None, home) == "https://default.example.com"


NO_ADDRESS = [
    "",
    "auth.example.com",
    "ftp://x",
    "https://",
    "https://me:pw@x",
    "https://x/?a=b",
    "https://x#f",
    "https://x:y",
]


@pytest.mark.parametrize(
    "url", [*NO_ADDRESS, "https://ex ample.com", "https://ex\u00e4mple.com", "https://x\n", "https://[::1"]
)
def test_what_is_no_address_of_a_server_is_refused(url):
    with pytest.raises(Failure, match="like https"):
        checked_url(url, allow_http=True)


def test_plain_http_is_for_this_machine(home):
    assert checked_url("http://127.0.0.1:8000", allow_http=False) == "http://127.0.0.1:8000"
    assert checked_url("http://localhost:8000/", allow_http=False) == "http://localhost:8000"
    for elsewhere in ("http://auth.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com"):
        with pytest.raises(Failure, match="could be read on the way"):
            checked_url(elsewhere, allow_http=False)
    plain = {**home, **WHOLE, "TOKENSERVER_URL": "http://auth.example.com"}
    with pytest.raises(Failure, match="could be read on the way"):
        connection(None, plain)
    assert connection(None, {**plain, "TOKENSERVER_ALLOW_HTTP": "1"}).url == "http://auth.example.com"


def test_a_secret_does_not_show_itself(home):
    assert "tss_" not in repr(connection(None, home))
