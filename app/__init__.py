"""The token server. `create_app` is the whole wiring: if it is not here, it is not connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from flask import Flask

from app.api import AdminApi
from app.console import Console
from app.console.account import AccountPages
from app.console.apis import ApiPages
from app.console.applied import AppliedPages
from app.console.audit import AuditPages
from app.console.credential import OneCredentialPages
from app.console.credential_edit import EditingPages
from app.console.credentials import CredentialPages
from app.console.ending import EndingPages
from app.console.explain import ExplainPages
from app.console.first_steps import FirstStepsPages
from app.console.keys import KeyPages
from app.console.many_credentials import ManyCredentialsPages
from app.console.new_credential import NewCredentialPages
from app.console.new_secret import NewSecretPages
from app.console.operators import OperatorPages
from app.console.organizations import OrganizationPages
from app.console.overview import OverviewPages
from app.console.page import Pages
from app.console.projects import ProjectPages
from app.console.proving import ProvingPages
from app.console.roles import RolePages
from app.console.rotating import RotatingPages
from app.console.signing_in import SigningInPages
from app.console.single_sign_on import SingleSignOnPages
from app.console.webhooks import WebhookPages
from app.entrance import Entrance
from app.http import PlainDoor, install
from app.jobs import Runner
from app.jobs.job import Job
from app.jobs.notices import notices_job
from app.jobs.rotation import rotation_job
from app.jobs.upkeep import upkeep
from app.jobs.webhooks import WebhookJobs
from app.limiting import Limiting
from app.oauth.about_tokens import AboutTokens
from app.oauth.claim import RotationClaim
from app.oauth.feed import GenerationFeed
from app.oauth.forward_auth import ForwardAuth
from app.oauth.leaked import Leaked
from app.oauth.metadata import Metadata
from app.oauth.token import TokenEndpoint
from app.probes import Probes
from app.services import Services
from app.services.activity import Activities
from app.services.actors import Actors
from app.services.admission import Admission
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
from app.services.forwarding import Forwarding
from app.services.github_keys import GithubKeys
from app.services.idempotency import Idempotency
from app.services.installation import Installation
from app.services.introspecting import Introspecting
from app.services.invitations import Invitations
from app.services.issuing import Issuing
from app.services.keys import SigningKeys
from app.services.leaks import Leaks
from app.services.limits import Limits
from app.services.networks import Networks
from app.services.notices import Notices
from app.services.one_time_codes import OneTimeCodes
from app.services.operators import Operators
from app.services.organizations import Organizations
from app.services.overview import Overviews
from app.services.own_proofs import OwnProofs
from app.services.own_tokens import OwnTokens
from app.services.passkeys import Passkeys
from app.services.passwords import Passwords
from app.services.posting import Poster
from app.services.previewing import Previewing
from app.services.proving import Proving
from app.services.proving_again import ProvingAgain
from app.services.readiness import Readiness
from app.services.recovery_codes import RecoveryCodes
from app.services.revoking import Revoking
from app.services.rotations import Rotations
from app.services.sessions import Sessions
from app.services.sign_in_refusals import SignInRefusals
from app.services.sign_on_attempts import Attempts
from app.services.signing_in import SigningIn
from app.services.single_sign_on import SingleSignOn
from app.services.usage import Usage
from app.services.webhooks import Webhooks
from app.settings import Settings
from app.store import Store
from app.store.high_water import HighWater
from app.store.sealing import Sealer, key_encryption_key, pepper_key
from tokenserver.clock import Clock, Ratchet, utc_now
from tokenserver.domain.audit import Event
from tokenserver.domain.secret import Pepper
from tokenserver.domain.webhook_target import Reach

LONGEST_GOODBYE = 3.0
"""Seconds that a server that ends waits for a piece of the clock's work; granian waits five for all of it."""


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
        signing_in=SigningIn(store, sessions, passwords, passkeys, refusals, clock),
        single_sign_on=_single_sign_on(
            settings, store=store, sealer=sealer, sessions=sessions, operators=operators, feed=feed, clock=clock
        ),
        invitations=invitations,
        activities=Activities(store, clock),
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


def create_runner(services: Services, *, clock: Clock = utc_now) -> Runner:
    """The work of the clock. `python -m app serve` runs it in each worker, `python -m app jobs run` by itself."""
    webhooks = WebhookJobs(services.deliveries, services.poster, clock)
    jobs = (
        *webhooks.jobs(),
        *upkeep(services.audit_upkeep, services.audit_verification, services.idempotency, services.sessions),
        Job("activity", 5, services.activities.piece),
        rotation_job(services.rotations),
        notices_job(services.notices),
    )
    runner = Runner(jobs, services.clockwork, clock)
    webhooks.on_return = partial(runner.wake, "webhooks")
    return runner


def create_app(settings: Settings, *, clock: Clock = utc_now) -> Flask:
    """The server: services below, doors on top. A WSGI application, without the work of the clock."""
    return _wired(settings, clock)[0]


def create_entrance(settings: Settings, *, clock: Clock = utc_now) -> Entrance:
    """The same behind its own entrance: an RSGI application, as `python -m app serve` runs it."""
    app, plain, services = _wired(settings, clock)
    runner = create_runner(services, clock=Ratchet(clock))

    def before_the_end() -> None:
        services.feed.end_waiting()
        runner.stop()

    return Entrance(
        app.wsgi_app,
        plain,
        settings.threads + settings.feed_waiters,
        at_the_start=runner.start,
        before_the_end=before_the_end,
        at_the_end=lambda: runner.join(LONGEST_GOODBYE),
    )


def _wired(
    settings: Settings, clock: Clock, passwords: Passwords | None = None
) -> tuple[Flask, Mapping[str, PlainDoor], Services]:
    app = Flask(__name__, static_folder=None)
    install(app)
    wall_clock, clock = clock, Ratchet(clock)
    services = create_services(app, settings, clock=clock, passwords=passwords)
    limits = Limits(services.store, settings, clock, _shared_counts(settings), periods=wall_clock)
    issuing = Issuing(
        services.store, services.high_water, services.keys, services.peppers, settings, clock, limits=limits
    )
    admission = Admission(services.store, services.keys, settings, clock)
    tokens = OwnTokens(services.keys, settings)
    proving = partial(Proving, services.store, services.high_water, services.peppers, clock, limits=limits)
    introspecting = Introspecting(
        services.store, proving(refused=Event.INTROSPECTION_REFUSED), tokens, services.keys, settings, clock
    )
    revoking = Revoking(services.store, services.feed, proving(refused=Event.REVOCATION_REFUSED), tokens, clock)
    limiting = Limiting(limits, settings)
    token_endpoint = TokenEndpoint(issuing, limits, settings)
    proving_pages = ProvingPages(services.proving_again, services.passkeys, services.sessions)
    console = Console(
        (
            SigningInPages(
                services.signing_in, services.invitations, services.sessions, services.passkeys, proving_pages
            ).pages(),
            proving_pages.pages(),
            AccountPages(
                own_proofs=services.own_proofs,
                one_time_codes=services.one_time_codes,
                recovery_codes=services.recovery_codes,
                passkeys=services.passkeys,
                sessions=services.sessions,
            ).pages(),
            SingleSignOnPages(services.single_sign_on, proving_pages.asking).pages(),
            OverviewPages(services.overviews, services.activities).pages(),
            ExplainPages(services.explaining, services.catalogue, Actors(services.store)).pages(),
            FirstStepsPages(services.overviews, settings).pages(),
            AuditPages(services.audit_trail, services.audit_verification, services.actors).pages(),
            *_pages_of_credentials(services, settings),
            ApiPages(services.catalogue).pages(),
            RolePages(services.catalogue).pages(),
            ProjectPages(services.organizations).pages(),
            OperatorPages(services.operators, services.invitations, services.catalogue).pages(),
            OrganizationPages(services.organizations).pages(),
            KeyPages(services.keys).pages(),
            WebhookPages(services.webhooks).pages(),
            *_pages_that_change_one(services, settings),
        ),
        proving_pages.asking,
        services.sessions,
        settings,
        clock,
    )
    about_tokens = AboutTokens(introspecting, revoking, limiting, settings)
    forward_auth = ForwardAuth(Forwarding(services.store, tokens, clock), settings)
    doors = (
        limiting,
        Metadata(settings, services.keys),
        GenerationFeed(services.feed, Networks(services.store)),
        Leaked(Leaks(services.store, services.feed, services.peppers, clock), services.github_keys, settings),
        AdminApi(
            credentials=services.credentials,
            bulk=services.bulk,
            catalogue=services.catalogue,
            organizations=services.organizations,
            operators=services.operators,
            audit_trail=services.audit_trail,
            webhooks=services.webhooks,
            usage=services.usage,
            explaining=services.explaining,
            previewing=services.previewing,
            admission=admission,
            idempotency=services.idempotency,
            settings=settings,
            clock=clock,
        ),
        RotationClaim(services.claiming, settings),
        about_tokens,
        forward_auth,
        console,
        Probes(Readiness(services.feed, services.keys)),
        token_endpoint,
    )
    for door in doors:
        door.mount(app)
    plain: dict[str, PlainDoor] = {
        "/oauth/token": token_endpoint.answer,
        "/oauth/introspect": about_tokens.introspect_in_front,
        "/forward-auth": forward_auth.answer_in_front,
        "/forward-auth/": forward_auth.answer_in_front,
    }
    return app, plain, services


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


def _pages_of_credentials(services: Services, settings: Settings) -> Iterator[Pages]:
    credentials, catalogue, organizations = services.credentials, services.catalogue, services.organizations
    yield CredentialPages(credentials, catalogue, organizations, services.operators, services.actors).pages()
    yield NewCredentialPages(credentials, catalogue, organizations, settings).pages()
    yield ManyCredentialsPages(services.bulk, services.actors, settings).pages()
    yield OneCredentialPages(
        credentials=credentials,
        catalogue=catalogue,
        usage=services.usage,
        audit_trail=services.audit_trail,
        actors=services.actors,
        settings=settings,
    ).pages()


def _pages_that_change_one(services: Services, settings: Settings) -> Iterator[Pages]:
    credentials, catalogue = services.credentials, services.catalogue
    yield EditingPages(
        credentials=credentials,
        catalogue=catalogue,
        organizations=services.organizations,
        previewing=services.previewing,
        audit_trail=services.audit_trail,
        actors=services.actors,
    ).pages()
    applied = AppliedPages(credentials, catalogue, services.usage)
    yield applied.pages()
    yield NewSecretPages(credentials, applied, settings).pages()
    yield RotatingPages(credentials, services.rotations).pages()
    yield EndingPages(credentials).pages()


def _shared_counts(settings: Settings) -> Tell | None:
    if not settings.redis_url or not settings.quotas:
        return None
    from app.store.shared_counts import SharedCounts  # noqa: PLC0415  slow to import, and most have no Redis

    return SharedCounts(settings.redis_url).add
