"""Which operations are there on tokens?"""

from __future__ import annotations

from app.api import token_bodies as bodies
from app.api.operation import Operation
from app.api.tokens import ANSWERED, ASKED, PATH, TokenOperations


def rows(do: TokenOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="inspectToken",
            method="POST",
            path=f"{PATH}/inspect",
            scope="credentials:read",
            own="personal:read",
            handler=do.inspect,
            summary="Say check by check whether a token is good",
            description=(
                "The checks of a resource server, numbered, each with its reason in words; where the token was ended,"
                " by whom and when. Of another organization's token no more is told than whether it is well-formed and"
                " signed. The token is neither kept nor logged. As `tokenserver token inspect` does it from outside."
            ),
            takes=bodies.TokenInspection,
            gives=bodies.TokenInspected,
            versioned=False,
            asked=ASKED,
            answered=ANSWERED,
        ),
    )
