"""The description of the admin API: valid, complete, and in agreement with what is served."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.server import Server, serving
from tokenserver.domain.operators import ADMIN_SCOPES
from tokenserver.domain.secret import looks_like_client_id, looks_like_secret


@pytest.fixture(scope="module")
def described(installed, tmp_path_factory):
    """A server that is only looked at."""
    with serving(installed, tmp_path_factory.mktemp("described")) as server:
        yield server


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_the_description_is_valid_openapi(contract):
    OpenAPIV31SpecValidator(contract.document).validate()


def test_the_schemas_are_valid_json_schema(contract):
    for schema in contract.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_route_is_described_and_every_description_is_a_route(described, contract):
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in described.app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
        for method in rule.methods - {"HEAD"}
    }
    assert served == {(method, path) for method, path, _ in operations(contract.document)}


def test_the_description_is_public_and_may_be_kept_a_while(described):
    answer = described.call("GET", "/openapi.json", token=None)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.get_json()["openapi"].startswith("3.1.")


def test_addresses_are_of_the_issuer_whatever_the_request_says(described):
    answer = described.call("GET", "/openapi.json", token=None, headers={"Host": "evil.example.com"})
    document = answer.get_json()
    assert document["servers"] == [{"url": "https://auth.example.com"}]
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://auth.example.com/oauth/token"
    assert "evil" not in answer.text


ASKING = {"inspectToken"}
"""A question that is too secret for a URL: a POST that changes nothing."""


def test_every_operation_names_one_scope_that_can_be_granted(contract):
    flow = contract.document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    asked = {
        scope
        for _, _, operation in operations(contract.document)
        for way in operation["security"]
        for scope in way["oauth2"]
    }
    assert asked == set(flow["scopes"]) <= {scope.name for scope in ADMIN_SCOPES}
    for method, _, operation in operations(contract.document):
        for way in operation["security"]:
            (scope,) = way["oauth2"]
            assert scope.endswith(":read") == (method == "GET" or operation["operationId"] in ASKING)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(contract):
    found = [operation for _, _, operation in operations(contract.document)]
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert all(operation["summary"] and operation["description"] for operation in found)


def test_every_operation_has_examples_that_keep_to_their_schemas(contract):
    for _, _, operation in operations(contract.document):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            for media in content.values():
                contract.validate(media["schema"]["$ref"].rsplit("/", 1)[1], media["example"])


def test_every_example_of_a_request_is_taken(stocked):
    examples = {
        operation["operationId"]: next(iter(operation["requestBody"]["content"].values()))["example"]
        for _, _, operation in operations(stocked.contract.document)
        if "requestBody" in operation
    }
    api = stocked.ok("POST", "/v1/apis", examples["createApi"])
    role = next(role for role in stocked.ok("GET", "/v1/roles")["items"] if role["name"] == "cloud_admin")
    stocked.ok("DELETE", f"/v1/roles/{role['id']}")
    role = stocked.ok("POST", "/v1/roles", examples["createRole"])
    made = stocked.ok("POST", "/v1/credentials", examples["createCredential"])
    path = f"/v1/credentials/{made['client_id']}"
    stocked.ok("PATCH", path, examples["changeCredential"], if_match='"1"')
    for name, action in {
        "rotateSecret": "/rotate",
        "finishRotation": "/rotation/finish",
        "regenerateSecret": "/regenerate",
        "disableCredential": "/disable",
        "enableCredential": "/enable",
        "revokeCredential": "/revoke",
    }.items():
        stocked.ok("POST", path + action, examples[name])
    stocked.ok("PATCH", f"/v1/apis/{api['id']}", examples["changeApi"], if_match="*")
    stocked.ok("PATCH", f"/v1/roles/{role['id']}", examples["changeRole"], if_match="*")
    webhook = f"/v1/webhooks/{stocked.ok('POST', '/v1/webhooks', examples['createWebhook'])['id']}"
    stocked.ok("PATCH", webhook, examples["changeWebhook"], if_match="*")
    stocked.ok("POST", f"{webhook}/rotate-secret", examples["rotateWebhookSecret"])
    delivery = stocked.ok("POST", f"{webhook}/test", examples["testWebhook"])
    stocked.ok("POST", f"{webhook}/deliveries/{delivery['id']}/redeliver", examples["redeliver"])


def test_no_secret_in_an_example_passes_for_one(contract):
    text = str(contract.document)
    secrets = re.findall(r"tss_[0-9A-Za-z]{20,}", text)
    assert secrets
    assert not [secret for secret in secrets if looks_like_secret(secret)]
    assert all(re.fullmatch(r"tss_[0-9A-Za-z]{46}", secret) for secret in secrets)
    assert all(looks_like_client_id(found) for found in re.findall(r"tsc_\w+", text) if "{22}" not in found)


def test_requests_refuse_unknown_members_and_answers_may_gain_some(contract):
    schemas = contract.document["components"]["schemas"]
    taken, given = set(), set()
    for _, _, operation in operations(contract.document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            taken.add(content["schema"]["$ref"].rsplit("/", 1)[1])
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                given.add(content["schema"]["$ref"].rsplit("/", 1)[1])
    assert all(schemas[name]["additionalProperties"] is False for name in taken)
    assert not [name for name in given if "additionalProperties" in schemas[name]]


def test_every_reference_leads_somewhere(contract):
    document = contract.document
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(document))):
        found = document
        for step in reference.split("/"):
            found = found[step]


def test_a_server_does_not_describe_itself_before_it_is_asked(installed, tmp_path):
    with serving(installed, tmp_path) as server:
        door = door_of(server)
        assert "_described" not in vars(door)
        server.call("GET", "/openapi.json", token=None)
        assert "_described" in vars(door)


def door_of(server: Server) -> Any:
    view: Any = server.app.view_functions["openapi"]
    return view.__self__
