"""Made-up credentials, catalogues and moments, and the budget of property tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, settings

from tokenserver.clock import DAY
from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.catalogue import Api, Kind, Scope
from tokenserver.domain.credential import Credential, CredentialSecret
from tokenserver.domain.generation import Generation
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Access, Grant, Restrictions

NOW = 1_800_000_000
CLIENT_ID = "tsc_0123456789ABCDEFGHIJKL"
ORGANIZATION_ID = "org_example"

REPORTS = "https://reports.example.com"
VAULT = "https://vault.example.com"

QUICK = settings(max_examples=100, deadline=None, database=None)
SEQUENCES = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

REPORTS_API = Api(
    "api_1",
    ORGANIZATION_ID,
    REPORTS,
    "Reports",
    (
        Scope("reports:read", Kind.READ),
        Scope("reports:write", Kind.WRITE),
        Scope("people:read", Kind.READ, sensitive=True),
        Scope("people:write", Kind.WRITE, sensitive=True),
    ),
)
VAULT_API = Api(
    "api_2", ORGANIZATION_ID, VAULT, "Vault", (Scope("keys:read", Kind.READ), Scope("keys:write", Kind.WRITE))
)
CATALOGUE = {REPORTS: REPORTS_API, VAULT: VAULT_API}

READ_REPORTS = Grant(REPORTS, Access.CUSTOM, frozenset({"reports:read"}))
READ_KEYS = Grant(VAULT, Access.ALL_READ)


def addresses(text: str) -> AllowedIPs:
    return AllowedIPs.parse(text)


def terms(**changes: object) -> Restrictions:
    """Reading reports from anywhere, for ever, unless told otherwise."""
    return replace(Restrictions(grants=(READ_REPORTS,)), **changes)  # type: ignore[arg-type]


def secret(name: str = "first", **changes: object) -> CredentialSecret:
    made = CredentialSecret(f"secret_{name}", name.encode(), "pepper_1", f"tss_…{name[-4:]}", NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def credential(**changes: object) -> Credential:
    """Under a name of its own where it has a client ID of its own."""
    client_id = str(changes.get("client_id", CLIENT_ID))
    made = Credential(
        client_id=CLIENT_ID,
        organization_id=ORGANIZATION_ID,
        name="nightly export" if client_id == CLIENT_ID else f"nightly export {client_id}",
        restrictions=terms(expires_at=NOW + 365 * DAY),
        generation=Generation(),
        secrets=(secret(),),
        created_at=NOW,
        created_by="operator_1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def organization(**changes: object) -> Organization:
    return replace(Organization(ORGANIZATION_ID, "Example", Generation()), **changes)  # type: ignore[arg-type]
