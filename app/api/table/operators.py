"""Which operations are there on operators?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.conditions import Condition
from app.api.operation import PAGE, Operation
from app.api.operators import PATH, OperatorOperations
from app.inputs import bodies as inputs

_ONE = PATH + "/{operator_id}"


def rows(do: OperatorOperations) -> tuple[Operation, ...]:
    read, write = "operators:read", "operators:write"
    return (
        Operation(
            name="addOperator",
            method="POST",
            path=PATH,
            scope=write,
            handler=do.create,
            summary="Add an operator",
            description=(
                "You must hold every permission of the role that you give, and hand on no roles and scopes that you do"
                " not hold. 409: this person is a member already."
            ),
            takes=inputs.OperatorCreation,
            gives=outputs.Operator,
            status=201,
            conflicts=True,
            asked=examples.OPERATOR_CREATION,
            answered=examples.OPERATOR,
        ),
        Operation(
            name="listOperators",
            method="GET",
            path=PATH,
            scope=read,
            handler=do.list,
            summary="List operators",
            description="Who has been a member for longest first.",
            gives=outputs.OperatorList,
            query=PAGE,
            answered=examples.OPERATORS,
        ),
        Operation(
            name="readOperator",
            method="GET",
            path=_ONE,
            scope=read,
            handler=do.read,
            summary="Read an operator",
            description="With the permissions that personal credentials can have.",
            gives=outputs.Operator,
            answered=examples.OPERATOR,
        ),
        Operation(
            name="changeOperator",
            method="PATCH",
            path=_ONE,
            scope=write,
            handler=do.update,
            summary="Change an operator",
            description=(
                "Only members that are present change. What is taken away, the operator's personal credentials lose at"
                " once: tokens that are out end. 409: there would be no owner."
            ),
            takes=inputs.OperatorChange,
            gives=outputs.Operator,
            condition=Condition.REQUIRED,
            conflicts=True,
            asked=examples.OPERATOR_CHANGE,
            answered=examples.OPERATOR_CHANGED,
        ),
        Operation(
            name="removeOperator",
            method="DELETE",
            path=_ONE,
            scope=write,
            handler=do.delete,
            summary="Remove an operator",
            description=(
                "Personal credentials are revoked with their owner; credentials of the organization go on. 409: there"
                " would be no owner."
            ),
            status=204,
            condition=Condition.OPTIONAL,
            conflicts=True,
        ),
    )
