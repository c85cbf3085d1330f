"""What does a page weigh that has much on it? Style and script included, every byte that travels to a browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest

from app.console.rendering import assets
from app.inputs.fields import MOST_SCOPES
from tests.support.console import Browser, hidden_fields, signed_in
from tests.support.console_table import pages, path_of
from tests.support.server import Server, serving

MOST = 150_000
MOST_PLAIN = 190_000
"""Where it is not compressed, such as by a link on another site (`packing`)."""
PACKED = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
ASSETS = sum(
    len(assets()[name].compressed)
    for name in ("pico.indigo.min.css", "console.css", "htmx.min.js", "console.js", "passkeys.js", "icon.svg")
)
RANGES = ", ".join(f"198.51.{n}.0/26, 2001:db8:{n:x}::/64" for n in range(32))
WORDS = ["reads", "changes", "lists", "exports", "the", "a", "of", "every", "ledger", "invoice", "report", "shipment"]


@pytest.fixture(scope="module")
def crowded(installed, tmp_path_factory) -> Iterator[Server]:
    with serving(installed, tmp_path_factory.mktemp("crowded")) as server:
        yield server


@pytest.fixture(scope="module")
def ids(crowded) -> dict[str, str]:
    """Much of everything; one of each by the name that paths have for it."""
    grants, made = [], {}
    for number in range(20):
        scopes = twenty_scopes()
        audience = f"https://service-{number}.api.example.com"
        made["api_id"] = add(crowded, "/v1/apis", audience=audience, name=said(60, number), scopes=scopes)
        grants.append({"audience": audience, "access": "custom", "scopes": [one["name"] for one in scopes]})
    roles = [f"administrator_of_region_{n}" for n in range(100)]
    for role in roles:
        made["role_id"] = add(crowded, "/v1/roles", name=role, description=said(60, 1))
    for number in range(50):
        project = f"project-{number}-of-the-great-modernization"
        made["project_id"] = add(crowded, "/v1/projects", name=project, description=said(200, 2))
    for number in range(12):
        made["organization_id"] = add(crowded, "/v1/organizations", name=f"{number} {said(90, number)}")
    for number in range(30):
        person = {"email": f"person-{number}@example.com", "name": said(60, number), "role": "admin"}
        made["operator_id"] = add(crowded, "/v1/operators", **person, roles=roles, grants=grants)
    for number in range(5):
        url = f"https://hooks.example.com/{number}"
        made["webhook_id"] = add(crowded, "/v1/webhooks", url=url, events=["*"], description=said(300, number))
    terms = {"roles": roles, "allowed_ips": RANGES, "project": project}
    for number in range(50):
        add(crowded, "/v1/credentials", name=f"{number} {said(90, number)}", **terms)
    made["client_id"] = add(crowded, "/v1/credentials", name=said(90, 4), grants=grants, **terms)
    for turn in range(20):  # what the log tells of a change is long
        change(crowded, made["client_id"], grants=grants[turn % 2 :], description=said(900, turn))
    (made["kid"],) = [key["kid"] for key in crowded.call("GET", "/.well-known/jwks.json").get_json()["keys"]]
    return made


def add(server: Server, path: str, **body: object) -> str:
    """Returns its ID."""
    answer = server.call("POST", path, body)
    assert answer.status_code in {201, 202}, answer.text
    told = answer.get_json()
    return str(told.get("id") or told["client_id"])


def change(server: Server, client_id: str, **body: object) -> None:
    version = server.call("GET", f"/v1/credentials/{client_id}").headers["ETag"]
    assert server.call("PATCH", f"/v1/credentials/{client_id}", body, if_match=version).status_code == 200


def twenty_scopes() -> list[dict[str, object]]:
    return [
        {
            "name": f"things-{n}:{access}",
            "access": access,
            "sensitive": n % 7 == 3,
            "description": said(30, n),
        }
        for n, access in enumerate(["read", "write"] * 10)
    ]


@pytest.fixture(scope="module")
def visitor(crowded, ids) -> Browser:
    return signed_in(crowded)


def said(length: int, seed: int) -> str:
    """A text of so many letters."""
    found = [WORDS[(seed * 7 + n * n + n) % len(WORDS)] for n in range(length // 4 + 1)]
    return " ".join(found)[:length].strip()


def test_no_page_weighs_too_much(crowded, visitor, ids):
    found, plain = {}, {}
    for page in pages(crowded):
        if page.method == "GET" and not page.open and page.name != "audit_file":
            path = path_of(page, ids)
            found[page.name] = len(visitor.client.get(f"/console{path}", headers=PACKED).data) + ASSETS
            plain[page.name] = len(visitor.open(path).data) + ASSETS
            assert visitor.page is not None
            assert visitor.page.status_code in {200, 404}, page.name
    assert len(found) > 50
    assert {name: size for name, size in found.items() if size >= MOST} == {}
    assert {name: size for name, size in plain.items() if size >= MOST_PLAIN} == {}


def test_what_a_change_asks_before_it_is_saved_does_not_either(visitor, ids):
    path = f"/credentials/{ids['client_id']}/edit"
    fields: dict[str, list[str]] = {"name": ["another"], "allowed_ips": ["192.0.2.1"]}
    page = visitor.open(path).text
    for name, value in re.findall(r'<input type="checkbox" name="(scopes:[^"]*)" value="([^"]*)" checked>', page):
        fields.setdefault(name, []).append(value)
    answer = visitor.send(f"{path}/review", {**fields, "version": hidden_fields(page)["version"]})
    assert answer.status_code == 200
    assert answer.text.count('name="scopes:') >= 380
    assert len(answer.data) + ASSETS < MOST_PLAIN


def test_lists_of_scopes_that_are_as_long_as_may_be_travel_in_a_fraction_of_it(crowded, visitor):
    scopes = [{"name": f"{n}-{said(60, n).replace(' ', '-')}", "description": said(200, n)} for n in range(MOST_SCOPES)]
    api = {"audience": "https://largest.example.com", "name": "Largest"}
    api_id = add(crowded, "/v1/apis", **api, scopes=[{"access": "read", **one} for one in scopes])
    for path in (f"/apis/{api_id}", f"/apis/{api_id}/edit", "/credentials/new", "/operators/new"):
        answer = visitor.client.get(f"/console{path}", headers=PACKED)
        assert scopes[-1]["name"] in gzip.decompress(answer.data).decode()
        assert len(answer.data) + ASSETS < MOST, path
