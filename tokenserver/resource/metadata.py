"""Where does the issuer answer? Its metadata (RFC 8414), read with suspicion.

The document is found at `/.well-known/oauth-authorization-server`, inserted between the host and the path of the issuer
(RFC 8414 §3.1). Its `issuer` must equal ours to the letter (§3.3), and every address in it that is used must be of the
issuer's own origin: nothing that a document says sends us to another host.

We use `jwks_uri` and two members of our own: `generations_endpoint`, the feed, and `networks_endpoint`, under which the
lists of allowed addresses are served that are too long for a token. `introspection_endpoint` need not be there: only
whoever introspects misses it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tokenserver.domain.origins import origin_of
from tokenserver.resource.knowledge import NoNews

WELL_KNOWN = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True)
class Endpoints:
    jwks_uri: str
    generations: str
    networks: str
    introspection: str | None = None

    def network_list(self, digest: str) -> str:
        return f"{self.networks.rstrip('/')}/{digest}"

    def generations_after(self, seq: int | None, wait: int) -> str:
        asked = [f"after={seq}"] if seq is not None else []
        if wait:
            asked.append(f"wait={wait}")
        if not asked:
            return self.generations
        return f"{self.generations}{'&' if '?' in self.generations else '?'}{'&'.join(asked)}"


def metadata_url(issuer: str) -> str:
    """The address of the issuer's metadata (RFC 8414 §3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def read_metadata(document: object, issuer: str) -> Endpoints:
    """The endpoints that `document` names; raises NoNews."""
    if not isinstance(document, dict):
        raise NoNews("the metadata is not a JSON object")
    if document.get("issuer") != issuer:
        raise NoNews("the metadata names another issuer: compare to the letter, a slash at the end counts")
    origin = origin_of(issuer)

    def endpoint(name: str) -> str:
        url = document.get(name)
        if not isinstance(url, str):
            raise NoNews(f"the metadata has no {name}")
        try:
            if origin_of(url) == origin:
                return url
        except ValueError:
            raise NoNews(f"the {name} in the metadata is not an address") from None
        raise NoNews(f"the {name} in the metadata is of another origin than the issuer")

    needed = Endpoints(endpoint("jwks_uri"), endpoint("generations_endpoint"), endpoint("networks_endpoint"))
    try:
        return replace(needed, introspection=endpoint("introspection_endpoint"))
    except NoNews:
        return needed
