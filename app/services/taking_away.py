"""Which credentials lose what when a part of the catalogue changes or goes, and how is it taken from them?

Taking something away that credentials hold (deleting a role, an API or a scope; making a scope sensitive; changing what
kind a scope is; sharing no more) is refused with their number and the first of them, or done with a bump of each when
asked to *cascade*: nothing that is out goes on under terms that are gone.

Of what was shared that is so in every organization where it was in force. Each of their credentials has its audit line
there, by the platform admin who did it; all in one transaction, in the order of client IDs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from app.services.audit import Caller
from app.services.saving import save_changes
from app.services.terms import Reach
from app.store import Transaction
from tokenserver.domain.audit import Event
from tokenserver.domain.catalogue import Api, Role
from tokenserver.domain.credential import Credential, Status
from tokenserver.domain.restrictions import Access, Restrictions, narrows
from tokenserver.errors import Conflict

MOST_NAMED = 100


class StillHeld(Conflict):
    """Credentials hold what was to go; `client_ids` are the first of them, `count` is how many there are."""

    code = "still_held"

    def __init__(self, client_ids: list[str]) -> None:
        self.client_ids = client_ids[:MOST_NAMED]
        self.count = len(client_ids)
        super().__init__(
            f"It is held by credentials ({self.count}). Change them first, or repeat with cascade=true: it is then"
            " taken from each of them, and their outstanding tokens end."
        )


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change of an API's scopes means to a credential."""

    credential: Credential
    gains: frozenset[str]
    loses: frozenset[str]


ApiIn = Callable[[str], Api | None]
"""Which API the audience means, by organization, when the change is made."""
RoleIn = Callable[[str], Role | None]


@dataclass(frozen=True, slots=True)
class Taking:
    """One change of the catalogue, in its transaction."""

    tx: Transaction
    caller: Caller
    now: float
    cascade: bool

    def scopes(self, holders: Iterable[Credential], before: Api, then_in: ApiIn) -> None:
        """What `holders` of grants at `before` would not hold at what comes after it."""

        def loses(credential: Credential) -> bool:
            terms, then = credential.restrictions, then_in(credential.organization_id)
            return then is None or narrows(terms, terms, {then.audience: before}, then={then.audience: then})

        self._narrow(
            [one for one in holders if loses(one)],
            lambda one: _at(one.restrictions, before.audience, then_in(one.organization_id)),
        )

    def role(self, holders: Iterable[Credential], before: Role, then_in: RoleIn) -> None:
        """A role that goes; or that becomes one of a single API, and is then in no token for another."""

        def loses(credential: Credential) -> bool:
            then = then_in(credential.organization_id)
            return then is None or then.audience not in {None, before.audience}

        def left(credential: Credential) -> Restrictions:
            terms = credential.restrictions
            gone = {before.name} if then_in(credential.organization_id) is None else set()
            return replace(terms, roles=terms.roles - gone)

        self._narrow([one for one in holders if loses(one)], left)

    def _narrow(self, holders: Iterable[Credential], left: Callable[[Credential], Restrictions]) -> None:
        """Refuse, or take from each holder and bump it; in the order of client IDs, as every writer does."""
        living = living_of(holders, self.now)
        if living and not self.cascade:
            raise StillHeld([credential.client_id for credential in living])
        places = {credential.organization_id for credential in living}
        reach = {place: Reach(self.tx, replace(self.caller, organization_id=place)) for place in places}
        for credential in living:
            reach[credential.organization_id].refuse_beyond(credential.restrictions)
        changed = [(credential, credential.narrowed(left(credential), self.now)) for credential in living]
        if changed:
            save_changes(self.tx, self.caller, Event.CREDENTIAL_UPDATED, changed, self.now)


def gains_of(holders: Iterable[Credential], before: Api, then_in: ApiIn, now: float) -> list[Gain]:
    """Which of them would gain or lose which scopes; in the order of client IDs."""
    found = []
    for credential in living_of(holders, now):
        (grant,) = (g for g in credential.restrictions.grants if g.audience == before.audience)
        then = then_in(credential.organization_id)
        has, will_have = grant.resolved(before), frozenset[str]() if then is None else grant.resolved(then)
        if has != will_have:
            found.append(Gain(credential, will_have - has, has - will_have))
    return found


def living_of(holders: Iterable[Credential], now: float) -> list[Credential]:
    """What has been revoked or has expired holds nothing any more."""
    final = {Status.REVOKED, Status.EXPIRED}
    return sorted((c for c in holders if c.status(now) not in final), key=lambda holder: holder.client_id)


def _at(terms: Restrictions, audience: str, then: Api | None) -> Restrictions:
    """What is left of `terms` where the audience means `then`."""
    if then is None:
        return replace(terms, grants=tuple(grant for grant in terms.grants if grant.audience != audience))
    kept = then.scope_names()
    grants = (
        replace(grant, scopes=grant.scopes & kept)
        if grant.audience == audience and grant.access is Access.CUSTOM
        else grant
        for grant in terms.grants
    )
    return replace(terms, grants=tuple(grants))
