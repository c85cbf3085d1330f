"""Do groups give the roles that were written, the first of several, and nothing that was misspelt?"""

from __future__ import annotations

import pytest

from tokenserver.domain.group_roles import GroupRoles
from tokenserver.domain.operators import OperatorRole

MAPPING = "platform-team=platform_admin, auditors = auditor,\n/team/Ops 1=admin, cn=all=member,"

CASES = {
    "a group with a role": ({"auditors"}, OperatorRole.AUDITOR),
    "a group beside others": ({"somebody", "auditors", "else"}, OperatorRole.AUDITOR),
    "the first role of several": ({"auditors", "/team/Ops 1"}, OperatorRole.ADMIN),
    "platform admin before all others": ({"auditors", "platform-team", "cn=all"}, OperatorRole.PLATFORM_ADMIN),
    "the last equals sign is the one": ({"cn=all"}, OperatorRole.MEMBER),
    "no group": (set(), None),
    "another group": ({"accountants"}, None),
    "another case": ({"Auditors"}, None),
    "a part of a name": ({"auditor"}, None),
}


@pytest.mark.parametrize(("groups", "role"), CASES.values(), ids=CASES.keys())
def test_groups_give_the_roles_that_were_written(groups, role):
    assert GroupRoles.parse(MAPPING).role_of(groups) is role


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_nothing_written_is_no_mapping(text):
    assert not GroupRoles.parse(text)


FAULTY = {
    "no role": "auditors",
    "an empty role": "auditors=",
    "no group": "=auditor",
    "an unknown role": "auditors=s3cr3t",
    "a role in capitals": "auditors=AUDITOR",
    "a group twice": "auditors=auditor, s3cr3t=admin, s3cr3t=member",
    "another separator": "auditors=auditor; admins=admin",
}


@pytest.mark.parametrize("text", FAULTY.values(), ids=FAULTY.keys())
def test_what_is_misspelt_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match=r"must be groups|names a group twice") as caught:
        GroupRoles.parse(text)
    assert "s3cr3t" not in str(caught.value)
    assert caught.type is ValueError
