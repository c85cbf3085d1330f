"""What are the doors given where tokens are issued, introspected, revoked, and checked for gateways?"""

from __future__ import annotations

from functools import partial

from app.http import PlainDoor
from app.limiting import Limiting
from app.oauth.about_tokens import AboutTokens
from app.oauth.forward_auth import ForwardAuth
from app.oauth.token import TokenEndpoint
from app.services import Services
from app.services.forwarding import Forwarding
from app.services.introspecting import Introspecting
from app.services.issuing import Issuing
from app.services.limits import Limits
from app.services.own_tokens import OwnTokens
from app.services.proving import Proving
from app.services.revoking import Revoking
from app.settings import Settings
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event


class OAuthDoors:
    def __init__(
        self, services: Services, limits: Limits, limiting: Limiting, settings: Settings, clock: Clock
    ) -> None:
        store, keys, high_water, peppers = services.store, services.keys, services.high_water, services.peppers
        issuing = Issuing(store, high_water, keys, peppers, settings, clock, limits=limits)
        tokens = OwnTokens(keys, settings)
        proving = partial(Proving, store, high_water, peppers, clock, limits=limits)
        introspecting = Introspecting(
            store, proving(refused=Event.INTROSPECTION_REFUSED), tokens, keys, settings, clock
        )
        revoking = Revoking(store, services.feed, proving(refused=Event.REVOCATION_REFUSED), tokens, clock)
        self.token = TokenEndpoint(issuing, limits, settings)
        self.about_tokens = AboutTokens(introspecting, revoking, limiting, settings)
        self.forward_auth = ForwardAuth(Forwarding(store, tokens, clock), settings)

    def in_front(self) -> dict[str, PlainDoor]:
        """What is asked so often that it is answered before Flask, by path."""
        return {
            "/oauth/token": self.token.answer,
            "/oauth/introspect": self.about_tokens.introspect_in_front,
            "/forward-auth": self.forward_auth.answer_in_front,
            "/forward-auth/": self.forward_auth.answer_in_front,
        }
