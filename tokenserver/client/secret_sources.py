"""Where does the secret come from? A value, the environment, a file or a callable, asked anew for every request.

What is asked anew needs no watcher: whoever changes the variable, replaces the file or makes the callable return
another secret has told the app. Nothing is remembered here, so that nothing old can be used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from tokenserver.client.failures import SecretUnreadable
from tokenserver.client.secret_file import checked_secret, read_secret
from tokenserver.domain.secret import Secret

VARIABLE: Final = "TOKENSERVER_CLIENT_SECRET"
"""Read where no secret is given; `…_FILE` names a file instead."""

GivenSecret = str | os.PathLike[str] | Callable[[], str] | None
SecretSource = Callable[[], Secret]
"""The secret as it is now; raises SecretUnreadable."""


def secret_source(given: GivenSecret) -> SecretSource:
    """Text is the secret itself, a path names a file; raises ValueError or TypeError on what can be neither."""
    if given is None:
        return _from_environment
    if isinstance(given, str):
        return _value(given)
    if isinstance(given, os.PathLike):
        return lambda: read_secret(given)
    if callable(given):
        return lambda: _called(given)
    raise TypeError("client_secret is text, a path (pathlib.Path), a callable, or None for the environment")


def file_of(given: GivenSecret) -> str | os.PathLike[str] | None:
    """The file that the secret is read from, if it is one."""
    if given is None and not os.environ.get(VARIABLE):
        return os.environ.get(f"{VARIABLE}_FILE") or None
    return given if isinstance(given, os.PathLike) else None


def _value(text: str) -> SecretSource:
    if os.path.isabs(text) and os.path.exists(text):  # noqa: PTH110, PTH117  these take any text, however odd
        raise ValueError("client_secret is the secret itself, and this is a file: pass pathlib.Path(…) to have it read")
    try:
        secret = checked_secret(text, "client_secret")
    except SecretUnreadable as fault:
        told = fault.public
    else:
        return lambda: secret
    raise ValueError(told)


def _from_environment() -> Secret:
    text, path = os.environ.get(VARIABLE), os.environ.get(f"{VARIABLE}_FILE")
    if text:
        return checked_secret(text.strip(), f"the variable {VARIABLE}")
    if path:
        return read_secret(path)
    raise SecretUnreadable(f"There is no secret: set {VARIABLE} or {VARIABLE}_FILE, or pass client_secret.")


def _called(given: Callable[[], str]) -> Secret:
    try:
        text = given()
    except Exception as fault:  # noqa: BLE001  somebody else's code; its text may hold anything, its type does not
        told = type(fault).__name__
    else:
        return checked_secret(text, "what the callable returned")
    raise SecretUnreadable(f"The callable for the secret raised {told}.")
