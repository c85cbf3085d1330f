"""How are things kept that must come back in clear, such as private keys?

Envelope encryption: each value is sealed with AES-256-GCM under a data key of its own, and the data key is wrapped by
the key-encryption key (AES key wrap, RFC 3394). What a value is for is authenticated with it, so that a sealed value
cannot be moved to another row. Layout: 1 byte version, 40 bytes wrapped data key, 12 bytes nonce, ciphertext with
tag.

The embedded default keeps `pepper` and `kek` as files of 32 random bytes in base64 under TOKENSERVER_HOME, mode 0600,
made at first start. They must be backed up apart from the database, and must be settings where there are many nodes.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from app.settings import InvalidSettings, Settings

_VERSION = b"\x01"
_WRAPPED, _NONCE = 40, 12


class CannotUnseal(Exception):
    """The key-encryption key is not the one the value was sealed with, or the value was altered."""


class Sealer:
    """Seals and unseals under one key-encryption key of 32 bytes."""

    def __init__(self, kek: bytes) -> None:
        self._kek = kek[:32]

    def seal(self, clear: bytes, purpose: str) -> bytes:
        data_key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE)
        wrapped = aes_key_wrap(self._kek, data_key)
        return _VERSION + wrapped + nonce + AESGCM(data_key).encrypt(nonce, clear, purpose.encode())

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Raises CannotUnseal."""
        wrapped, rest = sealed[1 : 1 + _WRAPPED], sealed[1 + _WRAPPED :]
        if sealed[:1] != _VERSION:
            raise CannotUnseal
        try:
            data_key = aes_key_unwrap(self._kek, wrapped)
            return AESGCM(data_key).decrypt(rest[:_NONCE], rest[_NONCE:], purpose.encode())
        except (InvalidUnwrap, InvalidTag, ValueError):
            raise CannotUnseal from None


def pepper_key(settings: Settings) -> bytes:
    """The pepper from the settings or from its file, which is made at first start."""
    return settings.pepper or _kept_in(settings.home / "pepper")


def key_encryption_key(settings: Settings) -> bytes:
    """The key-encryption key from the settings or from its file, which is made at first start."""
    return settings.kek or _kept_in(settings.home / "kek")


def _kept_in(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise InvalidSettings(f"{path} can be read by others: chmod 600 it")
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) < 32:
        raise InvalidSettings(f"{path} is damaged: restore it from a backup")
    return key


def _make(path: Path) -> None:
    """Written whole or not at all, and only once, however many processes start at the same moment."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # what is sealed or hashed under the key must not be on the disk before it
    finally:
        os.close(folder)
