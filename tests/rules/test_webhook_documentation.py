"""What docs/webhooks.md tells receivers: its examples believe what we send and nothing else, and its lists are ours."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from app.services.posting import TOTAL_SECONDS
from app.services.webhook_secrets import new_webhook_secret, signed_headers
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.webhook import LONGEST_PAUSE, RETRIED_FOR, SHORTEST_PAUSE, TWO_SIGNATURES_FOR, event_types

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
BODY = '{"type":"credential.disabled","data":{"credential":"tsc_x"}}'


def example(kind: str) -> str:
    found = re.search(rf"<!-- example: {kind} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def by_library(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {"secret": secret, "__name__": "receiver"}
    exec(example("library"), names)  # noqa: S102
    return Client(names["app"]).post("/tokenserver", data=body, headers=headers).status_code == 204


def by_hand(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(example("plain"), names)  # noqa: S102
    return bool(names["is_genuine"](secret, headers, body))


OLD, NEW = new_webhook_secret(), new_webhook_secret()
both = pytest.mark.parametrize("believes", [by_library, by_hand])


@both
def test_the_examples_believe_what_we_send(believes, capsys):
    headers = signed_headers("evt_1", time.time(), BODY, [NEW, OLD])
    assert believes(NEW.reveal(), headers, BODY.encode())
    assert believes(OLD.reveal(), headers, BODY.encode())


@both
def test_the_examples_believe_nothing_else(believes):
    headers = signed_headers("evt_1", time.time(), BODY, [NEW])
    secret, body = NEW.reveal(), BODY.encode()
    assert not believes(OLD.reveal(), headers, body)
    assert not believes(secret, headers, body + b" ")
    assert not believes(secret, {**headers, "webhook-id": "evt_2"}, body)
    assert not believes(secret, signed_headers("evt_1", time.time() - HOUR, BODY, [NEW]), body)
    for name in headers:
        assert not believes(secret, {other: value for other, value in headers.items() if other != name}, body)
        assert not believes(secret, {**headers, name: "x"}, body)


def test_the_list_of_events_is_the_one_of_the_code():
    written = PAGE.partition("<!-- events -->\n")[2].partition("\n<!-- /events -->")[0]
    lines: dict[str, list[str]] = {}
    for type_ in event_types():
        lines.setdefault(type_.partition(".")[0], []).append(f"`{type_}`")
    expected = "\n".join(f"- {', '.join(types)}" for types in lines.values())
    assert written == expected, f"it should be:\n{expected}"


def test_the_numbers_are_those_of_the_code():
    assert (TOTAL_SECONDS, RETRIED_FOR, LONGEST_PAUSE, SHORTEST_PAUSE) == (10, 3 * DAY, 6 * HOUR, 5)
    assert TWO_SIGNATURES_FOR == 24 * HOUR
