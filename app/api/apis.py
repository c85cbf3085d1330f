"""How do APIs and their scopes look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from app.api import outputs
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.bodies import ApiChange
from app.inputs.catalogue import changed, scopes_of
from app.inputs.fields import moment_text
from app.services.audit import Caller
from app.services.catalogue import ApiDraft, CatalogueService
from app.settings import Settings
from tokenserver.domain.catalogue import Api

PATH = "/v1/apis"
MOST_SHOWN = 1000


class ApiOperations:
    def __init__(self, catalogue: CatalogueService, settings: Settings) -> None:
        self._catalogue = catalogue
        self._address = settings.issuer + PATH

    def create(self, call: Call) -> Answer:
        draft = ApiDraft(call.body.audience, call.body.name, scopes_of(call.body.scopes), call.body.shared)
        api = self._catalogue.create_api(call.caller, draft, cascade=call.cascade)
        return Answer(api_shown(api, call.caller), [("Location", f"{self._address}/{api.id}"), *etag(api.version)])

    def list(self, call: Call) -> Answer:
        found = self._catalogue.list_apis(call.caller, call.page.after_moment, call.page.limit + 1)
        apis, cursor, headers = call.page.cut(found, lambda api: (api.created_at, api.id), self._address)
        return Answer(outputs.ApiList(items=[api_shown(api, call.caller) for api in apis], next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return _answer(call, self._catalogue.get_api(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        change: ApiChange = call.body
        return _answer(
            call,
            self._catalogue.update_api(
                call.caller, call.subject, call.version, lambda api: changed(api, change), cascade=call.cascade
            ),
        )

    def preview(self, call: Call) -> Answer:
        change: ApiChange = call.body
        found = self._catalogue.preview_api(call.caller, call.subject, lambda api: changed(api, change))
        effects = [
            outputs.Effect(
                client_id=effect.credential.client_id,
                name=effect.credential.name,
                organization=effect.credential.organization_id,
                gains=sorted(effect.gains),
                loses=sorted(effect.loses),
            )
            for effect in found[:MOST_SHOWN]
        ]
        return Answer(outputs.Preview(count=len(found), credentials=effects))

    def delete(self, call: Call) -> Answer:
        self._catalogue.delete_api(call.caller, call.subject, call.version, cascade=call.cascade)
        return Answer(None)


def api_shown(api: Api, caller: Caller) -> outputs.Api:
    return outputs.Api(
        id=api.id,
        audience=api.audience,
        name=api.name,
        scopes=[
            outputs.Scope(name=s.name, access=s.access, sensitive=s.sensitive, description=s.description)
            for s in api.scopes
        ],
        shared=api.shared,
        own=api.organization_id == caller.organization_id,
        created_at=moment_text(api.created_at),
        version=api.version,
    )


def _answer(call: Call, api: Api) -> Answer:
    return Answer(api_shown(api, call.caller), etag(api.version))
