"""Where is remembered which server is meant? Profiles in the user's configuration folder, readable by nobody else.

`$XDG_CONFIG_HOME/tokenserver/profiles.json` (by default `~/.config/tokenserver/…`) holds, by name, the URL, the client
ID, and the file in which the secret is; never the secret. A secret that `login` was given is in `NAME.secret` beside
it, mode 0600, and is not used when others could read it. Files are replaced as a whole, so that none is half-written.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenserver.cli.failures import Exit, Failure, usage
from tokenserver.cli.secret_file import write_private

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Profile:
    url: str
    client_id: str
    secret_file: str
    allow_http: bool = False


class Profiles:
    """The profiles of this user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        base = environment.get("XDG_CONFIG_HOME", "")
        self.folder = (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "tokenserver"  # noqa: PTH117
        self._file = self.folder / "profiles.json"

    def get(self, name: str) -> Profile | None:
        """The profile, if there is one by this name."""
        return self.all().get(name)

    def all(self) -> dict[str, Profile]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            return {name: _profile(found) for name, found in document["profiles"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise usage(f"{self._file} cannot be read: mend or remove it, then `tokenserver login`.") from None

    def own_secret_file(self, name: str) -> Path:
        """Where the secret of a profile is kept that was typed or piped in."""
        return self.folder / f"{name}.secret"

    def put(self, name: str, profile: Profile) -> None:
        self._write({**self.all(), name: profile})

    def remove(self, name: str) -> bool:
        """Forget a profile, and the secret if it was kept here."""
        kept = self.all()
        if kept.pop(name, None) is None:
            return False
        self._write(kept)
        self.own_secret_file(name).unlink(missing_ok=True)
        return True

    def secret_of(self, profile: Profile) -> str:
        path = Path(profile.secret_file)
        if path.parent == self.folder:
            _refuse_shared(path)
        return read_secret(path)

    def make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write(self, profiles: Mapping[str, Profile]) -> None:
        self.make_folder()
        document = {"profiles": {name: asdict(profile) for name, profile in sorted(profiles.items())}}
        write_private(self._file, json.dumps(document, indent=2) + "\n")


def checked_name(name: str) -> str:
    """A name that is a file's as well."""
    if _NAME.match(name) is None:
        raise ValueError("write up to 64 letters, digits and _ . -, beginning with a letter or a digit.")
    return name


def read_secret(path: Path) -> str:
    """What a file holds, without the line break at its end."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "not text"
        raise usage(f"The file of the secret, {path}, cannot be read: {why}.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _profile(found: Mapping[str, Any]) -> Profile:
    url, client_id, secret_file = found["url"], found["client_id"], found["secret_file"]
    if not all(isinstance(text, str) for text in (url, client_id, secret_file)):
        raise TypeError
    return Profile(url, client_id, secret_file, found.get("allow_http") is True)


def _refuse_shared(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # reading it says what is wrong
    if os.name == "posix" and mode & 0o077:
        raise Failure(Exit.USAGE, f"Others can read the secret in {path}: chmod 600 it, and have it regenerated.")
