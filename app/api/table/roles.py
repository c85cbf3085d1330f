"""Which operations are there on roles?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.conditions import Condition
from app.api.operation import CASCADE, PAGE, Operation
from app.api.roles import PATH, RoleOperations
from app.inputs import bodies as inputs

_ONE = PATH + "/{role_id}"


def rows(do: RoleOperations) -> tuple[Operation, ...]:
    read, write = "roles:read", "roles:write"
    return (
        Operation(
            name="createRole",
            method="POST",
            path=PATH,
            scope=write,
            handler=do.create,
            summary="Create a role",
            description="409: there is one by this name already, or one is shared with you.",
            takes=inputs.RoleCreation,
            gives=outputs.Role,
            status=201,
            conflicts=True,
            asked=examples.ROLE_CREATION,
            answered=examples.ROLE,
        ),
        Operation(
            name="listRoles",
            method="GET",
            path=PATH,
            scope=read,
            handler=do.list,
            summary="List roles",
            description="Oldest first; with what other organizations share, where yours has none by the same name.",
            gives=outputs.RoleList,
            query=PAGE,
            answered=examples.ROLES,
        ),
        Operation(
            name="readRole",
            method="GET",
            path=_ONE,
            scope=read,
            handler=do.read,
            summary="Read a role",
            description="What a token says its bearer is.",
            gives=outputs.Role,
            answered=examples.ROLE,
        ),
        Operation(
            name="changeRole",
            method="PATCH",
            path=_ONE,
            scope=write,
            handler=do.update,
            summary="Change a role",
            description=(
                "Its description, and whether it is shared. Its name is what tokens and resource servers know it by,"
                " and never changes. 409: it shall be shared no more, credentials of other organizations hold it, and"
                " `cascade` was not asked for; or it is another organization's. 403: it is shared, or shall be, and"
                " you are no platform admin."
            ),
            takes=inputs.RoleChange,
            gives=outputs.Role,
            condition=Condition.REQUIRED,
            query=CASCADE,
            conflicts=True,
            asked=examples.ROLE_CHANGE,
            answered=examples.ROLE_CHANGED,
        ),
        Operation(
            name="deleteRole",
            method="DELETE",
            path=_ONE,
            scope=write,
            handler=do.delete,
            summary="Delete a role",
            description=(
                "409: credentials hold it, and `cascade` was not asked for; or it is another organization's. 403: it is"
                " shared, and you are no platform admin."
            ),
            status=204,
            condition=Condition.OPTIONAL,
            query=CASCADE,
            conflicts=True,
        ),
    )
