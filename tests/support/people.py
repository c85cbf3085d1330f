"""Operators who sign in: made, given a password, and let in, by the services that the console uses."""

from __future__ import annotations

from dataclasses import dataclass

from app.services.sessions import Viewer, Visitor
from tests.support.workshop import Workshop
from tokenserver.domain.operators import Membership, Operator, OperatorRole

PASSWORD = "ten green bottles on a wall"
HERE = Visitor("192.0.2.7", "A browser of a test", "request")


@dataclass
class Person:
    workshop: Workshop
    operator: Operator
    password: str = PASSWORD

    @property
    def email(self) -> str:
        return self.operator.email

    def sign_in(self, visitor: Visitor = HERE) -> str:
        """What the cookie holds."""
        return self.workshop.services.signing_in.by_password(self.email, self.password, visitor).token

    def view(self, token: str | None = None, *, awaiting: str | None = None, visitor: Visitor = HERE) -> Viewer:
        """Whoever the cookie lets in; by a new session unless a token is given."""
        return self.workshop.services.sessions.viewer(token or self.sign_in(visitor), visitor, awaiting=awaiting)


def a_person(workshop: Workshop, email: str = "ada@example.com", role: OperatorRole = OperatorRole.OWNER) -> Person:
    """A member of the workshop's organization, with a password set by their link."""
    membership = Membership("", role)
    operator, _ = workshop.services.operators.add(workshop.caller, email, "Ada", membership, platform_admin=False)
    link = workshop.services.invitations.invite(workshop.caller, operator.id)
    opened = workshop.services.invitations.accept(link.url.rpartition("/")[2], PASSWORD, HERE)
    workshop.services.sessions.sign_out(workshop.services.sessions.viewer(opened.token, HERE))
    return Person(workshop, operator)
