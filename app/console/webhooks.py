"""The pages of webhooks: where events are told, with the secret that is shown once, and what came of each delivery."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from app.console.editing import listed, meanwhile, version_of
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.inputs.checking import check
from app.inputs.webhooks import WebhookChange, WebhookCreation, changed
from app.services.admission import Wanted
from app.services.webhooks import NewWebhookSecret, WebhookDraft, Webhooks
from tokenserver.domain.webhook import EVERYTHING, TWO_SIGNATURES_FOR, Webhook, event_types
from tokenserver.errors import TokenServerError

_READ, _WRITE = Wanted("webhooks:read"), Wanted("webhooks:write")
_ONE = "/webhooks/<webhook_id>"


class WebhookPages:
    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def pages(self) -> Pages:
        form = partial(form_pages, fresh=True, wants=_WRITE)
        return (
            Page(name="webhooks", path="/webhooks", handler=self.list, wants=_READ),
            *form("create_webhook", "/webhooks/new", show=self.new, do=self.create, again=self.new_again),
            Page(name="webhook", path=_ONE, handler=self.one, wants=_READ),
            *form("change_webhook", f"{_ONE}/edit", show=self.edit, do=self.change, again=self.edit_again),
            *form("disable_webhook", f"{_ONE}/disable", show=partial(self.ask, "disable"), do=self.disable),
            *form(
                "rotate_secret_webhook",
                f"{_ONE}/rotate-secret",
                show=partial(self.ask, "rotate-secret"),
                do=self.rotate_secret,
            ),
            *form("delete_webhook", f"{_ONE}/delete", show=partial(self.ask, "delete"), do=self.delete),
            *self._doings(),
        )

    def _doings(self) -> Pages:
        """Buttons of the page of one; what is refused is said there."""
        post = partial(Page, method="POST", again=self.one_again, wants=_WRITE)
        return (
            post(name="enable_webhook", path=f"{_ONE}/enable", handler=self.enable, fresh=True),
            post(name="test_webhook", path=f"{_ONE}/test", handler=self.test),
            post(name="redeliver", path=f"{_ONE}/deliveries/<delivery_id>", handler=self.redeliver),
        )

    def list(self, visit: Visit) -> Reply:
        find = partial(self._webhooks.list, visit.caller)
        webhooks, cursor = listed(visit, find, lambda webhook: (webhook.created_at, webhook.id))
        return Shown("webhooks/list.html", {"webhooks": webhooks, "cursor": cursor})

    def one(self, visit: Visit) -> Reply:
        webhook_id = visit.ids["webhook_id"]
        webhook = self._webhooks.get(visit.caller, webhook_id)
        find = partial(self._webhooks.deliveries, visit.caller, webhook_id)
        views, cursor = listed(visit, find, lambda view: (view.delivery.created_at, view.delivery.id))
        return Shown("webhooks/one.html", {"webhook": webhook, "views": views, "cursor": cursor})

    def one_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return self.one(visit)

    # --- a new one, and a change ---

    def new(self, _: Visit) -> Reply:
        return _form("webhooks/new.html", {"typed": {"events": [EVERYTHING]}})

    def new_again(self, visit: Visit, _: TokenServerError) -> Reply:
        return _form("webhooks/new.html", {"typed": _body(visit)})

    def create(self, visit: Visit) -> Reply:
        asked = check(WebhookCreation, _body(visit))
        made = self._webhooks.create(visit.caller, WebhookDraft(asked.url, asked.description, tuple(asked.events)))
        return _revealed(made)

    def edit(self, visit: Visit) -> Reply:
        webhook = self._webhooks.get(visit.caller, visit.id)
        return _form("webhooks/edit.html", {"webhook": webhook, "typed": _saved(webhook), "saved": {}})

    def edit_again(self, visit: Visit, fault: TokenServerError) -> Reply:
        webhook, typed = self._webhooks.get(visit.caller, visit.id), _body(visit)
        told = meanwhile(fault, _told(_saved(webhook)), _told(typed))
        return _form("webhooks/edit.html", {"webhook": webhook, "typed": typed, **told})

    def change(self, visit: Visit) -> Reply:
        change = check(WebhookChange, _body(visit))
        self._webhooks.update(visit.caller, visit.id, version_of(visit.form), lambda webhook: changed(webhook, change))
        return Sent(f"/webhooks/{visit.id}", "saved")

    # --- at once ---

    def enable(self, visit: Visit) -> Reply:
        self._webhooks.update(visit.caller, visit.id, None, lambda webhook: webhook, enabled=True)
        return Sent(f"/webhooks/{visit.id}", "webhook_enabled")

    def test(self, visit: Visit) -> Reply:
        self._webhooks.test(visit.caller, visit.id)
        return Sent(f"/webhooks/{visit.id}", "test_sent")

    def redeliver(self, visit: Visit) -> Reply:
        webhook_id = visit.ids["webhook_id"]
        self._webhooks.redeliver(visit.caller, webhook_id, visit.ids["delivery_id"])
        return Sent(f"/webhooks/{webhook_id}", "redelivered")

    # --- asked once more ---

    def ask(self, deed: str, visit: Visit) -> Reply:
        webhook = self._webhooks.get(visit.caller, visit.id)
        return Shown(f"webhooks/{deed}.html", {"webhook": webhook, "both_for": TWO_SIGNATURES_FOR})

    def disable(self, visit: Visit) -> Reply:
        self._webhooks.update(visit.caller, visit.id, None, lambda webhook: webhook, enabled=False)
        return Sent(f"/webhooks/{visit.id}", "webhook_disabled")

    def rotate_secret(self, visit: Visit) -> Reply:
        return _revealed(self._webhooks.rotate_secret(visit.caller, visit.id, version_of(visit.form)))

    def delete(self, visit: Visit) -> Reply:
        self._webhooks.delete(visit.caller, visit.id, version_of(visit.form))
        return Sent("/webhooks", "deleted")


def _revealed(made: NewWebhookSecret) -> Shown:
    return Shown("webhooks/secret.html", {"webhook": made.webhook, "secret": made.secret.reveal()}, 201)


def _form(template: str, values: Mapping[str, Any]) -> Shown:
    """Types of events by subject, so that all of a subject can be chosen at once."""
    subjects: dict[str, list[str]] = {}
    for type_ in event_types():
        subjects.setdefault(type_.partition(".")[0], []).append(type_)
    return Shown(template, {"subjects": subjects, "everything": EVERYTHING, **values})


def _body(visit: Visit) -> dict[str, Any]:
    """What is a part of something that was chosen as a whole is not listed besides."""
    chosen = visit.form.all("events")
    if EVERYTHING in chosen:
        chosen = [EVERYTHING]
    wholes = {one for one in chosen if one.endswith(".*")}
    events = [one for one in chosen if one in wholes or f"{one.partition('.')[0]}.*" not in wholes]
    return {"url": visit.form.text("url"), "description": visit.form.text("description"), "events": events}


def _saved(webhook: Webhook) -> dict[str, Any]:
    return {"url": webhook.url, "description": webhook.description, "events": list(webhook.subscriptions)}


def _told(typed: Mapping[str, Any]) -> dict[str, str]:
    """In words, for who compares."""
    return {"url": typed["url"], "description": typed["description"], "events": ", ".join(sorted(typed["events"]))}
