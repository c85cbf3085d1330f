"""How does a command fail? One exit code for each kind of failure, and a sentence that says what to do.

    0  done
    1  the answer is no (`token inspect`), or something unexpected happened
    2  what was typed, or a file that was named, is not right; also 400, 413, 415 and 422 of the server
    3  refused: the credential is not accepted, or may not do this (401, 403)
    4  there is no such thing (404)
    5  it conflicts with the present state, or has changed meanwhile (409, 412, 428)
    6  the server cannot be reached, or cannot answer now (429, 5xx): the same may succeed later
    7  not confirmed
    130  interrupted; 141  whoever read the output has gone

Sentences go to standard error. What comes from a server passes `clean`, since it may try to steer the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import IO, Any

import click

from tokenserver.cli.screen import clean
from tokenserver.errors import InsufficientScope, InvalidClient


class Exit(IntEnum):
    """The exit codes; never renumbered."""

    NO = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    NOT_CONFIRMED = 7
    INTERRUPTED = 130
    READER_GONE = 141


class Failure(click.ClickException):
    """Ends the command with `exit_code` and lines on standard error."""

    def __init__(self, code: Exit, *lines: str) -> None:
        self.exit_code = int(code)  # type: ignore[misc]  # click reads it from the instance
        super().__init__("\n".join(lines))

    def show(self, file: IO[Any] | None = None) -> None:
        text = "\n".join(clean(line) for line in self.message.split("\n"))
        click.echo(text, file=file, err=file is None)


class Problem(Failure):
    """The server said no: its status, its code, and its faulty fields as (pointer, hint)."""

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: str | None = None) -> None:
        self.status = status
        self.code = str(document.get("code") or document.get("error") or "")
        self.faults = tuple(_faults(document))
        self._said = str(document.get("title") or document.get("error_description") or f"The server answered {status}.")
        self._advice = tuple(_advice(status, self.code, document, retry_after))
        faults = (f"  {pointer or '/'}: {hint}" for pointer, hint in self.faults)
        super().__init__(exit_of(status), self._said, *faults, *self._advice)

    def naming(self, place_of: Callable[[str], str]) -> Failure:
        """The same failure, with each faulty field named as whoever typed it knows it."""
        faults = (f"  {place_of(pointer)}: {_in_commands(hint)}" for pointer, hint in self.faults)
        return Failure(Exit(self.exit_code), self._said, *faults, *self._advice)


ADVICE = {
    "invalid_client": (
        "Check the client ID and where its secret comes from; was it regenerated? `tokenserver login` stores another."
    ),
    "unauthorized_client": "The credential may not be used from this address: have its allowed addresses changed.",
    "invalid_target": "The credential has no grant there: for managing it needs one at urn:tokenserver:admin.",
    "insufficient_scope": "The credential lacks a scope at urn:tokenserver:admin that this command needs.",
    "still_held": "Take it from them first, or say --cascade: every token of theirs ends then.",
    "precondition_failed": "Look at it again with `show`, and repeat the command.",
    "method_not_allowed": "This server is too old for this command.",
}
_SAYS_NO_MORE = {"invalid_client": InvalidClient.public, "insufficient_scope": InsufficientScope.public}
"""Where the server gives its reason, advice that guesses at one would mislead."""
_ADVICE_BY_STATUS = {
    404: "Check the ID; `list` shows those there are. An older server may not know the command.",
    429: "Too many requests from here: wait a little.",
}
_COMMANDS = {
    "POST /v1/apis": "`tokenserver api create`",
    "POST /v1/roles": "`tokenserver role create`",
    "POST /v1/projects": "`tokenserver project create`",
}
_BY_STATUS = {
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    405: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    428: Exit.CONFLICT,
    408: Exit.UNAVAILABLE,
    429: Exit.UNAVAILABLE,
}


def exit_of(status: int) -> Exit:
    """The exit code for an answer that is no success."""
    if status >= 500:
        return Exit.UNAVAILABLE
    return _BY_STATUS.get(status, Exit.USAGE)


def _advice(status: int, code: str, document: Mapping[str, Any], retry_after: str | None) -> Iterator[str]:
    held = document.get("client_ids")
    if isinstance(held, list) and held:
        yield f"Held by {document.get('count', len(held))}: {', '.join(map(str, held))}."
    said = document.get("title") or document.get("error_description")
    general = ADVICE.get(code) if said == _SAYS_NO_MORE.get(code, said) else None
    advice = general or ("" if "error" in document else _ADVICE_BY_STATUS.get(status))
    if advice:
        yield advice
    if retry_after:
        yield f"Try again after {retry_after} seconds."
    if document.get("request_id"):
        yield f"(Request {document['request_id']}: the server's log and audit log know it by this.)"


def _faults(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    errors = document.get("errors")
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return [(str(one.get("pointer", "")), str(one.get("detail", "Is not valid."))) for one in found]


def _in_commands(hint: str) -> str:
    """The server tells what to do by its requests; here commands make them."""
    for request, command in _COMMANDS.items():
        hint = hint.replace(request, command)
    return hint


def usage(*lines: str) -> Failure:
    """What was typed, or a file that was named, is not right."""
    return Failure(Exit.USAGE, *lines)


def unavailable(*lines: str) -> Failure:
    """The server cannot be reached, or its answer cannot be read."""
    return Failure(Exit.UNAVAILABLE, *lines)
