"""Does `apply` make a real server be as a file says, once, and lose no secret on the way?"""

from __future__ import annotations

import stat

import pytest

from tests.support.terminals import in_a_terminal
from tokenserver.cli.carrying_out import carry_out

FILE = """\
version: 1
apis:
  - audience: {audience}
    name: Shop
    scopes: [orders:read=read, orders:write=write]
roles:
  - name: {role}
credentials:
  - name: {name} shop
    roles: [{role}]
    grants: ["{audience}=orders:read,orders:write"]
    allowed_ips: 127.0.0.0/8
  - name: {name} stock
    grants: [{{audience: "{audience}", access: all_read}}]
    disabled: true
"""


@pytest.fixture
def declared(terminal, request):
    """A file with names of its own, and what writes it anew with something replaced."""
    name = request.node.name[:40].replace("[", "-").replace("]", "")
    text = FILE.format(audience=f"https://{name.replace('_', '-')}.example.com", role=f"role_{name}", name=name)

    def written(*replaced):
        changed = text
        for before, after in replaced:
            assert before in changed
            changed = changed.replace(before, after)
        (terminal.home / "f.yaml").write_text(changed)
        return name

    written()
    return written


APPLY = ("apply", "-f", "f.yaml")
FIRST = (*APPLY, "--secrets-dir", "secrets")


def deeds(told):
    return [(step["deed"], step["kind"]) for step in told["steps"]]


def test_a_plan_does_nothing(terminal, declared):
    told = terminal.json(*APPLY, "--plan")
    assert deeds(told) == [("create", kind) for kind in ("api", "role", "credential", "credential")]
    assert told == terminal.json(*APPLY, "--plan")
    assert not (terminal.home / "secrets").exists()


def test_it_is_done_once_and_the_secrets_are_in_files_that_work(terminal, world, declared):
    name = declared()
    told = terminal.run(*FIRST)
    assert told.returncode == 0, told
    assert "tss_" not in told.stdout + told.stderr
    folder = terminal.home / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = sorted(folder.glob("*.client_secret"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600] * 4
    answers = []
    for path in secrets:
        client_id = path.with_suffix(".client_id").read_text().strip()
        answers.append(world.ask(client_id, path.read_text().strip()).status_code)
    assert sorted(answers) == [200, 401]  # the second one is disabled
    again = terminal.json(*APPLY)
    assert (again["changes"], again["created"], {step["deed"] for step in again["steps"]}) == (0, [], {"unchanged"})
    assert f"= credential {name} shop" in terminal.ok(*APPLY)


def test_new_credentials_need_a_place_for_their_secrets_before_anything_is_done(terminal, declared):
    assert "--secrets-dir" in terminal.refused(2, *APPLY)
    assert deeds(terminal.json(*APPLY, "--plan"))[0] == ("create", "api")


def test_what_narrows_is_marked_asked_about_and_done_in_an_order_that_works(terminal, world, declared):
    declared()
    terminal.ok(*FIRST)
    path = next((terminal.home / "secrets").glob("*shop*.client_secret"))
    client_id, secret = path.with_suffix(".client_id").read_text().strip(), path.read_text().strip()
    assert world.ask(client_id, secret).status_code == 200
    declared(("orders:read,orders:write", "orders:read"), (", orders:write=write]", "]"))
    done = terminal.run(*APPLY)
    assert (done.returncode, "ENDS TOKENS" in done.stdout, "--yes" in done.stderr) == (2, True, True)
    before = terminal.json("credential", "show", client_id)
    told = terminal.json(*APPLY, "--yes")
    ending = [(step["kind"], step["done"]) for step in told["steps"] if step["ends_tokens"]]
    assert ending == [("credential", True), ("api", True)]
    assert terminal.json("credential", "show", client_id)["generation"] == before["generation"] + 1
    assert terminal.json(*APPLY)["changes"] == 0


def test_a_person_is_asked_before_something_ends(terminal, declared):
    declared()
    terminal.ok(*FIRST)
    declared(("127.0.0.0/8", "127.0.0.1"))
    code, shown = in_a_terminal(
        ["apply", "-f", str(terminal.home / "f.yaml")], terminal.of_a_process(), keys=[("to go on", "no\n")]
    )
    assert (code, "Nothing was done." in shown) == (7, True)
    assert terminal.json(*APPLY, "--plan")["changes"] == 1


def test_widening_and_switching_on_ask_nobody(terminal, declared):
    declared()
    terminal.ok(*FIRST)
    declared(("127.0.0.0/8", "127.0.0.0/8, 192.0.2.0/24"), ("disabled: true", "disabled: false"))
    told = terminal.json(*APPLY)
    assert [step["changes"][0]["member"] for step in told["steps"] if step["changes"]] == ["allowed_ips", "disabled"]
    assert terminal.json(*APPLY)["changes"] == 0


def test_a_refusal_of_the_server_names_the_line_and_what_was_done_is_told(terminal, declared):
    name = declared(("    allowed_ips: 127.0.0.0/8\n", "    token_lifetime: 5\n"))
    done = terminal.run(*FIRST, "--output", "json")
    assert done.returncode == 2
    assert f"f.yaml:12: credential {name} shop, token_lifetime: Must be at least 60." in done.stderr
    assert '"done": true' in done.stdout
    assert list((terminal.home / "secrets").iterdir()) == []
    declared()
    assert terminal.json(*FIRST)["changes"] == 2


def test_scopes_that_others_hold_go_with_cascade_only(terminal, world, declared):
    declared()
    terminal.ok(*FIRST)
    audience = terminal.json(*APPLY, "--plan")["steps"][0]["name"]
    other = terminal.json("credential", "create", "--name", "holds it too", "--grant", f"{audience}=orders:write")
    declared(("orders:read,orders:write", "orders:read"), (", orders:write=write]", "]"))
    told = terminal.run(*APPLY, "--yes")
    assert told.returncode == 5
    assert other["client_id"] in told.stderr
    terminal.ok(*APPLY, "--yes", "--cascade")
    assert terminal.json("credential", "show", other["client_id"])["grants"][0]["scopes"] == []


def test_a_change_in_between_is_not_overwritten(terminal, declared, monkeypatch):
    declared()
    terminal.ok(*FIRST)
    declared(("127.0.0.0/8", "127.0.0.0/8, 192.0.2.0/24"))
    client_id = next((terminal.home / "secrets").glob("*shop*.client_id")).read_text().strip()

    def meanwhile(*given, **more):
        terminal.ok("credential", "update", client_id, "--description", "somebody else's")
        return planned(*given, **more)

    planned = carry_out
    monkeypatch.setattr("tokenserver.cli.commands.apply.carry_out", meanwhile)
    assert "has changed since" in terminal.run(*APPLY).stderr
    assert terminal.json("credential", "show", client_id)["allowed_ips"] == ["127.0.0.0/8"]


def test_the_file_may_come_from_standard_input(terminal):
    assert terminal.json("apply", "-f", "-", "--plan", stdin="version: 1\n") == {
        "steps": [],
        "changes": 0,
        "created": [],
    }
    assert "-:1: version: 1 is missing" in terminal.refused(2, "apply", "-f", "-", stdin="roles: []")
    assert "nowhere cannot be read" in terminal.refused(2, "apply", "-f", "nowhere")


def test_pruning_ends_what_the_file_does_not_mention(at_the_stub, stub):
    role = {"id": "role_1", "name": "gone", "description": "", "audience": None, "version": 4}
    stub.answer("GET", "/v1/roles", {"items": [role], "next": None})
    stub.answer("GET", "/v1/apis", {"items": [], "next": None})
    stub.answer("GET", "/v1/credentials", {"items": [], "next": None})
    stub.answer("DELETE", "/v1/roles/role_1", b"", 204)
    typed = ("apply", "-f", "-", "--prune")
    assert "- role gone   ENDS TOKENS" in at_the_stub.ok(*typed, "--plan", stdin="version: 1\n")
    assert at_the_stub.run(*typed, stdin="version: 1\n").returncode == 2
    at_the_stub.ok(*typed, "--yes", stdin="version: 1\n")
    assert [(m, p) for m, p, _, _ in stub.asked if m == "DELETE"] == [("DELETE", "/v1/roles/role_1")]
    assert stub.asked[-1][2]["If-Match"] == '"4"'


SHARING = """\
version: 1
apis: [{audience: "urn:shared-as-code", name: Shared, shared: true, scopes: [orders:read=read]}]
roles: [{name: shared_as_code, audience: "urn:shared-as-code", shared: true}]
"""
ELSEWHERE = """\
version: 1
apis: [{audience: "urn:shared-as-code", scopes: [orders:read=read]}]
credentials: [{name: as code, roles: [shared_as_code], grants: ["urn:shared-as-code=all_read"]}]
"""


def test_what_a_file_shares_another_organizations_file_asks_for_and_does_not_change(terminal):
    def applied(text, *typed):
        return terminal.json("apply", "-f", "-", *typed, stdin=text)

    assert [step["done"] for step in applied(SHARING)["steps"]] == [True, True]
    assert applied(SHARING)["changes"] == 0
    there = ("--organization", terminal.json("organization", "create", "--name", "as code")["id"])
    first = applied(ELSEWHERE, "--secrets-dir", "there", *there)
    assert deeds(first) == [("unchanged", "api"), ("create", "credential")]
    pruned = applied(ELSEWHERE, "--prune", "--plan", *there)
    assert {(step["deed"], step["kind"]) for step in pruned["steps"]} == {
        ("unchanged", "api"),
        ("unchanged", "credential"),
    }
    more = ELSEWHERE.replace("[orders:read=read]", "[orders:read=read, orders:write=write]")
    told = terminal.refused(2, "apply", "-f", "-", "--yes", "--cascade", *there, stdin=more)
    assert "line 2: another organization shares this api" in told

    no_more = SHARING.replace("shared: true", "shared: false")
    assert "as code" not in terminal.refused(5, "apply", "-f", "-", "--yes", "-q", stdin=no_more)
    assert applied(no_more, "--yes", "--cascade")["changes"] == 2
    (left,) = terminal.json("credential", "list", *there)["items"]
    assert (left["roles"], left["grants"]) == ([], [])
