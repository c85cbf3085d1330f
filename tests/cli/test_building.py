"""Do the commands that the table describes do what they say, against a real server?"""

from __future__ import annotations

import json
import stat

import pytest

from tests.support.terminals import in_a_terminal
from tests.support.world import AUDIENCE
from tokenserver.cli.fields import flag_of
from tokenserver.cli.resources import API, CREDENTIAL, ROLE
from tokenserver.cli.tenancy import OPERATOR, ORGANIZATION, PROJECT, WEBHOOK

RESOURCES = (CREDENTIAL, API, ROLE, ORGANIZATION, PROJECT, OPERATOR, WEBHOOK)
GOOD = ("--role", "reader", "--grant", f"{AUDIENCE}=all_read")


@pytest.fixture
def made(terminal, request):
    return terminal.json("credential", "create", "--name", f"made for {request.node.name}"[:100], *GOOD)


def test_a_credential_is_made_used_and_ended_by_commands(terminal, world, made):
    client_id, secret = made["client_id"], made["client_secret"]
    assert world.ask(client_id, secret).status_code == 200
    assert terminal.json("credential", "show", client_id)["roles"] == ["reader"]
    assert terminal.json("credential", "disable", client_id, "--yes")["status"] == "disabled"
    assert world.ask(client_id, secret).status_code == 401
    assert terminal.json("credential", "enable", client_id)["status"] == "active"
    fresh = terminal.ok("credential", "regenerate", client_id, "--yes", "--quiet").strip()
    assert world.ask(client_id, secret).status_code == 401
    assert world.ask(client_id, fresh).status_code == 200
    revoked = terminal.json("credential", "revoke", client_id, "--yes", "--reason", "The archive has moved.")
    assert (revoked["status"], revoked["revoked_reason"]) == ("revoked", "The archive has moved.")
    assert "revoked" in terminal.ok("credential", "show", client_id)
    assert terminal.ok("credential", "delete", client_id, "--yes") == ""
    terminal.refused(4, "credential", "show", client_id)


def test_a_rotation_is_begun_finished_and_cancelled_by_commands(terminal, world, made):
    client_id, old = made["client_id"], made["client_secret"]
    rotated = terminal.json("credential", "rotate", client_id, "--grace", "2h")
    new = rotated["client_secret"]
    assert [world.ask(client_id, secret).status_code for secret in (old, new)] == [200, 200]
    assert "already" in (told := terminal.refused(5, "credential", "rotate", client_id)) or "progress" in told
    terminal.ok("credential", "rotation-cancel", client_id, "--yes")
    assert [world.ask(client_id, secret).status_code for secret in (old, new)] == [200, 401]
    newer = terminal.ok("credential", "rotate", client_id, "--grace", "7d", "-q").strip()
    terminal.ok("credential", "rotation-finish", client_id, "--yes")
    assert [world.ask(client_id, secret).status_code for secret in (old, newer)] == [401, 200]
    assert "no rotation" in terminal.refused(5, "credential", "rotation-finish", client_id, "--yes").lower()


def test_every_term_can_be_said_and_taken_back(terminal, tmp_path):
    (tmp_path / "offices.txt").write_text("198.51.100.7\n2001:db8::/32\n")
    made = terminal.json(
        *("credential", "create", "--name", "all terms", "--description", "Ünïcode", "--token-lifetime", "10m"),
        *("--role", "reader", "--role", "cloud_admin", "--grant", f"{AUDIENCE}=reports:read,reports:write"),
        *("--allowed-ips", "192.0.2.1 - 192.0.3.254, 127.0.0.0/8", "--allowed-ips", "@offices.txt"),
        *("--expires-at", "2040-01-31"),
    )
    assert made["roles"] == ["cloud_admin", "reader"]
    assert made["grants"] == [
        {"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read", "reports:write"]},
    ]
    assert made["allowed_ips"] == ["127.0.0.0/8", "192.0.2.1-192.0.3.254", "198.51.100.7", "2001:db8::/32"]
    assert (made["token_lifetime"], made["expires_at"]) == (600, "2040-01-31T00:00:00Z")
    changed = terminal.json(
        *("credential", "update", made["client_id"], "--name", "no terms", "--no-roles", "--no-grants"),
        *("--from-anywhere", "--never-expires", "--yes"),
    )
    assert [changed[name] for name in ("name", "roles", "grants", "allowed_ips", "expires_at")] == [
        "no terms",
        [],
        [],
        None,
        None,
    ]
    assert changed["description"] == "Ünïcode"
    assert changed["token_lifetime"] == 600


def test_a_body_may_come_from_a_file_or_standard_input_and_options_go_over_it(terminal, tmp_path):
    (tmp_path / "body.json").write_text('{"name": "from a file", "roles": ["reader"], "token_lifetime": 120}')
    made = terminal.json("credential", "create", "--json", "body.json", "--token-lifetime", "60")
    assert (made["name"], made["roles"], made["token_lifetime"]) == ("from a file", ["reader"], 60)
    assert terminal.json("role", "create", "--json", "-", stdin='{"name": "from_stdin"}')["name"] == "from_stdin"


def test_lists_are_changed_one_by_one(terminal, made):
    client_id = made["client_id"]

    def update(*typed):
        told = terminal.json("credential", "update", client_id, *typed)
        return told["roles"], [(grant["access"], grant["scopes"]) for grant in told["grants"]], told["generation"]

    assert update("--add-role", "cloud_admin") == (["cloud_admin", "reader"], [("all_read", [])], 1)
    assert update("--add-role", "cloud_admin")[2] == 1
    assert "every token" in terminal.refused(2, "credential", "update", client_id, "--remove-role", "reader")
    assert update("--remove-role", "reader", "-y")[0] == ["cloud_admin"]
    assert update("--add-role", "reader", "--remove-role", "cloud_admin", "-y")[0] == ["reader"]
    assert update("--add-grant", f"{AUDIENCE}=reports:read,reports:write", "-y")[1] == [
        ("custom", ["reports:read", "reports:write"])
    ]
    assert update("--remove-grant", AUDIENCE, "-y")[1] == []
    missing = terminal.refused(2, "credential", "update", client_id, "--remove-role", "raeder", "-y")
    assert "--remove-role (number 1): it is not there. There are: reader." in missing
    assert "There are: none." in terminal.refused(2, "credential", "update", client_id, "--remove-grant", AUDIENCE)


def test_where_anything_goes_there_is_no_list_to_change(terminal):
    terminal.ok("operator", "create", "--email", "boundless@example.com", "--role", "member")
    for typed in (("--add-role", "reader"), ("--remove-role", "reader"), ("--remove-grant", AUDIENCE)):
        told = terminal.refused(2, "operator", "update", "boundless@example.com", *typed)
        assert "There is no list yet" in told


FAULTS = {
    "a lifetime that is too short": (("--token-lifetime", "5"), "--token-lifetime: Must be at least 60."),
    "an address that is none": (("--allowed-ips", "300.1.1.1"), "--allowed-ips (number 1): Item 1"),
    "a role that is no name": (("--role", "reader", "--role", "no name"), "--role (number 2): Must be 1 to 100"),
    "a role that is not there": (("--role", "nobody"), "create it first with `tokenserver role create`."),
    "an API that is not there": (("--grant", "urn:nothing=all_read"), "create it with `tokenserver api create`."),
    "a project that is not there": (("--project", "nothing"), "create it with `tokenserver project create`."),
    "a name that steers": (("--name", "a\x1b[2Jb"), "--name: Must not hold control characters"),
}


@pytest.mark.parametrize(("typed", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_what_the_server_finds_faulty_is_named_by_its_option(terminal, typed, told):
    name = () if "--name" in typed else ("--name", "faulty")
    assert told in terminal.refused(2, "credential", "create", *name, *typed)


MISTYPED = {
    "no name": ("credential create", "--name is missing."),
    "a duration in words": ("credential create --name x --token-lifetime soon", "900, 15m"),
    "a date that is none": ("credential create --name x --expires-at 2027-02-30", "write a date"),
    "never, by the wrong option": ("credential create --name x --expires-at never", "write a date"),
    "both a value and nothing": ("credential create --name x --role a --no-roles", "do not go together"),
    "a grant without scopes": ("credential create --name x --grant https://api.example.com", "AUDIENCE=scope"),
    "a scope without a kind": ("api create --audience https://x.example --name x --scope a:b", "NAME=read"),
    "a file that is not there": ("credential create --json nowhere.json", "cannot be read"),
    "a file of addresses that is not there": ("credential create --name x --allowed-ips @nowhere", "after @"),
    "one more, and all of them": ("credential update tsc_x --role a --add-role b", "--add-role does not go together"),
    "one less, and none": ("credential update tsc_x --no-grants --remove-grant urn:x", "--remove-grant does not go"),
    "one more and one less, the same": ("credential update tsc_x --add-role a --remove-role a", "name the same"),
    "one more that is no grant": ("credential update tsc_x --add-grant urn:x", "AUDIENCE=scope"),
    "none and any": ("operator update op_1 --may-hold-all-roles --may-hold-no-roles", "do not go together"),
    "nothing to change": ("credential update tsc_0000000000000000000000", "Nothing to change"),
}


@pytest.mark.parametrize(("typed", "told"), MISTYPED.values(), ids=MISTYPED.keys())
def test_what_is_mistyped_is_told_before_the_server_is_asked(at_the_stub, stub, typed, told):
    assert told in at_the_stub.refused(2, *typed.split())
    assert stub.asked == []


@pytest.mark.parametrize("body", ["[1]", "nope", "7", '"x"', "", "[" * 100_000], ids=range(6))
def test_a_body_that_is_no_object_is_refused(stranger, body):
    assert "--json" in stranger.refused(2, "role", "create", "--json", "-", stdin=body)


# --- what changes something knows which version it means ------------------------------------------------------------


def test_a_change_of_another_version_is_a_conflict(terminal, made):
    client_id = made["client_id"]
    terminal.ok("credential", "update", client_id, "--description", "second", "--if-version", "1")
    for typed in (("update", "--description", "third"), ("disable", "--yes"), ("delete", "--yes")):
        assert "has changed since" in terminal.refused(5, "credential", *typed, client_id, "--if-version", "1")
    assert terminal.json("credential", "show", client_id)["version"] == 2


def test_a_change_that_meets_another_one_is_refused_rather_than_overwriting_it(at_the_stub, stub):
    stub.answer("GET", "/v1/roles/role_1", {"id": "role_1", "name": "x"}, ETag='"7"')
    stub.answer("PATCH", "/v1/roles/role_1", {"title": "It has changed.", "code": "precondition_failed"}, 412)
    assert "repeat the command" in at_the_stub.refused(5, "role", "update", "role_1", "--description", "y")
    method, _, headers, body = stub.asked[-1]
    assert (method, headers["If-Match"], json.loads(body)) == ("PATCH", '"7"', {"description": "y"})


# --- what ends something asks first ---------------------------------------------------------------------------------

ENDING = ["regenerate", "revoke", "disable", "delete", "rotation-finish", "rotation-cancel"]


@pytest.mark.parametrize("command", ENDING)
def test_where_nobody_can_be_asked_nothing_ends_without_yes(terminal, made, command):
    assert "--yes" in terminal.refused(2, "credential", command, made["client_id"])
    assert terminal.json("credential", "show", made["client_id"])["version"] == 1


def test_a_change_that_takes_something_away_asks_and_one_that_adds_does_not(terminal, made):
    client_id = made["client_id"]
    assert "every token" in terminal.refused(2, "credential", "update", client_id, "--no-roles")
    assert "every token" in terminal.refused(2, "credential", "update", client_id, "--allowed-ips", "192.0.2.1")
    assert "every token" in terminal.refused(2, "credential", "update", client_id, "--token-lifetime", "60")
    assert "every token" in terminal.refused(2, "credential", "update", client_id, "--no-grants")
    widened = terminal.json(
        *("credential", "update", client_id, "--role", "reader", "--role", "cloud_admin"),
        *("--grant", f"{AUDIENCE}=all_read_write", "--token-lifetime", "1h", "--name", "renamed in passing"),
    )
    assert (widened["generation"], widened["version"]) == (1, 2)
    assert terminal.json("credential", "update", client_id, "--no-roles", "--yes")["generation"] == 2


def test_a_person_types_the_name_of_what_ends(terminal, world, made):
    client_id, secret = made["client_id"], made["client_secret"]
    environment = terminal.of_a_process()
    typed = ["credential", "revoke", client_id]
    code, shown = in_a_terminal(typed, environment, columns=120, keys=[("to go on", "something else\n")])
    assert (code, "Nothing was done." in shown) == (7, True)
    assert "cannot be undone" in shown
    assert world.ask(client_id, secret).status_code == 200
    code, shown = in_a_terminal(typed, environment, columns=120, keys=[("to go on", made["name"] + "\n")])
    assert (code, "revoked" in shown) == (0, True)
    assert world.ask(client_id, secret).status_code == 401


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_goes_to_standard_output_once_and_to_nothing_else(terminal):
    done = terminal.run("credential", "create", "--name", "seen once")
    secret = next(word for word in done.stdout.split() if word.startswith("tss_") and "…" not in word)
    assert done.stdout.count(secret) == 1
    assert secret not in done.stderr
    assert "this once" in done.stderr
    client_id = next(word for word in done.stdout.split() if word.startswith("tsc_"))
    assert secret not in terminal.ok("credential", "show", client_id, "--output", "json")


def test_a_secret_file_takes_the_place_of_showing_it(terminal, world, tmp_path):
    place = tmp_path / "secret"
    shown = terminal.ok(
        "credential", "create", "--name", "to a file", *GOOD, "--secret-file", "secret", "--output", "json"
    )
    secret = place.read_text().strip()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert secret not in shown
    client_id = json.loads(shown)["client_id"]
    assert json.loads(shown)["secret_file"] == "secret"
    assert world.ask(client_id, secret).status_code == 200
    typed = ("credential", "regenerate", client_id, "--yes", "--secret-file", "secret")
    assert "there already" in terminal.refused(2, *typed)
    assert world.ask(client_id, secret).status_code == 200
    quiet = ("--secret-file", "secret", "--overwrite", "--quiet")
    assert terminal.ok("credential", "rotate", client_id, *quiet).strip() == client_id
    assert place.read_text().strip() != secret
    assert world.ask(client_id, place.read_text().strip()).status_code == 200


def test_a_secret_that_could_not_be_shown_is_no_quiet_matter(terminal, made):
    typed = ["credential", "regenerate", made["client_id"], "--yes"]
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        done = terminal.process(*typed, stdout=full, stderr=-1)
    assert done.returncode == 1
    assert "nobody has seen it" in done.stderr


def test_a_place_that_cannot_take_a_secret_is_found_before_anything_ends(terminal, world, made):
    for place in ("nowhere/secret", "."):
        told = terminal.refused(2, "credential", "regenerate", made["client_id"], "-y", "--secret-file", place)
        assert place in told
    assert world.ask(made["client_id"], made["client_secret"]).status_code == 200


# --- APIs and roles -------------------------------------------------------------------------------------------------


def test_an_api_is_known_by_its_audience_and_a_role_by_its_name(terminal):
    audience = "https://books.example.com"
    made = terminal.json(
        *("api", "create", "--audience", audience, "--name", "Books"),
        *("--scope", "books:read=read", "--scope", "books:burn=write,sensitive"),
    )
    assert [(s["name"], s["access"], s["sensitive"]) for s in made["scopes"]] == [
        ("books:read", "read", False),
        ("books:burn", "write", True),
    ]
    assert terminal.json("api", "show", audience) == terminal.json("api", "show", made["id"])
    assert terminal.json("api", "update", audience, "--name", "More books")["name"] == "More books"
    role = terminal.json("role", "create", "--name", "librarian", "--audience", audience)
    assert terminal.json("role", "show", "librarian")["id"] == role["id"]
    assert terminal.json("role", "update", "librarian", "--description", "Lends.")["description"] == "Lends."
    assert "belong" in terminal.refused(5, "api", "delete", audience, "--yes")
    terminal.ok("role", "delete", "librarian", "--yes")
    terminal.ok("api", "delete", audience, "--yes")
    assert "There is no api" in terminal.refused(4, "api", "show", audience)


def test_what_credentials_hold_is_taken_from_them_with_cascade_only(terminal, world):
    terminal.ok("role", "create", "--name", "held")
    made = terminal.json("credential", "create", "--name", "holder", "--role", "held")
    told = terminal.refused(5, "role", "delete", "held", "--yes")
    assert made["client_id"] in told
    assert "--cascade" in told
    terminal.ok("role", "delete", "held", "--yes", "--cascade")
    assert terminal.json("credential", "show", made["client_id"])["roles"] == []


# --- lists ----------------------------------------------------------------------------------------------------------


def test_a_list_says_where_it_goes_on(terminal):
    for number in range(3):
        terminal.ok("role", "create", "--name", f"listed_{number}")
    first = terminal.run("role", "list", "--limit", "2")
    assert len(first.stdout.splitlines()) == 3
    cursor = first.stderr.split()[-1]
    rest = terminal.ok("role", "list", "--all", "--cursor", cursor, "--quiet").splitlines()
    everything = terminal.ok("role", "list", "--all", "--quiet").splitlines()
    assert everything[2:] == rest
    assert len(everything) == len(set(everything)) >= 5


def test_pages_are_joined_and_the_limit_counts_over_all_of_them(at_the_stub, stub):
    roles = [{"id": f"role_{number}", "name": str(number)} for number in range(200)]
    stub.answer("GET", "/v1/roles", {"items": roles, "next": "more"})
    page = at_the_stub.json("role", "list", "--limit", "250")
    assert (len(page["items"]), page["next"]) == (400, "more")
    assert stub.queries("/v1/roles") == ["limit=200", "cursor=more&limit=50"]


@pytest.mark.parametrize("identifier", ["../../oauth/token", "tsc_x/regenerate", "", ".", "a b", "tsc_\x00"])
def test_an_identifier_reaches_no_other_place(at_the_stub, stub, identifier):
    at_the_stub.refused(4, "credential", "show", identifier)
    assert [path for _, path, _, _ in stub.asked if path.startswith("/v1/")] == []


def test_a_list_is_narrowed_and_put_in_order_by_the_server(terminal, made):
    terminal.ok("credential", "disable", made["client_id"], "--yes")
    search = ("--search", made["name"][:60], "--status", "disabled,revoked", "--sort", "name")
    assert terminal.ok("credential", "list", *search, "-q").split() == [made["client_id"]]
    assert terminal.json("credential", "list", "--search", made["name"][:60], "--status", "active")["items"] == []
    assert "sort is one of" in terminal.refused(2, "credential", "list", "--sort", "colour")


def test_a_change_of_scopes_is_previewed(terminal, made):
    told = terminal.json("api", "preview", AUDIENCE, "--scope", "reports:write=write")
    assert made["client_id"] in [one["client_id"] for one in told["credentials"]]
    assert "reports:read" in terminal.ok("api", "show", AUDIENCE)


# --- what newer servers have ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_row_of_the_table_makes_commands_that_ask_for_what_they_say(at_the_stub, stub, resource):
    thing = {resource.id: "x1", resource.title: "named", "version": 3}
    stub.answer("GET", resource.path, {"items": [thing], "next": None})
    stub.answer("GET", f"{resource.path}/x1", thing, ETag='"3"')
    stub.answer("POST", resource.path, thing, 201)
    stub.answer("PATCH", f"{resource.path}/x1", thing)
    stub.answer("DELETE", f"{resource.path}/x1", b"", 204)
    assert at_the_stub.ok(resource.name, "list", "-q") == "x1\n"
    assert at_the_stub.json(resource.name, "show", "x1") == thing
    body = {field.member: ["x"] if field.many else "x" for field in resource.fields if field.required}
    at_the_stub.ok(resource.name, "create", "--json", "-", stdin=json.dumps(body))
    assert stub.bodies("POST", resource.path) == [body]
    at_the_stub.ok(resource.name, "update", "x1", "--json", "-", stdin='{"of_a_newer_server": 1}')
    assert stub.bodies("PATCH", f"{resource.path}/x1") == [{"of_a_newer_server": 1}]
    at_the_stub.run(resource.name, "delete", "x1", "--yes")
    assert (stub.asked[-1][0] == "DELETE") is ("delete" not in resource.lacks)
    for action in resource.actions:
        stub.answer("POST", f"{resource.path}/x1{action.path}", thing)
        at_the_stub.ok(resource.name, action.name, "x1", "--yes")
        assert stub.asked[-1][:2] == ("POST", f"{resource.path}/x1{action.path}")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_faulty_member_is_named_by_an_option_that_is_there(resource):
    named = flag_of(resource.fields)
    for field in resource.fields:
        assert named(f"/{field.member}") == field.option
        assert named(f"/{field.member}/0/x") == field.option + (" (number 1)" if field.many else "")
    assert named("/of_a_newer_server") == "/of_a_newer_server"
    assert named("") == "/"


def test_a_post_can_be_told_from_another(at_the_stub, stub):
    stub.answer("POST", "/v1/roles", {"id": "role_1"}, 201)
    for _ in range(2):
        at_the_stub.ok("role", "create", "--name", "x")
    keys = [headers["Idempotency-Key"] for method, path, headers, _ in stub.asked if path == "/v1/roles"]
    assert len(set(keys)) == 2
