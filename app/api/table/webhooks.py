"""Which operations are there on webhooks?"""

from __future__ import annotations

from app.api import webhook_bodies as bodies
from app.api import webhook_examples as examples
from app.api.conditions import Condition
from app.api.operation import PAGE, Operation
from app.api.webhooks import PATH, WebhookOperations
from app.inputs import bodies as inputs
from app.inputs.webhooks import WebhookChange, WebhookCreation

_ONE = PATH + "/{webhook_id}"
_READ, _WRITE = "webhooks:read", "webhooks:write"


def rows(do: WebhookOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="createWebhook",
            method="POST",
            path=PATH,
            scope=_WRITE,
            handler=do.create,
            summary="Create a webhook",
            description=(
                "Its signing secret is shown in this answer and never again. 409: there are 20 already, the most that"
                " an organization may have."
            ),
            takes=WebhookCreation,
            gives=bodies.CreatedWebhook,
            status=201,
            conflicts=True,
            asked=examples.WEBHOOK_CREATION,
            answered=examples.CREATED_WEBHOOK,
        ),
        Operation(
            name="listWebhooks",
            method="GET",
            path=PATH,
            scope=_READ,
            handler=do.list,
            summary="List webhooks",
            description="Newest first, with those that are disabled.",
            gives=bodies.WebhookList,
            query=PAGE,
            answered=examples.WEBHOOKS,
        ),
        Operation(
            name="readWebhook",
            method="GET",
            path=_ONE,
            scope=_READ,
            handler=do.read,
            summary="Read a webhook",
            description="Where it leads, what it listens to, and how its deliveries go.",
            gives=bodies.Webhook,
            answered=examples.WEBHOOK,
        ),
        Operation(
            name="changeWebhook",
            method="PATCH",
            path=_ONE,
            scope=_WRITE,
            handler=do.update,
            summary="Change a webhook",
            description=(
                "Only members that are present change. Enabled again after it was disabled, it is tried anew with what"
                " is pending; events of the time between are not made up for."
            ),
            takes=WebhookChange,
            gives=bodies.Webhook,
            condition=Condition.REQUIRED,
            asked=examples.WEBHOOK_CHANGE,
            answered=examples.WEBHOOK_CHANGED,
        ),
        Operation(
            name="deleteWebhook",
            method="DELETE",
            path=_ONE,
            scope=_WRITE,
            handler=do.delete,
            summary="Delete a webhook",
            description="It is told nothing more, of what is pending either.",
            status=204,
            condition=Condition.OPTIONAL,
        ),
        *_doings(do),
    )


def _doings(do: WebhookOperations) -> tuple[Operation, ...]:
    return (
        Operation(
            name="rotateWebhookSecret",
            method="POST",
            path=f"{_ONE}/rotate-secret",
            scope=_WRITE,
            handler=do.rotate_secret,
            summary="Rotate the signing secret of a webhook",
            description=(
                "A new secret, shown in this answer and never again. For a day, what is sent is signed with the one"
                " before it as well; rotating twice leaves nothing of the first."
            ),
            takes=inputs.Nothing,
            gives=bodies.RotatedWebhookSecret,
            condition=Condition.OPTIONAL,
            answered=examples.ROTATED_WEBHOOK_SECRET,
        ),
        Operation(
            name="testWebhook",
            method="POST",
            path=f"{_ONE}/test",
            scope=_WRITE,
            handler=do.test,
            summary="Send a test event",
            description=(
                "An event of the type `webhook.test`, whatever the webhook listens to. It is delivered like any other:"
                " see the list of deliveries for what came of it. 409: the webhook is disabled."
            ),
            takes=inputs.Nothing,
            gives=bodies.Delivery,
            status=202,
            versioned=False,
            conflicts=True,
            answered=examples.TESTED,
        ),
        Operation(
            name="listWebhookDeliveries",
            method="GET",
            path=f"{_ONE}/deliveries",
            scope=_READ,
            handler=do.deliveries,
            summary="List deliveries",
            description="Newest first, each with its latest attempts. They are kept for 30 days.",
            gives=bodies.DeliveryList,
            query=PAGE,
            answered=examples.DELIVERIES,
        ),
        Operation(
            name="redeliver",
            method="POST",
            path=f"{_ONE}/deliveries/{{delivery_id}}/redeliver",
            scope=_WRITE,
            handler=do.redeliver,
            summary="Deliver again",
            description=(
                "Now, under the same event ID, whatever came of it so far. One that is being tried at this moment goes"
                " on as it is. 409: the webhook is disabled."
            ),
            takes=inputs.Nothing,
            gives=bodies.Delivery,
            status=202,
            versioned=False,
            conflicts=True,
            answered=examples.REDELIVERED,
        ),
    )
