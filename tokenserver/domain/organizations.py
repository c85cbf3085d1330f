"""What is an organization? A tenant, with credentials, roles, APIs and operators, and a generation over all of them.

Suspending it, or *end everything* in an incident, is one bump of its generation and one line in the feed, however many
credentials it has (see `generation`). A project and an environment are labels that a credential may carry into its
tokens; names of projects are what resource servers know them by, and never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tokenserver.domain.generation import Generation


@dataclass(frozen=True, slots=True)
class Policy:
    """What an organization allows: None is no bound. `names_are_fixed`: credentials cannot be renamed."""

    credential_quota: int | None = None
    longest_expiry_days: int | None = None
    names_are_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant; its generation works by the very same rule as a credential's."""

    id: str
    name: str
    generation: Generation
    suspended_at: int | None = None
    policy: Policy = field(default_factory=Policy)
    created_at: int = 0
    version: int = 1

    def suspended(self, now: float) -> Organization:
        """No token is issued and every one that is out ends. Suspending twice changes nothing."""
        return self if self.suspended_at is not None else replace(self.everything_ended(now), suspended_at=int(now))

    def resumed(self) -> Organization:
        """Tokens are issued again; those of before do not come back."""
        return self if self.suspended_at is None else replace(self, suspended_at=None, version=self.version + 1)

    def everything_ended(self, now: float) -> Organization:
        """Every token that is out ends; secrets go on."""
        return replace(self, generation=self.generation.bumped(now), version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    organization_id: str
    name: str
    description: str = ""
    created_at: int = 0
    version: int = 1
