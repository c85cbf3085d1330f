"""Which operations are there on APIs and their scopes?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.apis import PATH, ApiOperations
from app.api.conditions import Condition
from app.api.operation import CASCADE, PAGE, Operation
from app.inputs import bodies as inputs

_ONE = PATH + "/{api_id}"


def rows(do: ApiOperations) -> tuple[Operation, ...]:
    read, write = "apis:read", "apis:write"
    return (
        Operation(
            name="createApi",
            method="POST",
            path=PATH,
            scope=write,
            handler=do.create,
            summary="Create an API",
            description=(
                "A protected resource with its scopes. 409: there is one with this audience already; or it belongs to"
                " another organization, and you are no platform admin; or it stands for one that is shared,"
                " credentials would lose a scope, and `cascade` was not asked for."
            ),
            takes=inputs.ApiCreation,
            gives=outputs.Api,
            status=201,
            query=CASCADE,
            conflicts=True,
            asked=examples.API_CREATION,
            answered=examples.API,
        ),
        Operation(
            name="listApis",
            method="GET",
            path=PATH,
            scope=read,
            handler=do.list,
            summary="List APIs",
            description=(
                "Oldest first. The server's own is among them, with the scopes of this very API; and what other"
                " organizations share, where yours has none with the same audience."
            ),
            gives=outputs.ApiList,
            query=PAGE,
            answered=examples.APIS,
        ),
        Operation(
            name="readApi",
            method="GET",
            path=_ONE,
            scope=read,
            handler=do.read,
            summary="Read an API",
            description="With its scopes, in the order in which they were given.",
            gives=outputs.Api,
            answered=examples.API,
        ),
        Operation(
            name="changeApi",
            method="PATCH",
            path=_ONE,
            scope=write,
            handler=do.update,
            summary="Change an API",
            description=(
                "Only members that are present change. 409: credentials would lose a scope, and `cascade` was not"
                " asked for; or the API is the server's own, or another organization's, whose scopes platform admins"
                " set; or roles that are shared belong to it, and it shall be shared no more. 403: it is shared, or"
                " shall be, and you are no platform admin."
            ),
            takes=inputs.ApiChange,
            gives=outputs.Api,
            condition=Condition.REQUIRED,
            query=CASCADE,
            conflicts=True,
            asked=examples.API_CHANGE,
            answered=examples.API_CHANGED,
        ),
        Operation(
            name="previewApiChange",
            method="POST",
            path=_ONE + "/preview",
            scope=write,
            handler=do.preview,
            summary="Preview a change of an API",
            description=(
                "Which credentials would gain or lose which scopes, by `all_read` and `all_read_write` or because a"
                " scope goes. Nothing changes. Of an API that yours shares, a platform admin is told of credentials of"
                " every organization, and everybody else of their own."
            ),
            takes=inputs.ApiChange,
            gives=outputs.Preview,
            versioned=False,
            asked=examples.API_PREVIEW,
            answered=examples.PREVIEW,
        ),
        Operation(
            name="deleteApi",
            method="DELETE",
            path=_ONE,
            scope=write,
            handler=do.delete,
            summary="Delete an API",
            description=(
                "409: credentials hold a grant at it, and `cascade` was not asked for; or roles belong to it; or it is"
                " the server's own, or another organization's. 403: it is shared, and you are no platform admin."
            ),
            status=204,
            condition=Condition.OPTIONAL,
            query=CASCADE,
            conflicts=True,
        ),
    )
