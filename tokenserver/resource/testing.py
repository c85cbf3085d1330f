"""How do I test an API that is guarded by tokens? With an issuer in memory: real keys, real signatures, no network.

    issuer = FakeIssuer()
    app = TokenMiddleware(my_app, issuer.verifier(), Require(roles={"cloud_admin"}))

    def test_regenerating_the_secret_ends_the_token():
        headers = issuer.authorization(roles={"cloud_admin"})        # {"Authorization": "Bearer eyJ…"}
        assert client.get("/reports", headers=headers).status_code == 200
        issuer.regenerate()
        issuer.clock.advance(1)                                      # the verifier looks once a second
        assert client.get("/reports", headers=headers).status_code == 401

No threads, no sleeps: the verifier looks at the feed when the fake clock says that it is time, at the next request; or
at once, with `verifier.refresh()`. A `FakeIssuer` follows the same rules of generations as the server. It can fail like
one, too: `goes_down`, `answers`, `answers_garbage`, `repeats`, `stops_telling`; `comes_back` ends all of these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tokenserver.domain.allowed_ips import AllowedIPs
from tokenserver.domain.credential import Credential
from tokenserver.domain.grant import Permit
from tokenserver.domain.organizations import Organization
from tokenserver.domain.restrictions import Restrictions
from tokenserver.resource.fake_feed import WINDOW, FakeFeed
from tokenserver.resource.fake_introspection import introspected
from tokenserver.resource.fetching import Response
from tokenserver.resource.metadata import metadata_url
from tokenserver.resource.verifier import Verifier
from tokenserver.tokens.claims import ACCESS_TOKEN, claims_for, new_token_id
from tokenserver.tokens.jws import Signer
from tokenserver.tokens.keys import SigningKey, new_signing_key
from tokenserver.tokens.statements import GENERATIONS

CLIENT_ID: Final = "tsc_testTESTtestTESTtestTE"
ORGANIZATION: Final = "org_test"
HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}


class FakeClock:
    """A clock that moves when it is told to. Give it as `clock`, and its `monotonic` as `monotonic`."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._wall = now
        self._ticks = 1000.0

    def __call__(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._ticks

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._wall += seconds
        self._ticks += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the clock, forward or (negative) back; no time passes."""
        self._wall += seconds


class FakeIssuer:
    """An issuer with one API, which makes every credential it is asked for."""

    def __init__(
        self,
        name: str = "https://auth.example.com",
        *,
        audience: str = "https://api.example.com",
        clock: FakeClock | None = None,
        alg: str = "ES256",
    ) -> None:
        self.name = name
        self.audience = audience
        self.clock = clock or FakeClock()
        self.fetches: Counter[str] = Counter()
        """How often `metadata`, `keys`, `feed` and `networks` were asked for, and `introspection`."""
        self.holds = False
        """Whether a request for the feed with `wait` is held until something changes (by real time)."""
        self._alg = alg
        self._active = new_signing_key(alg)
        self._published = {self._active.kid: self._active}
        self._feed = FakeFeed()
        self._lists: dict[str, AllowedIPs] = {}
        self._fault: Callable[[], Response] | None = None
        self._repeated: str | None = None
        self._tells = True

    # --- for the API under test ----------------------------------------------------------------------------------

    def verifier(self, **settings: Any) -> Verifier:
        """A verifier that believes this issuer, and fetches without a thread; `settings` as for `Verifier`."""
        given = {
            "issuer": self.name,
            "audience": self.audience,
            "fetch": self.fetch,
            "post": self.post,
            "credential": (CLIENT_ID, "a secret that nobody looks at"),
            "clock": self.clock,
            "monotonic": self.clock.monotonic,
            "background": False,
        }
        return Verifier(**{**given, **settings})

    def authorization(self, **token: Any) -> dict[str, str]:
        """The header with a fresh token; arguments as for `token`."""
        return {"Authorization": f"Bearer {self.token(**token)}"}

    def token(
        self,
        *,
        client_id: str = CLIENT_ID,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        audience: str | None = None,
        lifetime: int = 900,
        allowed_ips: str | Sequence[str] | None = None,
        generation: int | None = None,
        organization: str = ORGANIZATION,
        project: str | None = None,
        environment: str | None = None,
        token_id: str | None = None,
        retiring: bool = False,
        claims: Mapping[str, Any] | None = None,
        without: Iterable[str] = (),
    ) -> str:
        """A signed token. `retiring`: minted by the old secret of a rotation, whose end it does not outlive.

        `claims` overwrites claims as they are spelled in the token, and `without` leaves some out: for forgeries.
        """
        now = self.clock()
        own, org = self._feed.generation_of(client_id), self._feed.generation_of(organization)
        minted = own.floor_at(now) if retiring else own.current
        expires_at = int(now) + lifetime
        if retiring and own.next_floor_at is not None:
            expires_at = min(expires_at, own.next_floor_at)
        allowed = None if allowed_ips is None else AllowedIPs.parse(allowed_ips)
        if allowed is not None:
            self._lists[allowed.digest()] = allowed
        credential = Credential(
            client_id=client_id,
            organization_id=organization,
            name="a credential",
            restrictions=Restrictions(allowed_ips=allowed, roles=frozenset(roles), token_lifetime=lifetime),
            generation=own,
            secrets=(),
            created_at=int(now),
            created_by="a test",
            project=project,
            environment=environment,
        )
        permit = Permit(
            credential=credential,
            organization=Organization(organization, "an organization", org),
            audience=audience or self.audience,
            scopes=tuple(sorted(scopes)),
            roles=credential.restrictions.roles,
            generation=minted if generation is None else generation,
            organization_generation=org.current,
            issued_at=int(now),
            expires_at=expires_at,
        )
        said = {**claims_for(permit, self.name, token_id or new_token_id()), **(claims or {})}
        return Signer(self._active, ACCESS_TOKEN).sign({k: v for k, v in said.items() if k not in set(without)})

    # --- what an administrator does --------------------------------------------------------------------------------

    def regenerate(self, client_id: str = CLIENT_ID) -> None:
        """Ends every token of the credential that is out."""
        self._feed.move(client_id, self._feed.generation_of(client_id).regenerated(), self.clock())

    def rotate(self, client_id: str = CLIENT_ID, *, grace_seconds: int = 3600) -> None:
        """Begins a grace period; see `retiring`."""
        now = self.clock()
        self._feed.move(client_id, self._feed.generation_of(client_id).rotated(now, grace_seconds), now)

    def suspend(self, organization: str = ORGANIZATION) -> None:
        """Ends every token of the organization that is out."""
        self.regenerate(organization)

    def revoke_token(self, token_id: str, expires_at: int | None = None) -> None:
        """Ends one token (RFC 7009)."""
        self._feed.end_token(token_id, expires_at or int(self.clock()) + WINDOW)

    def rotate_key(self) -> SigningKey:
        """Signs with a new key from now on; the old ones stay published."""
        self._active = new_signing_key(self._alg)
        self._published[self._active.kid] = self._active
        return self._active

    def withdraw_key(self, kid: str) -> None:
        """Publishes this key no more."""
        self._published.pop(kid, None)

    def revoke_key(self) -> str:
        """Ends everything that was signed with the active key, which a new one follows; the name of the old one."""
        revoked = self._active.kid
        self.rotate_key()
        self.withdraw_key(revoked)
        self._feed.end_key(revoked)
        return revoked

    @property
    def seq(self) -> int:
        """The number of the last change."""
        return self._feed.seq

    @property
    def signing_key(self) -> SigningKey:
        """The active key."""
        return self._active

    # --- how an issuer fails ---------------------------------------------------------------------------------------

    def goes_down(self) -> None:
        """Nobody answers."""
        self._fault = _refuse_connection

    def answers(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Everything is answered with this."""
        self._fault = lambda: Response(status, dict(headers or {}), body)

    def answers_garbage(self) -> None:
        """Everything is answered with 200 and nonsense."""
        self.answers(200, b'\xff{"keys": [[[NaN')

    def repeats(self, statement: str) -> None:
        """The feed is answered with this statement, over and over: see `statement`."""
        self._repeated = statement

    def stops_telling(self) -> None:
        """The feed, and nothing else, cannot be had: what a verifier with `on_stale="introspect"` is for."""
        self._tells = False

    def forgets_list(self, digest: str) -> None:
        """The list of allowed addresses with this digest cannot be had any more."""
        self._lists.pop(digest, None)

    def comes_back(self) -> None:
        """All is well again."""
        self._fault = self._repeated = None
        self._tells = True

    # --- what it answers -------------------------------------------------------------------------------------------

    def statement(self, after: int | None = None, **changes: Any) -> str:
        """A signed statement of the feed as of now; `changes` are members of `Statement`."""
        told = self._feed.statement(self.name, self.clock(), after)
        return Signer(self._active, GENERATIONS).sign(replace(told, **changes).payload())

    def fetch(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:  # noqa: ARG002  form of `Fetch`
        """The transport of its verifiers."""
        parts, kind = urlsplit(url), self._kind_of(url)
        asked = dict(parse_qsl(parts.query))
        after = int(asked["after"]) if "after" in asked else None
        self.fetches[kind] += 1
        if kind == "feed" and self.holds and after is not None:
            self._feed.hold(after, float(asked.get("wait", "0")))
        if self._fault is not None:
            return self._fault()
        match kind:
            case "metadata":
                return Response(200, HEADERS, json.dumps(self.metadata()).encode())
            case "keys":
                keys = [dict(key.verifying.jwk) for key in self._published.values()]
                return Response(200, HEADERS, json.dumps({"keys": keys}).encode())
            case "feed" if self._tells:
                text = self._repeated or self.statement(after)
                return Response(200, {"Content-Type": "application/jwt"}, text.encode())
            case "networks" if (found := self._lists.get(parts.path.rpartition("/")[2])) is not None:
                return Response(200, HEADERS, json.dumps({"allowed_ips": list(found.normal_form())}).encode())
        return Response(404, {}, b"")

    def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> tuple[int, bytes]:  # noqa: ARG002  form of `Post`
        """The transport of what its verifiers ask about single tokens. Any credential will do."""
        self.fetches[self._kind_of(url)] += 1
        if self._fault is not None:
            answer = self._fault()
            return answer.status, answer.body
        keys = {kid: key.verifying for kid, key in self._published.items()}
        now = self.clock()
        return 200, introspected(body, keys.get, self._feed.statement(self.name, now, None), now)

    def metadata(self) -> dict[str, Any]:
        """The members of its metadata that a verifier reads."""
        return {
            "issuer": self.name,
            "jwks_uri": f"{self.name}/.well-known/jwks.json",
            "generations_endpoint": f"{self.name}/oauth/generations",
            "networks_endpoint": f"{self.name}/oauth/networks",
            "introspection_endpoint": f"{self.name}/oauth/introspect",
        }

    def _kind_of(self, url: str) -> str:
        if url == metadata_url(self.name):
            return "metadata"
        kinds = {"jwks.json": "keys", "generations": "feed", "introspect": "introspection"}
        path = urlsplit(url).path
        return kinds.get(path.rpartition("/")[2], "networks" if "/oauth/networks/" in path else "unknown")


def _refuse_connection() -> Response:
    raise ConnectionRefusedError
