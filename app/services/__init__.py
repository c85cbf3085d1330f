"""What happens? One public method per use case; transaction, audit line and feed inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.activity import Activities
from app.services.actors import Actors
from app.services.audit_trail import AuditTrail
from app.services.audit_upkeep import AuditUpkeep
from app.services.audit_verification import AuditVerification
from app.services.bulk import Bulk
from app.services.catalogue import CatalogueService
from app.services.claiming import Claiming
from app.services.clockwork import Clockwork
from app.services.credentials import Credentials
from app.services.deliveries import Deliveries
from app.services.explaining import Explaining
from app.services.feed import Feed
from app.services.github_keys import GithubKeys
from app.services.idempotency import Idempotency
from app.services.installation import Installation
from app.services.invitations import Invitations
from app.services.kept_forms import KeptForms
from app.services.keys import SigningKeys
from app.services.notices import Notices
from app.services.one_time_codes import OneTimeCodes
from app.services.operators import Operators
from app.services.organizations import Organizations
from app.services.overview import Overviews
from app.services.own_proofs import OwnProofs
from app.services.passkeys import Passkeys
from app.services.posting import Poster
from app.services.previewing import Previewing
from app.services.proving_again import ProvingAgain
from app.services.recovery_codes import RecoveryCodes
from app.services.rotations import Rotations
from app.services.sessions import Sessions
from app.services.signing_in import SigningIn
from app.services.single_sign_on import SingleSignOn
from app.services.usage import Usage
from app.services.uses import Uses
from app.services.webhooks import Webhooks
from app.store import Store
from app.store.high_water import HighWater
from tokenserver.domain.secret import Pepper


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases of this process, wired: what the command line and the doors are given."""

    store: Store
    high_water: HighWater
    peppers: Sequence[Pepper]
    keys: SigningKeys
    feed: Feed
    credentials: Credentials
    bulk: Bulk
    catalogue: CatalogueService
    organizations: Organizations
    operators: Operators
    installation: Installation
    actors: Actors
    audit_trail: AuditTrail
    audit_upkeep: AuditUpkeep
    audit_verification: AuditVerification
    usage: Usage
    explaining: Explaining
    previewing: Previewing
    idempotency: Idempotency
    github_keys: GithubKeys
    clockwork: Clockwork
    webhooks: Webhooks
    deliveries: Deliveries
    poster: Poster
    rotations: Rotations
    claiming: Claiming
    notices: Notices
    sessions: Sessions
    kept_forms: KeptForms
    signing_in: SigningIn
    single_sign_on: SingleSignOn | None
    """None: no provider is set."""
    invitations: Invitations
    activities: Activities
    uses: Uses
    overviews: Overviews
    proving_again: ProvingAgain
    one_time_codes: OneTimeCodes
    passkeys: Passkeys
    recovery_codes: RecoveryCodes
    own_proofs: OwnProofs
