"""How is this server set up? One frozen value, read once at the start; every fault is reported at once.

Each setting is an environment variable with the prefix `TOKENSERVER_`; `TOKENSERVER_<NAME>_FILE` names a file that
holds the value instead (container secrets). In development a file `.env` in the working directory is read as well;
the environment wins. Values are never echoed in a fault, because some are secrets.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.quotas import Quota, parse_quotas
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.group_roles import GroupRoles
from tokenserver.domain.restrictions import DEFAULT_LIFETIME, LONGEST_LIFETIME, SHORTEST_LIFETIME
from tokenserver.domain.webhook_target import Reach
from tokenserver.errors import InvalidInput

PREFIX = "TOKENSERVER_"
LARGEST_PORT = 65535
_BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[A-Za-z0-9._~-]+)*\Z"
)
_LOOPBACK = re.compile(r"http://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?:[:/]|\Z)")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,512}\Z")
_REDIS = re.compile(r"rediss?://[^\s/?#]+(?:/[0-9]{0,4})?\Z|unix://[^\s?#]*/[^\s?#]+(?:\?db=[0-9]{1,4})?\Z")
_HOST = re.compile(r"[0-9A-Za-z._:-]{1,253}\Z")
_MAY_BE_EMPTY = {"metrics_from"}
"""To which an empty value says something else than its default."""
_OF_THE_COMMAND_LINE = {"URL", "CLIENT_ID", "CLIENT_SECRET"}


class InvalidSettings(Exception):
    """The settings are faulty; the text names every fault."""


def _key(text: object) -> object:
    if not isinstance(text, str):
        return text
    written = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 32:
        raise ValueError("must be at least 32 random bytes in base64, as from: openssl rand -base64 32")
    return key


def _list(text: object) -> object:
    return tuple(item.strip() for item in text.split(",") if item.strip()) if isinstance(text, str) else text


def _shown(host: str) -> str:
    """The host by which a server that listens on `host` is reached from its own machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
    return everywhere.get(host, f"[{host}]" if ":" in host else host)


def is_private(url: str) -> bool:
    """Whether what is sent there is read by nobody else: by TLS, or because it never leaves the machine."""
    return url.startswith("https://") or _LOOPBACK.match(url) is not None


Key = Annotated[bytes, BeforeValidator(_key)]


class Settings(BaseModel):
    """Every setting with its default; `.env.example` is tested to list exactly these."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    issuer: str = ""
    """Public base URL; becomes `iss`. Changing it ends every outstanding token. Default: http://HOST:PORT."""
    home: Path = Path("var")
    """Where the embedded default keeps its state: tokenserver.db, pepper, kek."""
    database_url: str = Field(default="", repr=False)
    """SQLite (one machine) or PostgreSQL (many). Default: sqlite:///HOME/tokenserver.db."""
    pepper: Key | None = Field(default=None, repr=False)
    """Key of the secret digests, base64. Default: the file HOME/pepper, made at first start."""
    pepper_previous: Key | None = Field(default=None, repr=False)
    """The pepper before this one, still accepted while it is being replaced."""
    kek: Key | None = Field(default=None, repr=False)
    """Key-encryption key that seals the signing keys, base64. Default: the file HOME/kek, made at first start."""
    signing_alg: Literal["ES256", "RS256", "EdDSA"] = "ES256"
    """Algorithm of new signing keys."""
    token_lifetime: Annotated[int, Field(ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)] = DEFAULT_LIFETIME
    """Seconds an access token lives where its credential does not say otherwise."""
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """Networks whose Forwarded or X-Forwarded-For header is believed, separated by commas. Default: none."""
    rate_limits: str = "address=500/minute, feed=6000/minute"
    """Requests of an `address`, of the `feed` apart, tokens of a `credential` and an `organization`; `off`: none."""
    redis_url: str = Field(default="", repr=False)
    """Where nodes and workers count together: redis:// or rediss://. Default: each process counts for itself."""
    github_keys: str = Field(default="", repr=False)
    """GitHub's public keys of secret scanning, JSON as its API gives them. Default: none; its reports get 404."""
    metrics_from: str = "127.0.0.0/8, ::1/128"
    """Networks that may read `/metrics`, separated by commas; an empty value: nobody."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=1, le=LARGEST_PORT)] = 8000
    """Port to listen on."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that serve. More than one is for PostgreSQL; SQLite has one writer at a time."""
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Requests, other than for tokens, that one process works on at a time, beside the feed's waiters."""
    feed_waiters: Annotated[int, Field(ge=0, le=1000)] = 48
    """Requests for the generation feed that one process holds open at a time; each costs a thread."""
    console_idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """Minutes without a request after which a session of the console ends."""
    console_session_hours: Annotated[int, Field(ge=1, le=720)] = 12
    """Hours after which a session of the console ends however it was used."""
    sso_issuer: str = ""
    """OpenID Connect provider where operators may sign in: its issuer, to the letter. Default: none."""
    sso_client_id: str = Field(default="", validate_default=True)
    """What the provider calls this server."""
    sso_client_secret: str = Field(default="", repr=False, validate_default=True)
    """The secret that goes with it."""
    sso_name: Annotated[str, Field(max_length=60)] = "single sign-on"
    """What people call the provider, as on the button that leads there."""
    sso_groups: str = ""
    """Operator roles by group there: platform-team=platform_admin, auditors=auditor. Default: groups mean nothing."""
    sso_groups_claim: Annotated[str, Field(max_length=200)] = "groups"
    """The claim in which the provider says somebody's groups."""
    sso_trust_email: bool = False
    """Whether an address without `email_verified` is believed: only where nobody chooses their own, as at Entra ID."""
    audit_checkpoint_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    """How often the heads of the audit log's chains are signed, when they have moved."""
    audit_retention_days: Annotated[int | None, Field(ge=1, le=36500)] = None
    """Days that audit lines are kept; older ones are pruned, and a signed stub is left. Default: for ever."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe line that is logged."""
    token_log_sample: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of token requests that leave a log line of their own; all of them leave an audit line."""

    webhook_allowed_networks: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """Networks that webhooks may reach beside public ones, in CIDR notation, separated by commas. Default: none."""
    webhook_plain_http: bool = False
    """Whether webhooks may have http:// URLs: only where the network between is trusted."""

    @field_validator("issuer")
    @classmethod
    def _is_a_base_url(cls, text: str) -> str:
        found = _BASE_URL.match(text)
        if text and (found is None or int(found["port"] or 0) > LARGEST_PORT):
            raise ValueError("must be an http or https URL without trailing slash, query, fragment or user")
        return text

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, text: str) -> str:
        if _HOST.match(text) is None:
            raise ValueError("must be an IP address or a host name")
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        try:
            TrustedProxies.parse(networks)
        except InvalidInput as fault:
            raise ValueError(str(fault)) from None
        return networks

    @field_validator("rate_limits")
    @classmethod
    def _are_quotas(cls, text: str) -> str:
        parse_quotas(text)
        return text

    @field_validator("metrics_from")
    @classmethod
    def _are_networks_or_none(cls, text: str) -> str:
        try:
            TrustedProxies.parse(text)
        except InvalidInput as fault:
            raise ValueError(str(fault)) from None
        return text

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if url and _REDIS.match(url) is None:
            raise ValueError("must look like redis://:password@host:6379/0; rediss:// for TLS, unix:// for a socket")
        return url

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_written_as_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Reach.parse(networks)
        except ValueError:
            raise ValueError("must be networks in CIDR notation, such as 10.0.0.0/8, separated by commas") from None
        return networks

    @field_validator("sso_issuer")
    @classmethod
    def _is_an_issuer(cls, text: str) -> str:
        found = _BASE_URL.match(text.removesuffix("/"))
        if text and (found is None or int(found["port"] or 0) > LARGEST_PORT or not is_private(text)):
            raise ValueError("must be an https URL without query, fragment or user, to the letter as the provider says")
        return text

    @field_validator("sso_client_id", "sso_client_secret")
    @classmethod
    def _goes_with_an_issuer(cls, text: str, info: ValidationInfo) -> str:
        if text and _PRINTABLE.match(text) is None:
            raise ValueError("must be plain characters without spaces, as the provider says")
        if "sso_issuer" in info.data and bool(text) != bool(info.data["sso_issuer"]):
            raise ValueError("goes with TOKENSERVER_SSO_ISSUER: set both, or neither")
        return text

    @field_validator("sso_name")
    @classmethod
    def _is_a_name(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("must be a name of printable characters")
        return text

    @field_validator("sso_groups")
    @classmethod
    def _are_groups(cls, text: str) -> str:
        GroupRoles.parse(text)
        return text

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: str) -> str:
        if url.startswith(("postgres://", "postgresql://")):
            return "postgresql+psycopg://" + url.split("://", 1)[1]
        if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return url

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        filled = {name: value for name, value in values.items() if value != "" or name in _MAY_BE_EMPTY}
        if "issuer" not in filled:
            filled["issuer"] = f"http://{_shown(str(filled.get('host', '127.0.0.1')))}:{filled.get('port', 8000)}"
        if "database_url" not in filled:
            filled["database_url"] = f"sqlite:///{Path(str(filled.get('home', 'var'))) / 'tokenserver.db'}"
        return filled

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """What `rate_limits` says."""
        return parse_quotas(self.rate_limits)

    @property
    def metrics_networks(self) -> AllowedIPs | None:
        """What `metrics_from` says; None: nobody."""
        return TrustedProxies.parse(self.metrics_from).networks

    @property
    def group_roles(self) -> GroupRoles:
        """What `sso_groups` says."""
        return GroupRoles.parse(self.sso_groups)

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")


def load(environ: Mapping[str, str] = os.environ, *, dotenv: Path | None = Path(".env"), **given: object) -> Settings:
    """The settings from environment and `.env`; `given` (command-line options) wins. Raises InvalidSettings."""
    values: dict[str, object] = {}
    faults: list[str] = []
    in_file = _said_in(dotenv)
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        for source in (environ, in_file):
            if source.get(variable) or (name in _MAY_BE_EMPTY and variable in source):
                values[name] = source[variable]
                break
            path = source.get(variable + "_FILE")
            if path:
                try:
                    values[name] = Path(path).read_text(encoding="utf-8").strip()
                except (OSError, ValueError):
                    faults.append(f"{variable}_FILE: the file cannot be read")
                else:
                    if not values[name]:  # a secret that was not mounted must not be replaced by a fresh one
                        faults.append(f"{variable}_FILE: the file is empty")
                break
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        settings = Settings.model_validate(values)
    except ValidationError as fault:
        faults += [
            f"{PREFIX}{'_'.join(map(str, e['loc'][:1])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in fault.errors()
            if e["loc"][:1] != ("issuer",) or "issuer" in values  # one that was made up of a faulty port is no second
        ]
    if faults:
        raise InvalidSettings("\n".join(faults))
    return settings


def unknown_variables(environ: Mapping[str, str] = os.environ, *, dotenv: Path | None = Path(".env")) -> list[str]:
    """Variables with our prefix that mean nothing, here or in `.env`: most likely misspelt."""
    known = {name.upper() for name in Settings.model_fields} | _OF_THE_COMMAND_LINE
    return sorted(
        name
        for name in {*environ, *_said_in(dotenv)}
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).removesuffix("_FILE") not in known
    )


def _said_in(dotenv: Path | None) -> Mapping[str, str | None]:
    return dotenv_values(dotenv) if dotenv is not None and dotenv.is_file() else {}


def leads_others_astray(settings: Settings) -> bool:
    """Whether other machines reach the server while its issuer, where every link begins, is their own machine."""
    listens_on = f"http://[{settings.host}]:" if ":" in settings.host else f"http://{settings.host}:"
    return _LOOPBACK.match(settings.issuer) is not None and _LOOPBACK.match(listens_on) is None
