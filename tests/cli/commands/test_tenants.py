"""Can organizations, projects and operators be managed by commands, and webhooks told apart from others' secrets?"""

from __future__ import annotations

from tests.support.world import AUDIENCE


def test_an_organization_is_changed_suspended_and_resumed_with_all_its_tokens(terminal, world):
    first, *_ = terminal.json("organization", "list")["items"]
    changed = terminal.json("organization", "update", first["id"], "--credential-quota", "5000", "--any-expiry")
    assert (changed["credential_quota"], changed["longest_expiry_days"]) == (5000, None)
    made = terminal.json("organization", "create", "--name", "Acme", "--names-are-fixed", "yes")
    assert made["names_are_fixed"] is True
    for ending in ("suspend", "end-everything"):
        assert "--yes" in terminal.refused(2, "organization", ending, made["id"])
    assert terminal.json("organization", "suspend", made["id"], "--yes")["suspended_at"]
    resumed = terminal.json("organization", "resume", made["id"])
    assert resumed["suspended_at"] is None
    ended = terminal.json("organization", "end-everything", made["id"], "--yes")
    assert ended["generation"] == resumed["generation"] + 1
    assert "No such command" in terminal.refused(2, "organization", "delete", made["id"])


def test_a_project_is_a_term_of_a_credential_and_moving_ends_its_tokens(terminal):
    assert terminal.json("project", "create", "--name", "shop", "--description", "Sells.")["name"] == "shop"
    assert terminal.json("project", "update", "shop", "--description", "Sells more.")["description"] == "Sells more."
    made = terminal.json("credential", "create", "--name", "of a project", "--project", "shop", "--environment", "test")
    assert (made["project"], made["environment"]) == ("shop", "test")
    move = ("credential", "update", made["client_id"], "--no-project", "--environment", "production")
    assert "every token" in terminal.refused(2, *move)
    moved = terminal.json(*move, "--yes")
    assert (moved["project"], moved["environment"], moved["generation"]) == (None, "production", 2)
    terminal.ok("project", "delete", "shop", "--yes")
    terminal.refused(4, "project", "show", "shop")


def test_an_operator_is_known_by_the_address(terminal):
    typed = ("--email", "a@example.com", "--name", "Ann", "--role", "member", "--may-hold-role", "reader")
    made = terminal.json("operator", "create", *typed)
    assert (made["roles"], made["grants"], made["platform_admin"]) == (["reader"], None, False)
    changed = terminal.json("operator", "update", "a@example.com", "--role", "auditor", "--may-hold-all-roles", "-y")
    assert (changed["id"], changed["role"], changed["roles"]) == (made["id"], "auditor", None)
    assert "--email" in terminal.refused(2, "operator", "create", "--email", "nobody", "--role", "member")
    terminal.ok("operator", "delete", "a@example.com", "--yes")
    terminal.refused(4, "operator", "show", "a@example.com")


def test_what_an_operators_credentials_may_hold_is_changed_one_by_one_and_may_be_nothing(terminal):
    bounds = ("--may-hold-role", "reader", "--may-hold-grant", f"{AUDIENCE}=reports:read")
    terminal.ok("operator", "create", "--email", "bounded@example.com", "--role", "member", *bounds)

    def update(*typed):
        told = terminal.json("operator", "update", "bounded@example.com", *typed)
        return told["roles"], told["grants"]

    reads = {"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read"]}
    everything = {"audience": AUDIENCE, "access": "all_read_write", "scopes": []}
    assert update("--add-role", "cloud_admin") == (["cloud_admin", "reader"], [reads])
    assert update("--remove-role", "reader", "--yes") == (["cloud_admin"], [reads])
    assert update("--add-grant", f"{AUDIENCE}=all_read_write") == (["cloud_admin"], [everything])
    assert update("--remove-grant", AUDIENCE, "--yes") == (["cloud_admin"], [])
    assert update("--may-hold-no-roles", "--yes") == ([], [])
    assert update("--may-hold-all-roles", "--may-hold-all-grants") == (None, None)
    assert update("--may-hold-no-roles", "--may-hold-no-grants", "-y") == ([], [])
    none = ("--may-hold-no-roles", "--may-hold-no-grants")
    made = terminal.json("operator", "create", "--email", "unbound@example.com", "--role", "member", *none)
    assert (made["roles"], made["grants"]) == ([], [])


def test_what_an_operator_loses_is_asked_about_and_what_is_added_is_not(terminal):
    ann = ("operator", "update", "asked@example.com")
    terminal.ok("operator", "create", "--email", "asked@example.com", "--role", "admin")
    losses = ("--role auditor", "--may-hold-role reader", "--may-hold-no-grants", "--may-hold-no-roles")
    for loss in losses:
        assert "every token of their personal credentials" in terminal.refused(2, *ann, *loss.split())
    terminal.ok(*ann, "--name", "Ann", "--role", "owner")
    terminal.ok(*ann, "--may-hold-no-grants", "--yes")
    terminal.ok(*ann, "--add-grant", f"{AUDIENCE}=all_read")
    terminal.ok(*ann, "--add-grant", f"{AUDIENCE}=all_read_write")
    terminal.refused(2, *ann, "--add-grant", f"{AUDIENCE}=reports:read")
    terminal.refused(2, *ann, "--remove-grant", AUDIENCE)


def test_deliveries_are_listed_and_sent_once_more(at_the_stub, stub):
    delivery = {"id": "dlv_1", "type": "secret.rotated", "state": "failed", "attempt_count": 9, "created_at": "x"}
    stub.answer("GET", "/v1/webhooks/wh_1/deliveries", {"items": [delivery], "next": None})
    stub.answer("POST", "/v1/webhooks/wh_1/deliveries/dlv_1/redeliver", {**delivery, "state": "pending"}, 202)
    assert "secret.rotated" in at_the_stub.ok("webhook", "deliveries", "wh_1")
    assert at_the_stub.json("webhook", "redeliver", "wh_1", "dlv_1")["state"] == "pending"


def test_no_identifier_leads_elsewhere(at_the_stub, stub):
    at_the_stub.refused(4, "webhook", "deliveries", "../credentials")
    at_the_stub.refused(4, "webhook", "redeliver", "wh_1", "x/../../y")
    assert stub.asked == []


def test_the_secret_of_a_webhook_is_treated_like_any_other(at_the_stub, stub):
    stub.answer("POST", "/v1/webhooks", {"id": "wh_1", "url": "https://x.example", "secret": "whsec_x"}, 201)
    typed = ("webhook", "create", "--url", "https://x.example", "--event", "credential.*", "--event", "secret.rotated")
    assert at_the_stub.ok(*typed, "-q") == "whsec_x\n"
    assert stub.bodies("POST", "/v1/webhooks") == [
        {"url": "https://x.example", "events": ["credential.*", "secret.rotated"]}
    ]
    assert at_the_stub.ok(*typed, "-q", "--secret-file", "s") == "wh_1\n"
    assert (at_the_stub.home / "s").read_text() == "whsec_x\n"


def test_an_operator_and_an_organization_are_described_by_options(at_the_stub, stub):
    stub.answer("POST", "/v1/operators", {"id": "op_1", "email": "a@example.com"}, 201)
    typed = "--email a@example.com --role member --may-hold-role reader --may-hold-grant urn:x=all_read"
    at_the_stub.ok("operator", "create", *typed.split(), "--platform-admin", "no")
    assert stub.bodies("POST", "/v1/operators") == [
        {
            "email": "a@example.com",
            "role": "member",
            "roles": ["reader"],
            "grants": [{"audience": "urn:x", "access": "all_read"}],
            "platform_admin": False,
        }
    ]
    stub.answer("POST", "/v1/organizations", {"id": "org_1", "name": "Acme"}, 201)
    at_the_stub.ok("organization", "create", "--name", "Acme", "--credential-quota", "100", "--any-expiry")
    assert stub.bodies("POST", "/v1/organizations") == [
        {"name": "Acme", "credential_quota": 100, "longest_expiry_days": None}
    ]
