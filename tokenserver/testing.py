"""How do I test my API, without a token server? With an issuer in memory, and fixtures that pytest finds by itself.

    def test_regenerating_the_secret_ends_the_token(token_issuer, token_verifier):
        app = TokenMiddleware(my_app, token_verifier, Require(roles={"cloud_admin"}))
        headers = token_issuer.authorization(roles={"cloud_admin"})
        token_issuer.regenerate()
        token_issuer.clock.advance(1)
        assert get(app, headers) == 401

Tokens with any claims, time that moves when the test says so, a feed that ends tokens, stops, or is forged: see
`FakeIssuer`, which lives in `tokenserver.resource.testing`. The fixtures are those of `tokenserver.pytest_plugin`.
"""

from tokenserver.resource.testing import CLIENT_ID, ORGANIZATION, FakeClock, FakeIssuer

__all__ = ["CLIENT_ID", "ORGANIZATION", "FakeClock", "FakeIssuer"]
