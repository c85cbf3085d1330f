"""How does a receiver know that it was us? Signatures as Standard Webhooks has them, by its own library.

A secret is `whsec_` and 32 random bytes in base64; it is shown once and kept sealed. For a day after it was rotated,
there are two signatures, so that a receiver can change over whenever it likes.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import standardwebhooks

from app.store.sealing import Sealer
from tokenserver.domain.secret import Secret
from tokenserver.domain.webhook import Webhook

_PREFIX = "whsec_"


def new_webhook_secret() -> Secret:
    return Secret(_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii"))


def seal(sealer: Sealer, webhook_id: str, secret: Secret) -> bytes:
    return sealer.seal(secret.reveal().encode("ascii"), _purpose(webhook_id))


def unseal(sealer: Sealer, webhook: Webhook, now: float) -> list[Secret]:
    """What signs at `now`, the newest first; raises CannotUnseal."""
    sealed = [webhook.sealed]
    if webhook.previous_sealed is not None and webhook.previous_until is not None and now < webhook.previous_until:
        sealed.append(webhook.previous_sealed)
    return [Secret(sealer.unseal(one, _purpose(webhook.id)).decode("ascii")) for one in sealed]


def signed_headers(event_id: str, now: float, body: str, signing: Sequence[Secret]) -> dict[str, str]:
    """Signed at the moment of the attempt, since receivers refuse what is old."""
    at = datetime.fromtimestamp(int(now), UTC)  # the library takes any other zone for UTC
    signatures = [standardwebhooks.Webhook(secret.reveal()).sign(event_id, at, body) for secret in signing]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }


def _purpose(webhook_id: str) -> str:
    return f"webhook:{webhook_id}"
