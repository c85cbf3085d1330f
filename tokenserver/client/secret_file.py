"""How is a secret kept in a file? Read whole at every use, and replaced whole or not at all.

Reading follows links each time, so that a file that was replaced and a secret mounted by Kubernetes (a link to a folder
that is exchanged) are seen as they are now. White space around the secret does not belong to it: editors and `echo` end
files with a new line.

Writing never shows half a secret to a reader and never loses one to a crash: a new file beside the old one, readable by
its owner only (0600) from its first moment, is flushed to disk, then renamed over the old one, and the folder is
flushed as well. Where the path is a link, the file behind it is replaced, and the link stays. The file belongs to whom
the writing process runs as.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from tokenserver.client.failures import SecretUnreadable
from tokenserver.domain.secret import Secret

LARGEST_FILE: Final = 64 * 1024
"""Bytes: a longer file is another file, named by mistake."""


def read_secret(path: str | os.PathLike[str]) -> Secret:
    """The secret in the file, as it is now; raises SecretUnreadable."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise SecretUnreadable("The secret file is not there.") from None
    except OSError as fault:
        raise SecretUnreadable(f"The secret file cannot be read ({type(fault).__name__}).") from None
    if len(content) > LARGEST_FILE:
        raise SecretUnreadable("The secret file is too long to hold a secret: is it the right one?")
    try:
        return checked_secret(content.decode("utf-8-sig").strip(), "the secret file")
    except UnicodeDecodeError:
        pass
    raise SecretUnreadable("The secret file is not text in UTF-8.")


def checked_secret(text: object, place: str) -> Secret:
    """A secret that can be sent; raises SecretUnreadable, without it."""
    if not isinstance(text, str):
        raise SecretUnreadable(f"What {place} holds is not text, but of type {type(text).__name__}.")
    if not text:
        raise SecretUnreadable(f"There is no secret: {place} is empty.")
    if not text.isprintable():
        raise SecretUnreadable(f"What {place} holds is not a secret: it has line breaks or control characters in it.")
    return Secret(text)


def write_secret(path: str | os.PathLike[str], secret: str) -> None:
    """Replace what is in the file, atomically and durably; raises OSError, and then nothing has changed."""
    target = Path(path).resolve()
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret.encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
