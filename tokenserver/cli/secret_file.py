"""Where does a secret go that is seen once? Into a file that only its owner can read, which is there before it is made.

A secret that cannot be written down is lost, and regenerating it ends tokens. So the place is made ready *before* the
server is asked: a temporary file beside the target, mode 0600, with room for the secret. Then the secret is written,
synced, and put in place in one step: without `--overwrite` a file that is there is never replaced, and with it, whoever
reads the file sees the old secret or the new one. If that last step fails, the secret stays in the temporary file, and
the message names it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenserver.cli.failures import Exit, Failure, usage

_ROOM = 4096


class SecretPlace:
    """A file that is ready to take a secret."""

    def __init__(self, path: Path, *, overwrite: bool, room: int = _ROOM) -> None:
        self.path = path
        self._overwrite = overwrite
        self._refuse_taken()
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)  # mode 0600
            self._file, self._temporary = os.fdopen(handle, "wb"), Path(name)
        except OSError as fault:
            raise usage(f"{path} cannot be written: {fault.strerror}.") from None
        try:
            self._write(b"\n" * room)
        except OSError as fault:
            self.give_up()
            raise usage(f"{path} cannot be written: {fault.strerror}.") from None
        self.filled = False

    def keep(self, secret: str) -> None:
        """Write the secret down; raises Failure that says where it is if it cannot be put in place."""
        try:
            self._file.seek(0)
            self._write(secret.encode("utf-8", "surrogatepass") + b"\n")
            self._file.truncate()
            os.fsync(self._file.fileno())
        except OSError as fault:  # the room was there, so that this is a disk that fails
            raise Failure(
                Exit.NO,
                f"{self.path} could not be written ({fault.strerror}): nobody has the new secret. Regenerate it.",
            ) from None
        self._file.close()
        self.filled = True
        try:
            if not self._overwrite:  # take the name, which fails if somebody else has it by now
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._temporary.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as fault:
            raise Failure(
                Exit.NO, f"{self.path} could not be written ({fault.strerror}); the secret is in {self._temporary}."
            ) from None

    def give_up(self) -> None:
        """Nothing was made: leave nothing behind."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._file.flush()

    def _refuse_taken(self) -> None:
        if self.path.is_dir():
            raise usage(f"{self.path} is a folder: name a file.")
        if not self._overwrite and os.path.lexists(self.path):
            raise usage(f"{self.path} is there already: name another file, or say --overwrite.")


@contextmanager
def secret_place(path: Path | None, *, overwrite: bool, room: int = _ROOM) -> Iterator[SecretPlace | None]:
    """A place that is ready, and that leaves nothing behind unless it was filled; None where no file is asked for."""
    if path is None:
        yield None
        return
    place = SecretPlace(path, overwrite=overwrite, room=max(room, _ROOM))
    try:
        yield place
    finally:
        if not place.filled:
            place.give_up()


def write_private(path: Path, text: str) -> None:
    """Replace a file of ours as a whole, mode 0600."""
    with secret_place(path, overwrite=True) as place:
        if place is not None:
            place.keep(text.removesuffix("\n"))


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not everywhere can a folder be synced
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
