"""Which pages has the console, and what is each group of them given?"""

from __future__ import annotations

from collections.abc import Iterator

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
from app.console.many_rounds import ManyRoundsPages
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
from app.console.sharing import Sharing
from app.console.signing_in import SigningInPages
from app.console.single_sign_on import SingleSignOnPages
from app.console.webhooks import WebhookPages
from app.services import Services
from app.settings import Settings
from tokenserver.clock import Clock


def create_console(services: Services, settings: Settings, clock: Clock) -> Console:
    proving = ProvingPages(services.proving_again, services.passkeys, services.sessions, services.kept_forms)
    pages = (
        *_pages_of_signing_in(services, settings, proving),
        *_pages_of_the_whole(services, settings),
        *_pages_of_credentials(services, settings),
        *_pages_that_change_one(services, settings),
        *_pages_around_credentials(services),
    )
    return Console(
        pages,
        asking=proving.asking,
        sessions=services.sessions,
        kept_forms=services.kept_forms,
        settings=settings,
        clock=clock,
    )


def _pages_of_signing_in(services: Services, settings: Settings, proving: ProvingPages) -> Iterator[Pages]:
    passkeys, sessions = services.passkeys, services.sessions
    yield SigningInPages(services.signing_in, services.invitations, sessions, passkeys, proving).pages()
    yield SingleSignOnPages(services.single_sign_on, proving).pages()
    yield proving.pages()
    yield AccountPages(
        own_proofs=services.own_proofs,
        one_time_codes=services.one_time_codes,
        recovery_codes=services.recovery_codes,
        passkeys=passkeys,
        sessions=sessions,
        settings=settings,
    ).pages()


def _pages_of_the_whole(services: Services, settings: Settings) -> Iterator[Pages]:
    yield OverviewPages(services.overviews, services.activities).pages()
    yield FirstStepsPages(services.overviews, settings).pages()
    yield ExplainPages(services.explaining, services.catalogue, services.actors).pages()
    yield AuditPages(services.audit_trail, services.audit_verification, services.actors).pages()


def _pages_of_credentials(services: Services, settings: Settings) -> Iterator[Pages]:
    credentials, catalogue, organizations = services.credentials, services.catalogue, services.organizations
    yield CredentialPages(credentials, catalogue, organizations, services.operators, services.actors).pages()
    yield NewCredentialPages(credentials, catalogue, organizations, settings).pages()
    many = ManyCredentialsPages(services.bulk, services.actors, settings)
    yield many.pages()
    yield ManyRoundsPages(services.bulk, many.preview_again).pages()
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


def _pages_around_credentials(services: Services) -> Iterator[Pages]:
    sharing = Sharing(services.organizations)
    yield ApiPages(services.catalogue, sharing).pages()
    yield RolePages(services.catalogue, sharing).pages()
    yield ProjectPages(services.organizations).pages()
    yield OperatorPages(services.operators, services.invitations, services.catalogue).pages()
    yield OrganizationPages(services.organizations).pages()
    yield WebhookPages(services.webhooks).pages()
    yield KeyPages(services.keys).pages()
