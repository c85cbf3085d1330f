"""Who may change which part of the catalogue, and who shares it with every organization?

An audience belongs to the organization that had it first: resource servers know tokens by it. Only a platform admin
gives it to another organization, and says there which scopes it has; else whoever administers an organization could
mint tokens, with scopes of their own making, for an API of somebody else.

What is shared is changed, like what is not, in the organization whose it is and nowhere else; and only by platform
admins, since it is what others hold as well. Of one audience, and of roles by one name, one is shared at the most. A
role of one API is shared only where that API is.
"""

from __future__ import annotations

from app.services.audit import Caller
from app.store import Transaction
from app.store.catalogue import AlreadyThere
from tokenserver.domain.catalogue import Api, Role
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import WRITE_ALL
from tokenserver.errors import Conflict, Fault, InsufficientScope, InvalidInput


class OfAnotherOrganization(Conflict):
    code = "of_another_organization"
    public = (
        "This audience belongs to another organization: a platform admin may give it to yours, and say which scopes it"
        " has there."
    )


class SharedByAnother(OfAnotherOrganization):
    public = "Another organization shares this with yours: platform admins change it, in that organization."


class SharedTwice(AlreadyThere):
    public = "Another organization shares one by that name already."


class BelongsToTheServer(Conflict):
    code = "belongs_to_the_server"
    public = "This API is the server's own and cannot be changed."


def refuse_foreign(tx: Transaction, caller: Caller, audience: str) -> None:
    """An audience that is somebody else's, for whoever is no platform admin."""
    if audience == ADMIN_AUDIENCE or WRITE_ALL in caller.scopes:
        return
    if tx.catalogue.is_foreign(audience, caller.organization_id):
        raise OfAnotherOrganization


def refuse_own(api: Api) -> None:
    """The server's own API, which is never changed and never shared."""
    if api.audience == ADMIN_AUDIENCE:
        raise BelongsToTheServer


def refuse_unowned(caller: Caller, one: Api | Role) -> None:
    """What another organization shares with the caller's."""
    if one.organization_id != caller.organization_id:
        raise SharedByAnother


def refuse_sharing(tx: Transaction, caller: Caller, before: Api | Role | None, after: Api | Role | None) -> None:
    """A change of what is shared, or that shares, or shares no more, unless the caller may do it and it is sound."""
    was, will_be = before is not None and before.shared, after is not None and after.shared
    if (was or will_be) and WRITE_ALL not in caller.scopes:
        raise InsufficientScope("Only platform admins share, and change what is shared: other organizations hold it.")
    if isinstance(before, Api) and was and not will_be and tx.catalogue.shared_roles_of_api(before.audience):
        raise Conflict("Roles that are shared belong to this API: share them no more first.")
    if after is not None and will_be and not was:
        _refuse_unfit(tx, after)


def _refuse_unfit(tx: Transaction, shared: Api | Role) -> None:
    if isinstance(shared, Api):
        refuse_own(shared)
        if tx.catalogue.shared_api(shared.audience) is not None:
            raise SharedTwice
        return
    if tx.catalogue.shared_role(shared.name) is not None:
        raise SharedTwice
    if shared.audience is not None and tx.catalogue.shared_api(shared.audience) is None:
        raise InvalidInput([Fault("/shared", "Its API is not shared: share that first.")])
