"""Which server is meant, and as whom? Everything from one place: an address never meets the secret of another.

1. `--profile NAME` (or `TOKENSERVER_PROFILE`): that profile;
2. else the environment, if any of `TOKENSERVER_URL`, `TOKENSERVER_CLIENT_ID`, `TOKENSERVER_CLIENT_SECRET` is set: it
   must have all three, each of which may be `…_FILE`, the name of a file that holds it;
3. else the profile `default`.

Plain http is for this machine only, unless `login --allow-http` or `TOKENSERVER_ALLOW_HTTP=1` says otherwise: the
secret would pass in clear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tokenserver.cli.failures import usage
from tokenserver.cli.profiles import DEFAULT, Profile, Profiles, read_secret
from tokenserver.domain.origins import is_this_machine
from tokenserver.domain.secret import Secret

_PREFIX = "TOKENSERVER_"
_NAMES = ("URL", "CLIENT_ID", "CLIENT_SECRET")
_PLAIN = re.compile(r"[!-~]+\Z")


@dataclass(frozen=True, slots=True)
class Connection:
    url: str
    client_id: str
    secret: Secret = field(repr=False)


def connection(profile_name: str | None, environment: Mapping[str, str]) -> Connection:
    """Where to go and as whom; raises Failure with what is missing."""
    profiles = Profiles(environment)
    name = profile_name or environment.get(f"{_PREFIX}PROFILE")
    if name is None and any(given(environment, one) for one in _NAMES):
        return _of_environment(environment)
    profile = profiles.get(name or DEFAULT)
    if profile is None:
        raise usage(
            f"There is no profile {name}." if name else "It is not known which server is meant.",
            f"Run `tokenserver login`, or set {', '.join(_PREFIX + one for one in _NAMES)}.",
        )
    return _of_profile(profile, profiles)


def url_alone(profile_name: str | None, environment: Mapping[str, str]) -> str | None:
    """The address of the server that is meant, for what needs no credential; None where none is known."""
    if profile_name is None and given(environment, "URL"):
        return checked_url(value_of(environment, "URL") or "", allow_http=allows_http(environment))
    profile = Profiles(environment).get(profile_name or environment.get(f"{_PREFIX}PROFILE") or DEFAULT)
    return None if profile is None else checked_url(profile.url, allow_http=profile.allow_http)


def given(environment: Mapping[str, str], name: str) -> bool:
    """Whether `TOKENSERVER_<name>` or its file is set."""
    return bool(environment.get(_PREFIX + name) or environment.get(f"{_PREFIX}{name}_FILE"))


def value_of(environment: Mapping[str, str], name: str) -> str | None:
    """The value of `TOKENSERVER_<name>`, or what the file holds that `…_FILE` names."""
    value, file = environment.get(_PREFIX + name), environment.get(f"{_PREFIX}{name}_FILE")
    if value and file:
        raise usage(f"{_PREFIX}{name} and {_PREFIX}{name}_FILE are both set: set one of them.")
    return read_secret(Path(file)) if file else value or None


def checked_url(url: str, *, allow_http: bool) -> str:
    """The address of a server, without the slash at its end; raises Failure on anything else."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not _PLAIN.match(url) or parts.scheme not in {"http", "https"} or not host or {"@", "?", "#"} & set(url):
        raise usage("The URL of the server must be like https://auth.example.com, without user, query and fragment.")
    if parts.scheme == "http" and not allow_http and not is_this_machine(host):
        raise usage(
            "Over plain http the secret could be read on the way: give the https address of the server.",
            "For a test set-up: `login --allow-http`, or TOKENSERVER_ALLOW_HTTP=1.",
        )
    return url.rstrip("/")


def allows_http(environment: Mapping[str, str]) -> bool:
    return environment.get(f"{_PREFIX}ALLOW_HTTP", "").lower() in {"1", "true", "yes"}


def _of_environment(environment: Mapping[str, str]) -> Connection:
    values = {name: value_of(environment, name) for name in _NAMES}
    missing = [_PREFIX + name for name, value in values.items() if not value]
    if missing:
        raise usage(f"{' and '.join(missing)} must be set too, or none of {', '.join(_PREFIX + n for n in _NAMES)}.")
    url, client_id, secret = (values[name] or "" for name in _NAMES)
    return Connection(checked_url(url, allow_http=allows_http(environment)), client_id, Secret(secret))


def _of_profile(profile: Profile, profiles: Profiles) -> Connection:
    url = checked_url(profile.url, allow_http=profile.allow_http)
    return Connection(url, profile.client_id, Secret(profiles.secret_of(profile)))
