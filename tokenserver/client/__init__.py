"""What does a third-party app run? A source of tokens that renews itself and outlives the rotation of its secret.

    from tokenserver.client import TokenSource

    source = TokenSource(issuer="https://auth.example.com", client_id="tsc_…", client_secret=Path("/run/secrets/api"))
    headers = {"Authorization": f"Bearer {source.token()}"}             # in asyncio: await source.token_async()

Or let an adapter do it, which also renews once and repeats the request when the API answers 401:

    from tokenserver.client.requests import TokenAuth                   # the same for httpx and httpx2
    from tokenserver.client.aiohttp import TokenMiddleware
    from tokenserver.client.urllib import TokenHandler

Inside, from an app inwards: the adapters → `bearer` → `source` → `renewing` (one attempt at a time) → `asking` (its
retries) → `endpoint` (one request) → `token_request`, `answers`, `discovery`, `transport`. The secret comes from
`secret_sources` (→ `secret_file`), and through `claiming`, which replaces it.
"""

from tokenserver.client.failures import NoToken, SecretUnreadable, TokenRefused, TokenUnavailable
from tokenserver.client.secret_file import write_secret
from tokenserver.client.source import TokenSource
from tokenserver.client.transport import HttpTransport

__all__ = [
    "HttpTransport",
    "NoToken",
    "SecretUnreadable",
    "TokenRefused",
    "TokenSource",
    "TokenUnavailable",
    "write_secret",
]
