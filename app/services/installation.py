"""How does an empty installation get its first organization, keys and administrator?

`prepare` makes what the server cannot run without: the default organization, its admin API, a signing key. It is safe
to call at every start, on every node. `bootstrap` also makes the admin credential, once: its secret is seen by
whoever ran the command, so that the server itself never makes one that nobody would see. No default credential
exists.

An installation knows which pepper its digests were made with, and refuses to start under another one, since no secret
could be proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.services.audit import Caller
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.services.ids import new_id
from app.services.invitations import Invitations
from app.services.keys import SigningKeys
from app.services.terms import Draft
from app.settings import InvalidSettings
from app.store import Store, Transaction
from app.store.high_water import HighWater
from app.store.schema import is_current, migrate
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.domain.generation import Generation
from tokenserver.domain.liveness import reference
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.operators import ADMIN_SCOPES, Membership, Operator, OperatorRole
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Access, Grant, Restrictions
from tokenserver.domain.secret import Pepper, Secret
from tokenserver.errors import Conflict

_PEPPERS = "pepper_ids"
DEFAULT_EMAIL = "admin@localhost"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """`secret` is None when nothing new was made."""

    organization_id: str
    operator_email: str
    client_id: str | None
    secret: Secret | None
    setup_url: str | None = field(default=None, repr=False)
    """Where the first operator chooses a password; None when there was nothing to set up."""


class Installation:
    def __init__(
        self,
        *,
        store: Store,
        high_water: HighWater,
        keys: SigningKeys,
        catalogue: CatalogueService,
        credentials: Credentials,
        invitations: Invitations,
        peppers: Sequence[Pepper],
        clock: Clock,
    ) -> None:
        self._store = store
        self._high_water = high_water
        self._keys = keys
        self._catalogue = catalogue
        self._credentials = credentials
        self._invitations = invitations
        self._peppers = tuple(peppers)
        self._clock = clock

    def migrate(self) -> bool:
        """Bring the schema up to date; returns whether there was anything to do."""
        return migrate(self._store)

    def refuse_unless_current(self) -> None:
        """Raise InvalidSettings unless the schema is the one this program needs."""
        if not is_current(self._store):
            raise InvalidSettings("The database's schema is not up to date: run python -m app migrate.")

    def prepare(self) -> Caller:
        """Make what is missing; returns the shell as a caller in the default organization."""
        with self._store.reading() as tx:
            self._high_water.see(tx.feed.last_seq())
            organization = tx.organizations.first()
            self._keys.refuse_unless_opened(tx)
            if organization is not None and tx.keys.all() and self._peppers_are_known(tx):
                ours = tx.catalogue.of(organization.id).get(ADMIN_AUDIENCE)
                if ours is not None and ours.scopes == ADMIN_SCOPES:
                    return _shell(organization.id)
        with self._store.writing() as tx:
            return self._prepare_in(tx)

    def bootstrap(self, email: str | None = None, *, again: bool = False) -> Bootstrapped:
        """The first admin credential, or another one when asked `again`."""
        caller = self.prepare()
        with self._store.writing() as tx:
            now = self._clock()
            operator = tx.operators.first(caller.organization_id)
            if operator is None:
                operator = Operator(
                    new_id("op"), (email or DEFAULT_EMAIL).lower(), platform_admin=True, created_at=int(now)
                )
                tx.operators.add(operator)
                owner = Membership(operator.id, OperatorRole.OWNER, created_at=int(now))
                tx.operators.add_member(caller.organization_id, owner)
            client_id = tx.organizations.fact("admin_client_id")
            if client_id is not None and not again:
                return Bootstrapped(caller.organization_id, operator.email, client_id, None)
            draft = Draft(
                name="admin" if client_id is None else f"admin {new_id('again')[-6:]}",
                description="Holds every scope of the admin API. Made by bootstrap.",
                restrictions=Restrictions(
                    grants=(Grant(ADMIN_AUDIENCE, Access.CUSTOM, frozenset(s.name for s in ADMIN_SCOPES)),)
                ),
            )
            made = self._credentials.create_in(tx, caller, draft, now)
            client_id = made.view.credential.client_id
            tx.organizations.set_fact("admin_client_id", client_id)
            tx.audit.append(caller.did(Event.INSTALLATION_BOOTSTRAPPED, now, client_id, operator=operator.email))
            link = self._invitations.invite_in(tx, caller, operator, now)
        return Bootstrapped(caller.organization_id, operator.email, client_id, made.secret, link.url)

    def accept_restore(self, reached: int | None = None) -> int:
        """Go on with a database that went back: end every token, above the number that was reached; returns it.

        Resource servers remember floors of the lost changes. Each change lifts a generation by two at the most, so
        that twice their number leaps over all of them; no number is used for two different sets of terms.
        """
        with self._store.writing() as tx:
            now = self._clock()
            found = tx.feed.last_seq()
            reached = max(self._high_water.reached(), reached or 0)
            if reached <= found:
                raise Conflict(
                    "This node has not seen the database go back: run it on the node that refuses to serve, or say with"
                    " --reached which change that node names."
                )
            leap = 2 * (reached - found) + 2
            tx.credentials.leap(leap, now)
            tx.feed.skip_to(reached)
            organizations = tx.organizations.all()
            for organization in organizations:
                generation = organization.generation.bumped(now, leap)
                ended = replace(organization, generation=generation, version=organization.version + 1)
                floors = ended.generation.floors_to_tell(organization.generation, now)
                tx.organizations.save(ended, was=organization)
                tx.feed.tell_floors(organization.id, reference(organization.id), floors, now)
            for organization in organizations:
                tx.audit.append(_shell(organization.id).did(Event.INSTALLATION_RESTORED, now, reached=reached))
        return reached

    def _prepare_in(self, tx: Transaction) -> Caller:
        now = self._clock()
        organization = tx.organizations.first()
        if organization is None:
            organization = Organization(new_id("org"), "Default", Generation(), created_at=int(now))
            tx.organizations.add(organization)
        caller = _shell(organization.id)
        for each in tx.organizations.all():
            self._catalogue.keep_admin_api_in(tx, replace(caller, organization_id=each.id), now)
        self._keys.make_first(tx, caller, now)
        if not self._peppers_are_known(tx):
            tx.organizations.set_fact(_PEPPERS, ",".join(pepper.id for pepper in self._peppers))
        return caller

    def _peppers_are_known(self, tx: Transaction) -> bool:
        """Whether the fact names our peppers; raises InvalidSettings while a secret needs one that was not given."""
        fact = tx.organizations.fact(_PEPPERS)
        known, ours = set((fact or "").split(",")) - {""}, {pepper.id for pepper in self._peppers}
        if known - ours and tx.secrets.are_hashed_under(known - ours, self._clock()):
            raise InvalidSettings(
                "Secrets in this database were hashed under another pepper (TOKENSERVER_PEPPER or the file pepper):"
                " restore it, or give it as TOKENSERVER_PEPPER_PREVIOUS."
            )
        return known == ours


def _shell(organization_id: str) -> Caller:
    return Caller("shell", organization_id, frozenset(scope.name for scope in ADMIN_SCOPES))
