"""Which use cases are there, and what is each given? All of them at once: they know each other."""

from __future__ import annotations

from flask import Flask

from app.services import Services
from app.services.activity import Activities
from app.services.actors import Actors
from app.services.audit_trail import AuditTrail
from app.services.audit_upkeep import AuditUpkeep
from app.services.audit_verification import AuditVerification
from app.services.bulk import Bulk
from app.services.catalogue import CatalogueService
from app.services.challenges import Challenges
from app.services.claiming import Claiming
from app.services.clockwork import Clockwork
from app.services.counts import Tell
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
from app.services.limits import Limits
from app.services.notices import Notices
from app.services.one_time_codes import OneTimeCodes
from app.services.operators import Operators
from app.services.organizations import Organizations
from app.services.overview import Overviews
from app.services.own_proofs import OwnProofs
from app.services.passkeys import Passkeys
from app.services.passwords import Passwords
from app.services.posting import Poster
from app.services.previewing import Previewing
from app.services.proving_again import ProvingAgain
from app.services.recovery_codes import RecoveryCodes
from app.services.rotations import Rotations
from app.services.sessions import Sessions
from app.services.sign_in_refusals import SignInRefusals
from app.services.sign_on_attempts import Attempts
from app.services.signing_in import SigningIn
from app.services.single_sign_on import SingleSignOn
from app.services.usage import Usage
from app.services.uses import Uses
from app.services.webhooks import Webhooks
from app.settings import Settings
from app.store import Store
from app.store.high_water import HighWater
from app.store.sealing import Sealer, key_encryption_key, pepper_key
from tokenserver.clock import Clock, utc_now
from tokenserver.domain.secret import Pepper
from tokenserver.domain.webhook_target import Reach


def create_services(
    app: Flask, settings: Settings, *, clock: Clock = utc_now, passwords: Passwords | None = None
) -> Services:
    """The use cases without their doors: what the command line needs."""
    peppers = [Pepper.of(key) for key in (pepper_key(settings), settings.pepper_previous) if key is not None]
    store = Store(app, settings)
    sealer = Sealer(key_encryption_key(settings))
    keys = SigningKeys(store, sealer, settings, clock)
    high_water = HighWater(store, settings.home / "high-water")
    feed = Feed(store, high_water, keys, settings, clock)
    credentials = Credentials(store, feed, peppers[0], clock)
    catalogue = CatalogueService(store, feed, clock)
    passwords = passwords or Passwords()
    sessions = Sessions(store, settings, clock)
    refusals = SignInRefusals(store, clock)
    passkeys = Passkeys(store, Challenges(sealer), settings, clock)
    one_time_codes = OneTimeCodes(store, sealer, settings, clock)
    invitations = Invitations(store, sessions, passwords, settings, clock)
    operators = Operators(store, feed, clock)
    installation = Installation(
        store=store,
        high_water=high_water,
        keys=keys,
        catalogue=catalogue,
        credentials=credentials,
        invitations=invitations,
        peppers=peppers,
        clock=clock,
    )
    return Services(
        store=store,
        high_water=high_water,
        peppers=peppers,
        keys=keys,
        feed=feed,
        credentials=credentials,
        bulk=Bulk(store, feed, credentials, clock),
        catalogue=catalogue,
        organizations=Organizations(store, feed, catalogue, clock),
        operators=operators,
        installation=installation,
        actors=Actors(store),
        audit_trail=AuditTrail(store, clock),
        audit_upkeep=AuditUpkeep(store, keys, settings, clock),
        audit_verification=AuditVerification(store, clock),
        usage=Usage(store, clock),
        explaining=Explaining(store, keys, settings, clock),
        previewing=Previewing(store, clock),
        idempotency=Idempotency(store, clock),
        github_keys=GithubKeys(settings.github_keys),
        clockwork=Clockwork(store, clock),
        webhooks=Webhooks(store, sealer, settings, clock),
        deliveries=Deliveries(store, sealer),
        poster=Poster(Reach.parse(settings.webhook_allowed_networks), plain_http=settings.webhook_plain_http),
        rotations=Rotations(store, feed, sealer, peppers[0], settings),
        claiming=Claiming(store, sealer, peppers, clock),
        notices=Notices(store),
        sessions=sessions,
        kept_forms=KeptForms(sealer, clock),
        signing_in=SigningIn(store, sessions, passwords, passkeys, refusals, clock),
        single_sign_on=_single_sign_on(
            settings, store=store, sealer=sealer, sessions=sessions, operators=operators, feed=feed, clock=clock
        ),
        invitations=invitations,
        activities=Activities(store, clock),
        uses=Uses(store),
        overviews=Overviews(store, clock),
        proving_again=ProvingAgain(
            store=store,
            sessions=sessions,
            passwords=passwords,
            one_time_codes=one_time_codes,
            passkeys=passkeys,
            refusals=refusals,
            clock=clock,
        ),
        one_time_codes=one_time_codes,
        passkeys=passkeys,
        recovery_codes=RecoveryCodes(store, clock),
        own_proofs=OwnProofs(store, sessions, passwords, refusals, clock),
    )


def create_limits(services: Services, settings: Settings, *, clock: Clock, periods: Clock) -> Limits:
    """How much anybody may ask for, counted in this process or, where there is a Redis, by all of them together."""
    return Limits(services.store, settings, clock, _shared_counts(settings), periods=periods)


def _single_sign_on(
    settings: Settings,
    *,
    store: Store,
    sealer: Sealer,
    sessions: Sessions,
    operators: Operators,
    feed: Feed,
    clock: Clock,
) -> SingleSignOn | None:
    if not settings.sso_issuer:
        return None
    from app.services.identity_provider import IdentityProvider  # noqa: PLC0415  slow to import, and not for most

    return SingleSignOn(
        store=store,
        sessions=sessions,
        operators=operators,
        feed=feed,
        attempts=Attempts(store, sealer, clock),
        provider=IdentityProvider(settings, clock),
        settings=settings,
        clock=clock,
    )


def _shared_counts(settings: Settings) -> Tell | None:
    if not settings.redis_url or not settings.quotas:
        return None
    from app.store.shared_counts import SharedCounts  # noqa: PLC0415  slow to import, and most have no Redis

    return SharedCounts(settings.redis_url).add
