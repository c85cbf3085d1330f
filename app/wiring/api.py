"""What is the admin API given?"""

from __future__ import annotations

from app.api import AdminApi
from app.services import Services
from app.services.admission import Admission
from app.settings import Settings
from tokenserver.clock import Clock


def create_admin_api(services: Services, settings: Settings, clock: Clock) -> AdminApi:
    return AdminApi(
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
        admission=Admission(services.store, services.keys, settings, clock),
        idempotency=services.idempotency,
        settings=settings,
        clock=clock,
    )
