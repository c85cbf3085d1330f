"""Do the commands of webhooks' deliveries ask for what they say?"""

from __future__ import annotations


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
