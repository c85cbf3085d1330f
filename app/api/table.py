"""Which operations does the admin API have? The one table: its routes and its description are both made from it."""

from __future__ import annotations

from app.api import apis, credentials, examples, inputs, outputs, roles
from app.api.conditions import Condition
from app.api.operation import Operation

ONE_CREDENTIAL = credentials.PATH + "/{client_id}"
ONE_API = apis.PATH + "/{api_id}"
ONE_ROLE = roles.PATH + "/{role_id}"
_PAGE = ("limit", "cursor")
_CASCADE = ("cascade",)


def operations(
    of_credentials: credentials.CredentialOperations, of_apis: apis.ApiOperations, of_roles: roles.RoleOperations
) -> tuple[Operation, ...]:
    """In the order of the description."""
    return (*_credentials(of_credentials), *_endings(of_credentials), *_apis(of_apis), *_roles(of_roles))


def _credentials(do: credentials.CredentialOperations) -> tuple[Operation, ...]:
    read, write = "credentials:read", "credentials:write"
    return (
        Operation(
            name="createCredential",
            method="POST",
            path=credentials.PATH,
            scope=write,
            handler=do.create,
            summary="Create a credential",
            description="The secret is shown in this answer and never again.",
            takes=inputs.CredentialCreation,
            gives=outputs.CreatedCredential,
            status=201,
            asked=examples.CREDENTIAL_CREATION,
            answered=examples.CREATED,
        ),
        Operation(
            name="listCredentials",
            method="GET",
            path=credentials.PATH,
            scope=read,
            handler=do.list,
            summary="List credentials",
            description="Newest first, with revoked and expired ones, without deleted ones.",
            gives=outputs.CredentialList,
            query=_PAGE,
            answered=examples.CREDENTIALS,
        ),
        Operation(
            name="readCredential",
            method="GET",
            path=ONE_CREDENTIAL,
            scope=read,
            handler=do.read,
            summary="Read a credential",
            description="With every secret it ever had, each by its hint, state and last use.",
            gives=outputs.Credential,
            answered=examples.CREDENTIAL,
        ),
        Operation(
            name="changeCredential",
            method="PATCH",
            path=ONE_CREDENTIAL,
            scope=write,
            handler=do.update,
            summary="Change a credential",
            description=(
                "Only members that are present change. One that takes something away (a role, a scope, an address, an"
                " earlier expiry, a shorter lifetime) ends every token that is out; one that only adds disturbs nobody."
                " 409: a credential that was revoked or has expired takes no new terms."
            ),
            takes=inputs.CredentialChange,
            gives=outputs.Credential,
            condition=Condition.REQUIRED,
            conflicts=True,
            asked=examples.CREDENTIAL_CHANGE,
            answered=examples.NARROWED,
        ),
        Operation(
            name="deleteCredential",
            method="DELETE",
            path=ONE_CREDENTIAL,
            scope=write,
            handler=do.delete,
            summary="Delete a credential",
            description=(
                "Its secrets and every token that is out end at once, and it is gone from every list. Its audit lines"
                " stay, and its client ID is never given out again."
            ),
            status=204,
            condition=Condition.OPTIONAL,
        ),
    )


def _endings(do: credentials.CredentialOperations) -> tuple[Operation, ...]:
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
        "takes": inputs.Nothing,
        "gives": outputs.Credential,
        "condition": Condition.OPTIONAL,
        "conflicts": True,
    }
    return Operation(**{**usual, **row, "path": f"{ONE_CREDENTIAL}{row['path']}"})  # type: ignore[arg-type]  # a row


def _apis(do: apis.ApiOperations) -> tuple[Operation, ...]:
    read, write = "apis:read", "apis:write"
    return (
        Operation(
            name="createApi",
            method="POST",
            path=apis.PATH,
            scope=write,
            handler=do.create,
            summary="Create an API",
            description="A protected resource with its scopes. 409: there is one with this audience already.",
            takes=inputs.ApiCreation,
            gives=outputs.Api,
            status=201,
            conflicts=True,
            asked=examples.API_CREATION,
            answered=examples.API,
        ),
        Operation(
            name="listApis",
            method="GET",
            path=apis.PATH,
            scope=read,
            handler=do.list,
            summary="List APIs",
            description="Oldest first. The server's own is among them, with the scopes of this very API.",
            gives=outputs.ApiList,
            query=_PAGE,
            answered=examples.APIS,
        ),
        Operation(
            name="readApi",
            method="GET",
            path=ONE_API,
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
            path=ONE_API,
            scope=write,
            handler=do.update,
            summary="Change an API",
            description=(
                "Only members that are present change. 409: credentials would lose a scope, and `cascade` was not"
                " asked for; or the API is the server's own."
            ),
            takes=inputs.ApiChange,
            gives=outputs.Api,
            condition=Condition.REQUIRED,
            query=_CASCADE,
            conflicts=True,
            asked=examples.API_CHANGE,
            answered=examples.API_CHANGED,
        ),
        Operation(
            name="deleteApi",
            method="DELETE",
            path=ONE_API,
            scope=write,
            handler=do.delete,
            summary="Delete an API",
            description=(
                "409: credentials hold a grant at it, and `cascade` was not asked for; or roles belong to it; or it is"
                " the server's own."
            ),
            status=204,
            condition=Condition.OPTIONAL,
            query=_CASCADE,
            conflicts=True,
        ),
    )


def _roles(do: roles.RoleOperations) -> tuple[Operation, ...]:
    read, write = "roles:read", "roles:write"
    return (
        Operation(
            name="createRole",
            method="POST",
            path=roles.PATH,
            scope=write,
            handler=do.create,
            summary="Create a role",
            description="409: there is one by this name already.",
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
            path=roles.PATH,
            scope=read,
            handler=do.list,
            summary="List roles",
            description="Oldest first.",
            gives=outputs.RoleList,
            query=_PAGE,
            answered=examples.ROLES,
        ),
        Operation(
            name="readRole",
            method="GET",
            path=ONE_ROLE,
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
            path=ONE_ROLE,
            scope=write,
            handler=do.update,
            summary="Change a role's description",
            description="Its name is what tokens and resource servers know it by, and never changes.",
            takes=inputs.RoleChange,
            gives=outputs.Role,
            condition=Condition.REQUIRED,
            asked=examples.ROLE_CHANGE,
            answered=examples.ROLE_CHANGED,
        ),
        Operation(
            name="deleteRole",
            method="DELETE",
            path=ONE_ROLE,
            scope=write,
            handler=do.delete,
            summary="Delete a role",
            description="409: credentials hold it, and `cascade` was not asked for.",
            status=204,
            condition=Condition.OPTIONAL,
            query=_CASCADE,
            conflicts=True,
        ),
    )
