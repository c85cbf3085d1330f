"""Which operations are there on credentials?"""

from __future__ import annotations

from app.api import examples, outputs
from app.api.conditions import Condition
from app.api.credentials import PATH, CredentialOperations
from app.api.operation import PAGE, Operation
from app.inputs import bodies as inputs
from app.inputs.selecting import FILTERS

_ONE = PATH + "/{client_id}"


def rows(do: CredentialOperations) -> tuple[Operation, ...]:
    read, write = "credentials:read", "credentials:write"
    own_read, own_write = "personal:read", "personal:write"
    return (
        Operation(
            name="createCredential",
            method="POST",
            path=PATH,
            scope=write,
            own=own_write,
            handler=do.create,
            summary="Create a credential",
            description=(
                "The secret is shown in this answer and never again. 409: another credential that has not ended has"
                " this name, in whatever spelling; or the quota of the organization is used up."
            ),
            takes=inputs.CredentialCreation,
            gives=outputs.CreatedCredential,
            status=201,
            conflicts=True,
            asked=examples.CREDENTIAL_CREATION,
            answered=examples.CREATED,
        ),
        Operation(
            name="listCredentials",
            method="GET",
            path=PATH,
            scope=read,
            own=own_read,
            handler=do.list,
            summary="List credentials",
            description="Newest first unless asked otherwise; with revoked and expired ones, without deleted ones.",
            gives=outputs.CredentialList,
            query=(*FILTERS, *PAGE),
            answered=examples.CREDENTIALS,
        ),
        Operation(
            name="readCredential",
            method="GET",
            path=_ONE,
            scope=read,
            own=own_read,
            handler=do.read,
            summary="Read a credential",
            description="With every secret it ever had, each by its hint, state and last use.",
            gives=outputs.Credential,
            answered=examples.CREDENTIAL,
        ),
        Operation(
            name="changeCredential",
            method="PATCH",
            path=_ONE,
            scope=write,
            own=own_write,
            handler=do.update,
            summary="Change a credential",
            description=(
                "Only members that are present change. One that takes something away (a role, a scope, an address, an"
                " earlier expiry, a shorter lifetime) ends every token that is out; one that only adds disturbs nobody."
                " 409: a credential that was revoked or has expired takes no new terms; or another one has this name."
            ),
            takes=inputs.CredentialChange,
            gives=outputs.ChangedCredential,
            condition=Condition.REQUIRED,
            conflicts=True,
            asked=examples.CREDENTIAL_CHANGE,
            answered=examples.NARROWED,
        ),
        Operation(
            name="deleteCredential",
            method="DELETE",
            path=_ONE,
            scope=write,
            own=own_write,
            handler=do.delete,
            summary="Delete a credential",
            description=(
                "Its secrets and every token that is out end at once, and it is gone from every list. Its audit lines"
                " stay, and its client ID is never given out again."
            ),
            status=204,
            condition=Condition.OPTIONAL,
        ),
        *_endings(do),
    )


def _endings(do: CredentialOperations) -> tuple[Operation, ...]:
    return (
        _action(
            name="regenerateSecret",
            path="/regenerate",
            handler=do.regenerate,
            summary="Regenerate the secret now",
            description=(
                "A new secret, shown in this answer and never again. The old one, and every token that is out, have"
                " ended when it arrives. 409: the credential was revoked or has expired."
            ),
            gives=outputs.Regenerated,
            answered=examples.REGENERATED,
        ),
        _action(
            name="rotateSecret",
            path="/rotate",
            handler=do.rotate,
            summary="Rotate the secret with a grace period",
            description=(
                "A new secret, shown in this answer and never again. The old one and its tokens work until the grace"
                " period ends. 409: a rotation is in progress already, or the credential is disabled or has ended."
            ),
            takes=inputs.Rotation,
            gives=outputs.Rotated,
            asked=examples.ROTATION,
            answered=examples.ROTATED,
        ),
        _action(
            name="finishRotation",
            path="/rotation/finish",
            handler=do.finish_rotation,
            summary="Finish a rotation early",
            description="The old secret and its tokens end now; the new ones go on. 409: no rotation is in progress.",
            answered=examples.FINISHED,
        ),
        _action(
            name="cancelRotation",
            path="/rotation/cancel",
            handler=do.cancel_rotation,
            summary="Cancel a rotation",
            description=(
                "The new secret is withdrawn and the old one goes on. Every token that is out ends and is fetched anew."
                " 409: no rotation is in progress."
            ),
            answered=examples.CANCELLED,
        ),
        _action(
            name="disableCredential",
            path="/disable",
            handler=do.disable,
            summary="Disable a credential",
            description=(
                "Every token that is out ends, and no new one is issued until it is enabled. Disabling twice changes"
                " nothing. 409: the credential was revoked or has expired."
            ),
            answered=examples.DISABLED,
        ),
        _action(
            name="enableCredential",
            path="/enable",
            handler=do.enable,
            summary="Enable a credential",
            description=(
                "Its secrets work again; tokens of before do not come back. Enabling twice changes nothing."
                " 409: the credential was revoked or has expired."
            ),
            answered=examples.ENABLED,
        ),
        _action(
            name="revokeCredential",
            path="/revoke",
            handler=do.revoke,
            summary="Revoke a credential for good",
            description=(
                "Every token that is out ends, and the credential can be read but never used again. Revoking twice"
                " changes nothing; the first reason stays."
            ),
            takes=inputs.Revocation,
            asked=examples.REVOCATION,
            answered=examples.REVOKED,
            conflicts=False,
        ),
    )


def _action(**row: object) -> Operation:
    """A row under one credential: a POST that takes nothing and gives the credential, unless it says otherwise."""
    usual: dict[str, object] = {
        "method": "POST",
        "scope": "credentials:write",
        "own": "personal:write",
        "takes": inputs.Nothing,
        "gives": outputs.ChangedCredential,
        "condition": Condition.OPTIONAL,
        "conflicts": True,
    }
    return Operation(**{**usual, **row, "path": f"{_ONE}{row['path']}"})  # type: ignore[arg-type]  # a row
