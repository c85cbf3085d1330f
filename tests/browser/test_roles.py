"""An auditor and a member at the console: each sees and can do only what is theirs, whatever they type or send."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.support.chromium import Person, person
from tests.support.world import AUDIENCE

SEND = """([path, fields]) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action: `/console${path}` });
  fields.csrf = document.querySelector("[name=csrf]").value;
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(form);
  form.submit();
}"""
"""A form that the page does not offer, sent from it all the same."""


@pytest.fixture
def joined(first, browser, world) -> Iterator[Callable[..., Person]]:
    """Somebody new, who has followed the link for a first password."""
    del first  # the administrator of the world must be there
    people: list[Person] = []

    def join(email: str, role: str, **bounds) -> Person:
        world.manage("POST", "/v1/operators", {"email": email, "role": role, **bounds})
        someone = person(browser, world, email)
        people.append(someone)
        someone.set_up(world.shell("operators", "link", email).stdout.strip())
        return someone

    yield join
    for one in people:
        one.context.close()


def sent(someone: Person, path: str, **fields: str) -> int:
    """The status that is answered."""
    with someone.page.expect_navigation() as answer:
        someone.page.evaluate(SEND, [path, fields])
    return answer.value.status


def test_an_auditor_reads_everything_and_changes_nothing(joined, world):
    made = world.credential(name="audited")
    home = f"/credentials/{made['client_id']}"
    auditor = joined("only-reads@example.com", "auditor")
    page = auditor.go("/credentials?q=audited")
    expect(page.locator("td.name")).to_contain_text("audited")
    for words in ("New credential", "Rotate …", "Revoke …"):
        expect(page.get_by_text(words)).to_have_count(0)
    auditor.go(home)
    assert page.locator(f"main a[href*='{home}/']").count() == 0, "nothing to change it by"
    assert page.locator("main form[method=post]").count() == 0
    for path in (f"{home}/edit", f"{home}/revoke", "/credentials/new", "/operators/new", "/keys/rotate"):
        answer = page.goto(f"{world.issuer}/console{path}")
        assert answer.status == 403, path
        expect(page.locator("main")).to_contain_text("Your role does not allow this")
    auditor.go("/audit")
    assert sent(auditor, f"{home}/revoke", typed_name="audited", version="1") == 403
    assert sent(auditor, f"{home}/edit", name="mine now", version="1") == 403
    assert world.manage("GET", f"/v1/credentials/{made['client_id']}")["status"] == "active"
    expect(auditor.go("/audit").locator("main")).to_contain_text("audited")


def test_a_member_makes_uses_and_ends_their_own_and_knows_of_no_other(joined, world):
    others = world.credential(name="of the organization")
    grants = [{"audience": AUDIENCE, "access": "all_read"}]
    member = joined("has-one@example.com", "member", roles=["reader"], grants=grants)
    places = member.page.locator(".places a").all_inner_texts()
    assert {"Audit log", "Operators", "Signing keys", "Webhooks"}.isdisjoint(places)
    page = member.go("/credentials/new")
    assert page.locator("[name=roles]").evaluate_all("all => all.map((one) => one.value)") == ["reader"]
    page.fill("[name=name]", "my laptop")
    page.check("[name=roles][value=reader]")
    page.click("details.api:has-text('Example') summary")
    page.check("details.api:has-text('Example') input[value=all_read]")
    page.click("text=Create the credential")
    client_id, secret = page.inner_text("#client-id"), page.inner_text("#secret")
    assert world.ask(client_id, secret).status_code == 200
    assert member.go("/credentials").locator("td.name a").all_inner_texts() == ["my laptop"]
    for path in ("", "/edit", "/new-secret", "/end"):
        answer = page.goto(f"{world.issuer}/console/credentials/{others['client_id']}{path}")
        assert answer.status == 404, path
    assert others["client_id"] not in member.go("/start").content()
    member.go("/")
    assert sent(member, f"/credentials/{others['client_id']}/disable", version="1") == 404
    assert world.ask(others["client_id"], others["client_secret"]).status_code == 200
    member.go(f"/credentials/{client_id}/disable")
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(page.locator("[role=status]")).to_contain_text("The credential is disabled.")
    assert world.ask(client_id, secret).status_code == 401
