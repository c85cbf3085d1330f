"""What does a resource server run? Checks of access tokens that take microseconds and know within a second what ended.

    from tokenserver.resource import Require, Verifier
    from tokenserver.resource.wsgi import TokenMiddleware        # or asgi, flask, fastapi, django, grpc, …

    verifier = Verifier(issuer="https://auth.example.com", audience="https://api.example.com")
    app = TokenMiddleware(app, verifier, Require(roles={"cloud_admin"}, scopes={"reports:read"}))

Inside, from a request inwards: an adapter (`wsgi`, `asgi`, …) → `guard` (→ `policy`, `bearer`, `answers`) → `judge`
(→ `cache`) and, beside the requests, `background` → `sources` (→ `wishes`) → `issuer` → `fetching`; what is known is
one value of `knowledge`. What is told of the use of an API: `usage` (→ `tally`, `posting`). Where the news is too old,
and a route wants it: `questions` (→ `introspection`).
"""

from tokenserver.resource.guard import Guard
from tokenserver.resource.policy import Policy
from tokenserver.resource.principal import Principal
from tokenserver.resource.require import Require, all_of, any_of
from tokenserver.resource.usage import UsageReports
from tokenserver.resource.verifier import Verifier

__all__ = ["Guard", "Policy", "Principal", "Require", "UsageReports", "Verifier", "all_of", "any_of"]
