"""An organization of a journey's own, with a catalogue and an administrator, who manages by API or by command."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.hands import ByApi, ByCommand, Document, Hands
from tests.support.names import a_name
from tests.support.world import AUDIENCE, World

ADMIN = "urn:tokenserver:admin"
READ = {"audience": AUDIENCE, "access": "custom", "scopes": ["reports:read"]}
SCOPES = [
    {"name": "reports:read", "access": "read", "sensitive": False},
    {"name": "reports:write", "access": "write", "sensitive": False},
]


class Tenant:
    def __init__(self, world: World, how: type[ByApi | ByCommand], home: Path, **terms: Any) -> None:
        self.world, self._how, self._home = world, how, home
        self.id: str = world.manage("POST", "/v1/organizations", {"name": a_name("Acme"), **terms})["id"]
        self.platform: Hands = how(world.issuer, *world.administrator, home, self.id)
        """A platform admin, who works in this organization."""
        self.api = self.platform.create("api", audience=AUDIENCE, name="Example", scopes=SCOPES)
        for role in ("reader", "cloud_admin"):
            self.platform.create("role", name=role)

    @cached_property
    def admin(self) -> Hands:
        """A credential of the organization with all that its administrators may do."""
        grants = [{"audience": ADMIN, "access": "all_read_write"}]
        return self.hands_of(self.platform.create("credential", name="administrator", grants=grants))

    def hands_of(self, made: Document) -> Hands:
        """Manages with a credential that was just made."""
        return self._how(self.world.issuer, made["client_id"], made["client_secret"], self._home)

    def operator(self, role: str, **members: Any) -> tuple[Document, Hands]:
        """A new operator, and their hands: a personal credential with all that the role allows."""
        person = self.platform.create("operator", email=f"{a_name(role).replace(' ', '.')}@example.com", role=role)
        grants = [{"audience": ADMIN, "access": "custom", "scopes": person["permissions"]}, *members.pop("grants", [])]
        made = self.platform.create("credential", name=a_name(role), owner=person["id"], grants=grants, **members)
        return person, self.hands_of(made)

    def token(self, made: Document, **form: str) -> str:
        return self.world.token(made["client_id"], made["client_secret"], **form)

    def works(self, made: Document) -> bool:
        """Whether its secret is good for a token at this moment."""
        return self.world.ask(made["client_id"], made["client_secret"], resource=AUDIENCE).status_code == 200

    def lines(self, made: Document) -> list[Document]:
        """What the audit log has about a credential, oldest first."""
        return self.admin.all("audit", credential=made["client_id"])[::-1]
