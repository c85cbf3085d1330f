"""What Rapid7's customers do with user and organization keys, in the order of its page: by the API, and by command.
A user key is a personal credential, an organization key one of the organization; a user is a member.
"""

from __future__ import annotations

import pytest

from tests.support.hands import Refused
from tests.support.tenant import ADMIN, READ, Tenant
from tests.support.world import AUDIENCE, eventually
from tokenserver.cli.failures import Exit


@pytest.fixture
def another(tenant) -> Tenant:
    """The neighbours."""
    return Tenant(tenant.world, tenant._how, tenant._home)


def refused(attempt) -> int:
    with pytest.raises(Refused) as told:
        attempt()
    return told.value.code


def seen(hands) -> set[str]:
    return {one["client_id"] for one in hands.all("credential")}


def test_a_user_key_is_of_one_user_and_inherits_what_that_user_may_do(tenant, wsgi_api):
    ada, hands = tenant.operator("member")
    made = hands.create("credential", name="ada's own", grants=[READ], roles=["reader", "cloud_admin"])
    assert (made["owner"], made["created_by"]) == (ada["id"], f"operator:{ada['id']}")
    eventually(lambda: tenant.world.call(wsgi_api, tenant.token(made, resource=AUDIENCE), "/admin") == 200, "she may")
    tenant.platform.change("operator", ada["id"], roles=["reader"])
    token = tenant.token(made, resource=AUDIENCE)
    assert (tenant.world.call(wsgi_api, token, "/reader"), tenant.world.call(wsgi_api, token, "/admin")) == (200, 403)


def test_nobody_makes_a_user_key_for_another_user(tenant):
    ada, hands = tenant.operator("member")
    bob, _ = tenant.operator("member")
    made = hands.create("credential", name="for bob", owner=bob["id"])
    assert made["owner"] == ada["id"], "it is her own, whatever was asked"


def test_an_organization_key_can_do_everything_and_is_made_by_administrators_only(tenant, another):
    super_key = [{"audience": ADMIN, "access": "all_read_write"}, {"audience": AUDIENCE, "access": "all_read_write"}]
    for role in ("owner", "admin"):
        _, hands = tenant.operator(role, grants=[{"audience": AUDIENCE, "access": "all_read_write"}])
        made = hands.create("credential", name=f"by an {role}", grants=[READ])
        assert made["owner"] is None
        assert tenant.works(made)
    made = tenant.platform.create("credential", name="super key", grants=super_key)
    assert tenant.works(made)
    assert tenant.hands_of(made).create("role", name="made_by_the_super_key")
    for role in ("auditor", "member"):
        _, hands = tenant.operator(role)
        if role == "auditor":
            assert refused(lambda hands=hands: hands.create("credential", name="mine")) == Exit.REFUSED
        else:
            assert hands.create("credential", name="mine")["owner"] is not None
    there = another.platform.create("credential", name="over there", grants=[READ])
    assert another.works(there)
    assert there["client_id"] in seen(another.platform)
    assert there["client_id"] not in seen(tenant.platform)


def test_a_key_is_shown_once_whoever_made_it(tenant):
    _, hands = tenant.operator("member")
    made = hands.create("credential", name="my own", grants=[READ])
    assert made["client_secret"] not in str([hands.all("credential"), hands.show("credential", made["client_id"])])


def test_everybody_sees_what_their_role_may_see(tenant, another):
    of_the_organization = tenant.platform.create("credential", name="of the organization", grants=[READ])
    over_there = another.platform.create("credential", name="over there", grants=[READ])
    ada, member = tenant.operator("member")
    mine = member.create("credential", name="ada's own", grants=[READ])
    _, admin = tenant.operator("admin")
    all_of_ours = {of_the_organization["client_id"], mine["client_id"]}

    assert {one["owner"] for one in member.all("credential")} == {ada["id"]}
    assert mine["client_id"] in seen(member)
    assert refused(lambda: member.show("credential", of_the_organization["client_id"])) == Exit.NOT_FOUND

    assert all_of_ours <= seen(admin)
    assert over_there["client_id"] not in seen(admin)
    assert refused(lambda: admin.show("credential", over_there["client_id"])) == Exit.NOT_FOUND

    assert all_of_ours <= seen(tenant.platform)
    assert over_there["client_id"] in seen(another.platform)
    assert another.platform.show("credential", over_there["client_id"])["name"] == "over there"


def test_a_key_is_revoked_for_good_by_whoever_manages_it(tenant, another):
    _, member = tenant.operator("member")
    _, admin = tenant.operator("admin")
    mine = member.create("credential", name="my own", grants=[READ])
    organizations = tenant.platform.create("credential", name="of the organization", grants=[READ])
    there = another.platform.create("credential", name="over there", grants=[READ])
    assert refused(lambda: member.act("credential", organizations["client_id"], "revoke")) == Exit.NOT_FOUND
    assert refused(lambda: admin.act("credential", there["client_id"], "revoke")) == Exit.NOT_FOUND
    for hands, made in ((member, mine), (admin, organizations), (another.platform, there)):
        hands.act("credential", made["client_id"], "revoke")
        assert not tenant.works(made)
        assert (
            refused(lambda hands=hands, made=made: hands.act("credential", made["client_id"], "enable"))
            == Exit.CONFLICT
        )
        hands.delete("credential", made["client_id"])
        assert made["client_id"] not in seen(hands)


def test_with_a_user_go_the_user_keys_and_no_organization_key(tenant, wsgi_api):
    ada, hands = tenant.operator("admin")
    personal = hands.create("credential", name="ada's own", grants=[READ], owner=ada["id"])
    organizations = hands.create("credential", name="of the organization", grants=[READ])
    tokens = {name: tenant.token(made) for name, made in (("hers", personal), ("ours", organizations))}
    eventually(lambda: tenant.world.call(wsgi_api, tokens["hers"]) == 200, "it works")

    tenant.platform.delete("operator", ada["id"])

    assert not tenant.works(personal)
    eventually(lambda: tenant.world.call(wsgi_api, tokens["hers"]) == 401, "her token has ended")
    assert tenant.platform.show("credential", personal["client_id"])["status"] == "revoked"
    assert tenant.world.call(wsgi_api, tokens["ours"]) == 200
    assert tenant.works(organizations)
    assert refused(lambda: hands.all("credential")) == Exit.REFUSED
    tenant.platform.delete("credential", organizations["client_id"])
    assert not tenant.works(organizations)


def test_rotation_is_automated_by_a_program_with_a_key_of_its_own(tenant):
    grants = [{"audience": ADMIN, "access": "custom", "scopes": ["credentials:read", "credentials:write"]}, READ]
    robot = tenant.hands_of(tenant.platform.create("credential", name="robot", grants=grants))
    old = tenant.platform.create("credential", name="pipeline 1", grants=[READ], roles=["reader"])

    (found,) = robot.all("credential", q="pipeline")
    terms = {name: found[name] for name in ("grants", "roles", "expires_at")}
    new = robot.create("credential", name="pipeline 2", **terms)
    assert tenant.works(old)
    assert tenant.works(new)
    robot.delete("credential", old["client_id"])

    assert not tenant.works(old)
    assert tenant.works(new)
    assert [one["client_id"] for one in robot.all("credential", q="pipeline")] == [new["client_id"]]
    rotated = robot.act("credential", new["client_id"], "rotate", grace_seconds=600)
    assert tenant.works(rotated)
    robot.act("credential", new["client_id"], "rotation/finish")
    assert not tenant.works(new)


def test_whoever_may_do_less_can_no_longer_manage_the_organization_key_they_made(tenant):
    ada, hands = tenant.operator("admin")
    made = hands.create("credential", name="of the organization", grants=[READ])
    tenant.platform.change("operator", ada["id"], role="auditor")
    assert made["client_id"] in seen(hands)
    for attempt in (
        lambda: hands.act("credential", made["client_id"], "regenerate"),
        lambda: hands.change("credential", made["client_id"], description="mine"),
        lambda: hands.delete("credential", made["client_id"]),
    ):
        assert refused(attempt) == Exit.REFUSED
    assert tenant.works(made)
    fresh = tenant.platform.act("credential", made["client_id"], "regenerate")
    assert tenant.works(fresh)
