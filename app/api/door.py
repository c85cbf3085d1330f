"""Who knocks, what is asked, and what is answered? Every operation of the table goes these four steps.

Nothing of a request is looked at before its token has been admitted: a stranger gets the same 401 whatever else is
wrong. Failures are raised as they are and become problem documents at the edge (`app.http`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

from flask import Flask, Request, Response, request

from app.api.apis import ApiOperations
from app.api.audit_events import AuditEventOperations
from app.api.bulk import BulkOperations
from app.api.conditions import expected_version
from app.api.credentials import CredentialOperations
from app.api.openapi import described
from app.api.operation import Call, Operation
from app.api.operators import OperatorOperations
from app.api.organizations import OrganizationOperations
from app.api.previews import PreviewOperations
from app.api.reading import bearer, read_body
from app.api.repeating import Repeating
from app.api.roles import RoleOperations
from app.api.subjects import ELSEWHERE, NOWHERE, SUBJECTS
from app.api.table import operations
from app.api.tokens import TokenOperations
from app.api.usage import UsageOperations
from app.api.webhooks import WebhookOperations
from app.http import address_of, request_id_of, respond
from app.inputs.paging import read_page
from app.inputs.selecting import FILTERS, read_selection
from app.services.admission import Admission, Wanted
from app.services.audit import Caller
from app.services.audit_trail import AuditTrail
from app.services.bulk import Bulk
from app.services.catalogue import CatalogueService
from app.services.credentials import Credentials
from app.services.explaining import Explaining
from app.services.idempotency import Idempotency
from app.services.operators import Operators
from app.services.organizations import Organizations
from app.services.previewing import Previewing
from app.services.usage import Usage
from app.services.webhooks import Webhooks
from app.settings import Settings
from tokenserver.clock import Clock, utc_now
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.errors import InvalidRequest


class AdminApi:
    def __init__(
        self,
        *,
        credentials: Credentials,
        bulk: Bulk,
        catalogue: CatalogueService,
        organizations: Organizations,
        operators: Operators,
        audit_trail: AuditTrail,
        webhooks: Webhooks,
        usage: Usage,
        explaining: Explaining,
        previewing: Previewing,
        admission: Admission,
        idempotency: Idempotency,
        settings: Settings,
        clock: Clock = utc_now,
    ) -> None:
        self._admission = admission
        self._repeating = Repeating(idempotency)
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        self.table = operations(
            of_credentials=CredentialOperations(credentials, settings, clock),
            of_many=BulkOperations(bulk),
            of_apis=ApiOperations(catalogue, settings),
            of_roles=RoleOperations(catalogue, settings),
            of_organizations=OrganizationOperations(organizations, settings),
            of_operators=OperatorOperations(operators, settings),
            of_audit_events=AuditEventOperations(audit_trail, settings),
            of_webhooks=WebhookOperations(webhooks, settings, clock),
            of_usage=UsageOperations(usage, clock),
            of_previews=PreviewOperations(previewing),
            of_tokens=TokenOperations(explaining),
        )
        self._issuer = settings.issuer

    def mount(self, app: Flask) -> None:
        for operation in self.table:
            rule = operation.path.replace("{", "<").replace("}", ">")
            app.add_url_rule(rule, operation.name, partial(self._serve, operation), methods=[operation.method])
        app.add_url_rule("/openapi.json", "openapi", self.openapi)

    def openapi(self) -> Response:
        return respond(self._described, headers=[("Cache-Control", "public, max-age=300")])

    @cached_property
    def _described(self) -> dict[str, Any]:
        """Made when somebody asks for it: a server that starts has better things to do."""
        return described(self.table, self._issuer)

    def _serve(self, operation: Operation, **ids: str) -> Response:
        caller = self._admit(operation)  # 1. who is asking
        call = read_call(request, operation, caller, ids)  # 2. what is asked
        return self._repeating.answered(request, operation, call)  # 3. do it, 4. say it

    def _admit(self, operation: Operation) -> Caller:
        environ = request.environ
        address, request_id = address_of(request, self._proxies), request_id_of(environ)
        elsewhere = request.headers.get(ELSEWHERE)
        if elsewhere is not None and not SUBJECTS["organization_id"].is_like(elsewhere):
            elsewhere = NOWHERE
        wanted = Wanted(operation.scope, operation.own)
        return self._admission.admit(bearer(environ), wanted, address, request_id, elsewhere)


def read_call(request: Request, operation: Operation, caller: Caller, ids: Mapping[str, str]) -> Call:
    """Everything the handler needs, as values."""
    for name, text in ids.items():
        SUBJECTS[name].refuse_unless_like(text)
    version = expected_version(request.headers.get("If-Match"), operation.condition)
    query = _query(request, operation)
    cascade = query.get("cascade", "false")
    if cascade not in {"true", "false"}:
        raise InvalidRequest("cascade is true or false.")
    selects = {name: query[name] for name in FILTERS if name in query}
    selection = read_selection(selects)
    order = selection.order.value if "sort" in operation.query else ""
    return Call(
        caller=caller,
        ids=ids,
        body=None if operation.takes is None else read_body(request, operation.takes, operation.kinds),
        version=version,
        page=read_page(query.get("limit"), query.get("cursor"), order, selects),
        selection=selection,
        cascade=cascade == "true",
        query=query,
    )


def _query(request: Request, operation: Operation) -> dict[str, str]:
    """A parameter that does nothing is most likely misspelt, so that it is refused."""
    given = request.args.to_dict(flat=False)
    if any(name not in operation.query or len(values) > 1 for name, values in given.items()):
        known = ", ".join(operation.query) or "none"
        raise InvalidRequest(f"A parameter in the URL is not known or is repeated. Known are: {known}.")
    return {name: values[0] for name, values in given.items()}
