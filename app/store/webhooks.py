"""Which webhooks does an organization have? Their secrets come and go sealed; this file never sees one in clear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from app.store.models import DeliveryRow, WebhookRow
from app.store.places import in_order
from tokenserver.domain.webhook import Webhook
from tokenserver.errors import PreconditionFailed


class WebhookStore:
    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, organization_id: str, webhook_id: str) -> Webhook | None:
        row = self._session.scalars(_living(organization_id).where(WebhookRow.id == webhook_id)).first()
        return None if row is None else _webhook(row)

    def page(self, organization_id: str, after: tuple[int, str] | None, limit: int) -> list[Webhook]:
        """Newest first; `after` is the place of the last one seen."""
        query = in_order(_living(organization_id), (WebhookRow.created_at, WebhookRow.id), after, backwards=True)
        return [_webhook(row) for row in self._session.scalars(query.limit(limit))]

    def count(self, organization_id: str) -> int:
        query = select(func.count()).where(
            WebhookRow.organization_id == organization_id, WebhookRow.deleted_at.is_(None)
        )
        return self._session.scalars(query).one()

    def listening(self, organization_id: str) -> dict[str, list[str]]:
        """Webhooks that are told of events, and what they subscribe to."""
        query = select(WebhookRow.id, WebhookRow.subscriptions).where(
            WebhookRow.organization_id == organization_id,
            WebhookRow.deleted_at.is_(None),
            WebhookRow.disabled_at.is_(None),
        )
        return {webhook_id: json.loads(text) for webhook_id, text in self._session.execute(query)}

    def add(self, webhook: Webhook) -> None:
        self._session.add(WebhookRow(**_columns(webhook), deleted_at=None))
        self._session.flush()

    def save(self, webhook: Webhook, *, was: Webhook) -> None:
        """Raises PreconditionFailed when it has changed meanwhile."""
        columns = _columns(webhook)
        changed = self._session.execute(
            update(WebhookRow)
            .where(
                WebhookRow.organization_id == was.organization_id,
                WebhookRow.id == was.id,
                WebhookRow.version == was.version,
                WebhookRow.deleted_at.is_(None),
            )
            .values({name: columns[name] for name in columns if name not in {"id", "organization_id"}})
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]  # a CursorResult, for DML
            raise PreconditionFailed

    def note(self, webhook: Webhook, *, failing_since: int | None, last_success_at: int | None) -> None:
        """How deliveries go: no change that anybody made, and no new version."""
        self._session.execute(
            update(WebhookRow)
            .where(WebhookRow.organization_id == webhook.organization_id, WebhookRow.id == webhook.id)
            .values(failing_since=failing_since, last_success_at=last_success_at)
            .execution_options(synchronize_session=False)
        )

    def delete(self, organization_id: str, webhook_id: str, now: int) -> None:
        """Gone from lists, and told nothing more; its secrets are gone at once, its row when its deliveries are."""
        self._session.execute(
            update(WebhookRow)
            .where(WebhookRow.organization_id == organization_id, WebhookRow.id == webhook_id)
            .values(deleted_at=now, disabled_at=now, url="", sealed=b"", previous_sealed=None)
            .execution_options(synchronize_session=False)
        )

    # --- of all organizations: the clock's work ---

    def with_something_due(self, now: int, *, failing: bool, busy: Sequence[str], limit: int) -> list[Webhook]:
        """Webhooks that something is due for, in any order, without those that are `busy`."""
        due = exists().where(DeliveryRow.webhook_id == WebhookRow.id, DeliveryRow.next_at <= now)
        query = (
            select(WebhookRow)
            .where(WebhookRow.disabled_at.is_(None), WebhookRow.id.not_in(busy), due)
            .where(WebhookRow.failing_since.is_not(None) if failing else WebhookRow.failing_since.is_(None))
            .order_by(func.random())
            .limit(limit)
        )
        return [_webhook(row) for row in self._session.scalars(query)]

    def deleted(self) -> str | None:
        """One that was deleted and whose row is still there."""
        return self._session.scalars(select(WebhookRow.id).where(WebhookRow.deleted_at.is_not(None)).limit(1)).first()

    def remove(self, webhook_id: str) -> None:
        """Once nothing refers to it."""
        self._session.execute(delete(WebhookRow).where(WebhookRow.id == webhook_id))


def _living(organization_id: str) -> Any:
    """Read anew, even where this transaction has changed them: its statements go past the rows it has read."""
    living = select(WebhookRow).where(WebhookRow.organization_id == organization_id, WebhookRow.deleted_at.is_(None))
    return living.execution_options(populate_existing=True)


def _columns(webhook: Webhook) -> dict[str, Any]:
    return {**asdict(webhook), "subscriptions": json.dumps(webhook.subscriptions)}


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.id,
        organization_id=row.organization_id,
        url=row.url,
        description=row.description,
        subscriptions=tuple(json.loads(row.subscriptions)),
        sealed=row.sealed,
        previous_sealed=row.previous_sealed,
        previous_until=row.previous_until,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
    )
