"""The token server: which parts it has. What each part is given, `wiring` says where it takes more than a line.

If it is in neither, it is not connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flask import Flask

from app.entrance import Entrance
from app.http import PlainDoor, install
from app.jobs import Runner
from app.jobs.job import Job
from app.jobs.notices import notices_job
from app.jobs.rotation import rotation_job
from app.jobs.upkeep import upkeep
from app.jobs.webhooks import WebhookJobs
from app.limiting import Limiting
from app.metrics import Metrics
from app.oauth.claim import RotationClaim
from app.oauth.feed import GenerationFeed
from app.oauth.leaked import Leaked
from app.oauth.metadata import Metadata
from app.probes import Probes
from app.services import Services
from app.services.leaks import Leaks
from app.services.measures import Measures
from app.services.networks import Networks
from app.services.passwords import Passwords
from app.services.readiness import Readiness
from app.settings import Settings
from app.wiring.api import create_admin_api
from app.wiring.console import create_console
from app.wiring.oauth import OAuthDoors
from app.wiring.services import create_limits, create_services
from tokenserver.clock import Clock, Ratchet, utc_now

__all__ = ["create_app", "create_entrance", "create_runner", "create_services"]

LONGEST_GOODBYE = 3.0
"""Seconds that a server that ends waits for a piece of the clock's work; granian waits five for all of it."""


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


def create_runner(services: Services, *, clock: Clock = utc_now) -> Runner:
    """The work of the clock. `python -m app serve` runs it in each worker, `python -m app jobs run` by itself."""
    webhooks = WebhookJobs(services.deliveries, services.poster, clock)
    jobs = (
        *webhooks.jobs(),
        *upkeep(services.audit_upkeep, services.audit_verification, services.idempotency, services.sessions),
        Job("activity", 5, services.activities.piece),
        Job("uses", 5, lambda _: services.uses.piece()),
        rotation_job(services.rotations),
        notices_job(services.notices),
    )
    runner = Runner(jobs, services.clockwork, clock)
    webhooks.on_return = partial(runner.wake, "webhooks")
    return runner


def _wired(
    settings: Settings, clock: Clock, passwords: Passwords | None = None
) -> tuple[Flask, Mapping[str, PlainDoor], Services]:
    """The application with its doors, those that are answered in front of it, and the use cases below."""
    app = Flask(__name__, static_folder=None)
    install(app)
    wall_clock, clock = clock, Ratchet(clock)
    services = create_services(app, settings, clock=clock, passwords=passwords)
    limits = create_limits(services, settings, clock=clock, periods=wall_clock)
    limiting = Limiting(limits, settings)
    oauth = OAuthDoors(services, limits, limiting, settings, clock)
    doors = (
        limiting,
        Metadata(settings, services.keys),
        GenerationFeed(services.feed, Networks(services.store)),
        Leaked(Leaks(services.store, services.feed, services.peppers, clock), services.github_keys, settings),
        create_admin_api(services, settings, clock),
        RotationClaim(services.claiming, settings),
        oauth.about_tokens,
        oauth.forward_auth,
        create_console(services, settings, clock),
        Probes(Readiness(services.feed, services.keys)),
        Metrics(Measures(services.store, clock), settings),
        oauth.token,
    )
    for door in doors:
        door.mount(app)
    return app, oauth.in_front(), services
