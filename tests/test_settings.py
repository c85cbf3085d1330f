"""Are the settings read from where they may be, refused all at once, and never shown where they are secret?"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.settings import PREFIX, InvalidSettings, Settings, load, unknown_variables
from tests.support.credentials import QUICK
from tests.support.env_example import example
from tokenserver.domain.operators import OperatorRole

ROOT = Path(__file__).resolve().parents[1]
KEY = bytes(range(32))
WRITTEN = base64.b64encode(KEY).decode()


def read(tmp_path=None, **environment):
    """The settings from these variables and nothing else."""
    return load({f"{PREFIX}{name.upper()}": value for name, value in environment.items()}, dotenv=None)


def faults(**environment):
    with pytest.raises(InvalidSettings) as caught:
        read(**environment)
    return str(caught.value).splitlines()


# --- where they come from ---


def test_without_any_setting_one_machine_is_served():
    settings = read()
    assert settings.issuer == "http://127.0.0.1:8000"
    assert settings.database_url == "sqlite:///var/tokenserver.db"
    assert settings.on_sqlite
    assert (settings.pepper, settings.kek, settings.trusted_proxies) == (None, None, ())
    assert (settings.token_lifetime, settings.signing_alg) == (900, "ES256")


def test_every_setting_is_read_from_its_variable():
    given_ = {
        "issuer": "https://auth.example.com",
        "home": "/srv/tokenserver",
        "database_url": "postgresql://user:password@db/name",
        "pepper": WRITTEN,
        "pepper_previous": WRITTEN,
        "kek": WRITTEN,
        "signing_alg": "EdDSA",
        "token_lifetime": "60",
        "trusted_proxies": "10.0.0.0/8, 2001:db8::/32",
        "rate_limits": "address=7/hour, credential=8/day",
        "redis_url": "rediss://:password@redis:6380/1",
        "github_keys": "[]",
        "metrics_from": "192.0.2.0/24",
        "host": "0.0.0.0",  # noqa: S104  only said
        "port": "443",
        "workers": "2",
        "threads": "3",
        "feed_waiters": "4",
        "console_idle_minutes": "5",
        "console_session_hours": "1",
        "sso_issuer": "https://login.example.com/realm",
        "sso_client_id": "tokenserver",
        "sso_client_secret": "s3cr3t",
        "sso_name": "Example",
        "sso_groups": "platform-team=platform_admin, auditors=auditor",
        "sso_groups_claim": "roles",
        "sso_trust_email": "true",
        "audit_checkpoint_minutes": "15",
        "audit_retention_days": "400",
        "log_level": "DEBUG",
        "token_log_sample": "0.5",
        "webhook_allowed_networks": "10.0.0.0/8, fd00::/8",
        "webhook_plain_http": "true",
    }
    assert set(given_) == set(Settings.model_fields)
    settings = read(**given_)
    assert settings.database_url == "postgresql+psycopg://user:password@db/name"
    assert settings.pepper == settings.pepper_previous == settings.kek == KEY
    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32")
    assert (settings.port, settings.workers, settings.threads, settings.feed_waiters) == (443, 2, 3, 4)
    assert (settings.sso_issuer, settings.sso_client_id) == ("https://login.example.com/realm", "tokenserver")
    assert (settings.sso_client_secret, settings.sso_name) == ("s3cr3t", "Example")
    assert (settings.sso_groups_claim, settings.sso_trust_email) == ("roles", True)
    assert settings.group_roles.role_of({"auditors"}) is OperatorRole.AUDITOR
    assert (settings.audit_checkpoint_minutes, settings.audit_retention_days) == (15, 400)
    assert {name: (q.amount, q.seconds) for name, q in settings.quotas.items()} == {
        "address": (7, 3600),
        "credential": (8, 86400),
    }
    assert settings.redis_url == "rediss://:password@redis:6380/1"
    assert (settings.home, settings.token_log_sample) == (Path("/srv/tokenserver"), 0.5)
    assert (settings.webhook_allowed_networks, settings.webhook_plain_http) == (("10.0.0.0/8", "fd00::/8"), True)


def test_a_file_may_hold_the_value(tmp_path):
    (tmp_path / "kek").write_text(f"  {WRITTEN}\n")
    assert read(kek_file=str(tmp_path / "kek")).kek == KEY


def test_the_variable_wins_over_its_file_and_both_over_the_env_file(tmp_path):
    (tmp_path / "issuer").write_text("https://file.example.com")
    (tmp_path / ".env").write_text("TOKENSERVER_ISSUER=https://dotenv.example.com\nTOKENSERVER_PORT=81\n")
    by_file = {"TOKENSERVER_ISSUER_FILE": str(tmp_path / "issuer")}
    by_variable = {**by_file, "TOKENSERVER_ISSUER": "https://variable.example.com"}
    for environment, host in ((by_variable, "variable"), (by_file, "file"), ({}, "dotenv")):
        settings = load(environment, dotenv=tmp_path / ".env")
        assert settings.issuer == f"https://{host}.example.com"
        assert settings.port == 81


def test_what_the_command_line_says_wins(tmp_path):
    settings = load({"TOKENSERVER_PORT": "81", "TOKENSERVER_HOST": "::1"}, dotenv=None, host=None, port=82)
    assert (settings.host, settings.port, settings.issuer) == ("::1", 82, "http://[::1]:82")


def test_an_empty_value_is_none(tmp_path):
    (tmp_path / ".env").write_text("TOKENSERVER_PORT=81\n")
    assert load({"TOKENSERVER_PORT": ""}, dotenv=tmp_path / ".env").port == 81
    assert read(issuer="", pepper="", trusted_proxies="").issuer == "http://127.0.0.1:8000"


def test_an_empty_list_of_those_who_may_read_the_metrics_is_nobody(tmp_path):
    (tmp_path / ".env").write_text("TOKENSERVER_METRICS_FROM=\n")
    assert load({}, dotenv=tmp_path / ".env").metrics_networks is None
    assert read(metrics_from="").metrics_networks is None
    here = read().metrics_networks
    assert here is not None
    assert here.normal_form() == ("127.0.0.0/8", "::1")


SHOWN = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "2001:db8::1": "[2001:db8::1]"}  # noqa: S104  only said


@pytest.mark.parametrize(("host", "shown"), SHOWN.items())
def test_the_default_issuer_is_how_the_server_is_reached_from_its_machine(host, shown):
    assert read(host=host, port="81").issuer == f"http://{shown}:81"


# --- what is refused ---


REDIS_URLS = {
    "redis://redis": True,
    "redis://127.0.0.1:6379/0": True,
    "redis://user:pass@[::1]:6379": True,
    "rediss://:password@redis.example.com:6380/15": True,
    "unix:///run/redis.sock?db=2": True,
    "redis": False,
    "redis://": False,
    "redis://host/name": False,
    "redis://host?socket_timeout=60": False,
    "memcached://host": False,
    "redis://host /0": False,
}


@pytest.mark.parametrize(("url", "good"), REDIS_URLS.items())
def test_the_address_of_a_redis_is_checked(url, good):
    if good:
        assert read(redis_url=url).redis_url == url
    else:
        (fault,) = faults(redis_url=url)
        assert "redis://:password@host" in fault


def test_limits_are_500_a_minute_unless_said_otherwise():
    assert read().quotas["address"].amount == 500
    assert read().quotas["address"].seconds == 60
    assert set(read().quotas) == {"address", "feed"}
    assert read(rate_limits="off").quotas == {}


def test_every_fault_is_told_at_once(tmp_path):
    told = faults(
        issuer="auth.example.com",
        database_url="mysql://x",
        pepper="short",
        kek_file=str(tmp_path / "missing"),
        signing_alg="HS256",
        token_lifetime="59",
        trusted_proxies="10.0.0.1/8",
        metrics_from="localhost",
        rate_limits="500",
        redis_url="http://redis",
        port="0",
        workers="x",
        sso_issuer="http://login.example.com",
        sso_client_id="a name",
        sso_client_secret="\u0441",
        sso_name="\t",
        sso_groups="team",
        sso_groups_claim="x" * 201,
        sso_trust_email="perhaps",
        log_level="LOUD",
        token_log_sample="1.1",
        webhook_allowed_networks="10.0.0.1/8",
        webhook_plain_http="perhaps",
    )
    named = {line.partition(":")[0] for line in told}
    assert named == {
        f"TOKENSERVER_{name}"
        for name in (
            *("ISSUER", "DATABASE_URL", "PEPPER", "KEK_FILE", "SIGNING_ALG", "TOKEN_LIFETIME", "TRUSTED_PROXIES"),
            *("METRICS_FROM", "RATE_LIMITS", "REDIS_URL", "PORT", "WORKERS", "LOG_LEVEL", "TOKEN_LOG_SAMPLE"),
            *("SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET", "SSO_NAME"),
            *("SSO_GROUPS", "SSO_GROUPS_CLAIM", "SSO_TRUST_EMAIL"),
            *("WEBHOOK_ALLOWED_NETWORKS", "WEBHOOK_PLAIN_HTTP"),
        )
    }
    assert all(re.search(r": \S", line) for line in told)


ISSUERS = {
    "no scheme": "auth.example.com",
    "another scheme": "ftp://auth.example.com",
    "no host": "https://",
    "a slash at the end": "https://auth.example.com/",
    "a query": "https://auth.example.com?x",
    "a fragment": "https://auth.example.com#x",
    "a user": "https://me@auth.example.com",
    "a password": "https://:pw@auth.example.com",
    "a port that is no number": "https://auth.example.com:x",
    "a port that is too large": "https://auth.example.com:99999",
    "a broken address": "https://[::1",
    "an address that is none": "https://[xyz]",
    "a space": "https://auth.example .com",
    "a line break": "https://auth.example.com\nX: y",
    "a tab": "https://auth\t.example.com",
    "a quotation mark": 'https://auth.example.com/"',
    "a backslash": "https://auth.example.com\\x",
    "Unicode": "https://\u0430uth.example.com",
}


@pytest.mark.parametrize("issuer", ISSUERS.values(), ids=ISSUERS.keys())
def test_an_issuer_is_a_plain_base_url(issuer):
    (fault,) = faults(issuer=issuer)
    assert fault.startswith("TOKENSERVER_ISSUER: ")
    assert issuer not in fault
    assert "xyz" not in fault


@pytest.mark.parametrize(
    "issuer", ["http://localhost", "https://auth.example.com:8443", "https://auth.example.com/a/b", "http://[::1]:8000"]
)
def test_a_plain_base_url_is_an_issuer(issuer):
    assert read(issuer=issuer).issuer == issuer


PROVIDERS = {
    "https://login.example.com": True,
    "https://tenant.example.com/": True,
    "https://login.example.com:8443/realms/main": True,
    "http://localhost:9400": True,
    "http://127.0.0.1:9400/realm": True,
    "http://[::1]:9400": True,
    "http://login.example.com": False,
    "http://localhost.example.com": False,
    "http://127.0.0.1.example.com": False,
    "https://login.example.com//": False,
    "https://login.example.com?x": False,
    "https://me@login.example.com": False,
    "login.example.com": False,
}


@pytest.mark.parametrize(("url", "good"), PROVIDERS.items())
def test_the_issuer_of_a_provider_is_reached_by_tls_or_on_this_machine(url, good):
    client = {"sso_client_id": "tokenserver", "sso_client_secret": "s3cr3t"}
    if good:
        assert read(sso_issuer=url, **client).sso_issuer == url
    else:
        (fault,) = faults(sso_issuer=url, **client)
        assert fault.startswith("TOKENSERVER_SSO_ISSUER: ")


@pytest.mark.parametrize("missing", ["sso_issuer", "sso_client_id", "sso_client_secret"])
def test_a_provider_and_what_it_calls_us_and_the_secret_go_together(missing):
    whole = {"sso_issuer": "https://login.example.com", "sso_client_id": "t", "sso_client_secret": SECRET}
    told = faults(**{name: value for name, value in whole.items() if name != missing})
    assert told
    assert all("TOKENSERVER_SSO_ISSUER" in fault and SECRET not in fault for fault in told)


WEAK = {
    "too short": base64.b64encode(bytes(31)).decode(),
    "a passphrase": "correct horse battery staple and then some more words",
    "not base64": "!" * 60,
    "half base64": WRITTEN[:-4] + "!!!!",
    "Unicode": "ключ" * 20,
}


@pytest.mark.parametrize("name", ["pepper", "pepper_previous", "kek"])
@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK.keys())
def test_a_key_is_32_random_bytes_in_base64(name, key):
    (fault,) = faults(**{name: key})
    assert fault.startswith(f"TOKENSERVER_{name.upper()}: ")
    assert key not in fault


@pytest.mark.parametrize("written", [WRITTEN, WRITTEN.rstrip("="), base64.urlsafe_b64encode(b"\xff" * 32).decode()])
def test_base64_may_be_padded_or_not_and_url_safe_or_not(written):
    assert len(read(kek=written).kek) == 32


UNREADABLE = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "not text": lambda path: path.write_bytes(b"\xff\xfe"),
    "empty": lambda path: path.write_text(""),
    "blank": lambda path: path.write_text(" \n"),
}


@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_was_named_must_hold_something(tmp_path, make):
    """Or a secret that was not mounted would be replaced by a fresh one, and nobody would know."""
    make(tmp_path / "secret")
    (fault,) = faults(pepper_file=str(tmp_path / "secret"))
    assert fault.startswith("TOKENSERVER_PEPPER_FILE: ")


DATABASES = {
    "sqlite:///var/x.db": "sqlite:///var/x.db",
    "sqlite:////srv/x.db": "sqlite:////srv/x.db",
    "postgres://u:p@h/d": "postgresql+psycopg://u:p@h/d",
    "postgresql://u:p@h:5432/d?sslmode=require": "postgresql+psycopg://u:p@h:5432/d?sslmode=require",
    "postgresql+psycopg://u:p@h/d": "postgresql+psycopg://u:p@h/d",
}


@pytest.mark.parametrize(("given_", "meant"), DATABASES.items(), ids=DATABASES)
def test_a_database_is_sqlite_or_postgresql(given_, meant):
    assert read(database_url=given_).database_url == meant


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://", "sqlite:x", "postgresql+asyncpg://x", "x", "file:///x"])
def test_no_other_database_is_taken(url):
    (fault,) = faults(database_url=url)
    assert fault.startswith("TOKENSERVER_DATABASE_URL: ")


SECRET = "s3cr3t-p4ssw0rd"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_value_is_echoed_in_a_fault(name):
    for value in (SECRET, f"{SECRET}://x:{SECRET}@{SECRET}/", f"https://[{SECRET}]/", f"https://h:{SECRET}/"):
        try:
            read(**{name: value})
        except InvalidSettings as fault:
            assert SECRET not in str(fault)  # noqa: PT017  some values are good for some settings


@QUICK
@given(name=st.sampled_from(sorted(Settings.model_fields)), value=st.text(max_size=60))
def test_any_text_is_a_setting_or_a_fault(name, value):
    try:
        read(**{name: value})
    except InvalidSettings as fault:
        told = {line.partition(":")[0] for line in str(fault).splitlines()}
        assert told <= {f"TOKENSERVER_{name.upper()}", "TOKENSERVER_ISSUER"}, "or what is made of it"


# --- what is shown ---


def test_secrets_are_not_shown():
    url = f"postgresql://me:{SECRET}@db/x"
    settings = read(
        pepper=WRITTEN,
        pepper_previous=WRITTEN,
        kek=WRITTEN,
        database_url=url,
        redis_url=f"redis://:{SECRET}@redis",
        sso_issuer="https://login.example.com",
        sso_client_id="tokenserver",
        sso_client_secret=SECRET,
    )
    shown = repr(settings) + str(settings) + f"{settings}"
    assert SECRET not in shown
    assert repr(KEY) not in shown
    assert "token_lifetime=900" in shown


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_a_misspelt_variable_is_found():
    environment = {
        "TOKENSERVER_ISUER": "x",
        "TOKENSERVER_ISSUER": "x",
        "TOKENSERVER_KEK_FILE": "x",
        "TOKENSERVER_URL": "x",
        "TOKENSERVER_CLIENT_ID": "x",
        "TOKENSERVER_CLIENT_SECRET": "x",
        "PATH": "x",
    }
    assert unknown_variables(environment, dotenv=None) == ["TOKENSERVER_ISUER"]


def test_a_misspelt_line_of_the_env_file_is_found(tmp_path):
    (tmp_path / ".env").write_text("TOKENSERVER_PROT=81\nTOKENSERVER_PORT=81\nOTHER=x\n")
    assert unknown_variables({}, dotenv=tmp_path / ".env") == ["TOKENSERVER_PROT"]


def test_a_port_that_is_none_is_one_fault_and_not_the_issuer_s_as_well():
    for port in ("99999", "x", "0"):
        (fault,) = faults(port=port)
        assert fault.startswith("TOKENSERVER_PORT: ")


# --- the example file ---


def test_the_example_file_is_the_settings_class():
    assert (ROOT / ".env.example").read_text() == example(), "run: python -m tests.support.env_example > .env.example"


def test_every_setting_is_in_the_example_file_with_its_default():
    documented = dotenv_values(ROOT / ".env.example")
    assert list(documented) == [f"TOKENSERVER_{name.upper()}" for name in Settings.model_fields]
    assert load({}, dotenv=ROOT / ".env.example") == load({}, dotenv=None)


def test_every_setting_is_documented_in_a_sentence():
    for name, field in Settings.model_fields.items():
        assert str(field.description).endswith("."), name
