"""Which fixtures has a test of an API? pytest finds them by the entry point of the package; nothing has to be imported.

They are made where a test asks for them, so that a run without them pays nothing: no library is loaded before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenserver.resource import Verifier
    from tokenserver.testing import FakeClock, FakeIssuer


@pytest.fixture
def token_issuer() -> FakeIssuer:
    """An issuer in memory: `token_issuer.authorization(roles={"cloud_admin"})`."""
    from tokenserver.testing import FakeIssuer  # noqa: PLC0415  see above

    return FakeIssuer()


@pytest.fixture
def token_clock(token_issuer: FakeIssuer) -> FakeClock:
    """Its clock: `token_clock.advance(1)`."""
    return token_issuer.clock


@pytest.fixture
def token_verifier(token_issuer: FakeIssuer) -> Iterator[Verifier]:
    """A verifier that believes it, without a thread."""
    verifier = token_issuer.verifier()
    yield verifier
    verifier.stop()
