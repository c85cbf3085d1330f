"""Does every answer keep to what `/openapi.json` says? Checks each by the operation that gave it."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from tests.support.names import a_name
from tests.support.server import Server

Document = dict[str, Any]


class Contract:
    """The description of the admin API, and a check against it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._paths = {
            re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))): operations
            for path, operations in document["paths"].items()
        }
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, method: str, path: str, answer: TestResponse) -> None:
        """Raises AssertionError or jsonschema's ValidationError."""
        assert answer.status_code < 500 or answer.status_code in {500, 503}
        assert answer.headers["X-Request-Id"]
        assert "text/html" not in answer.headers.get("Content-Type", "")
        operation = self._operation(method, path.partition("?")[0])
        if operation is None:
            assert answer.status_code in {404, 405}
            self.validate("Problem", answer.json)
            return
        said = operation["responses"].get(str(answer.status_code))
        assert said is not None, f"{method} {path} does not say that it answers {answer.status_code}: {answer.text}"
        described = self._resolved(said)
        for name in described["headers"]:
            required = self.document["components"]["headers"][name].get("required")
            assert name in answer.headers or not required, f"{method} {path} says that it sends {name}"
        content = described.get("content")
        if content is None:
            assert not answer.data
            assert answer.content_type is None
            return
        assert answer.content_type in content
        schema = content[answer.content_type]["schema"]["$ref"].rsplit("/", 1)[1]
        self.validate(schema, answer.json)
        if answer.status_code >= 400:
            assert answer.get_json()["status"] == answer.status_code
            assert answer.get_json()["request_id"] == answer.headers["X-Request-Id"]

    def validate(self, schema: str, value: object) -> None:
        """`value` against a named schema of the document."""
        if schema not in self._validators:
            root = {"$ref": f"#/components/schemas/{schema}", "components": self.document["components"]}
            self._validators[schema] = Draft202012Validator(root)
        self._validators[schema].validate(value)

    def _operation(self, method: str, path: str) -> Document | None:
        for pattern, operations in self._paths.items():
            if pattern.fullmatch(path):
                return operations.get({"HEAD": "get"}.get(method, method.lower()))
        return None

    def _resolved(self, said: Document) -> Document:
        if "$ref" in said:
            return self.document["components"]["responses"][said["$ref"].rsplit("/", 1)[1]]
        return said


class Api:
    """The admin API of a server, as a caller; every answer is checked against the description."""

    def __init__(self, server: Server, contract: Contract) -> None:
        self.server = server
        self.contract = contract

    def call(self, method: str, path: str, body: object = ..., **more: Any) -> TestResponse:
        answer = self.server.call(method, path, body, **more)
        self.contract.check(method, path, answer)
        return answer

    def ok(self, method: str, path: str, body: object = ..., **more: Any) -> Any:
        """The body of an answer that must be good."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code < 300, answer.text
        return answer.json if answer.data else None

    def problem(self, status: int, method: str, path: str, body: object = ..., **more: Any) -> Any:
        """The problem document of an answer that must be bad in this way."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json

    def pointers(self, method: str, path: str, body: object, **more: Any) -> list[str]:
        """Where the faulty fields are."""
        return [fault["pointer"] for fault in self.problem(422, method, path, body, **more)["errors"]]

    def credential(self, **asked: object) -> Any:
        return self.ok("POST", "/v1/credentials", {"name": a_name("nightly export"), **asked})

    def read(self, client_id: str) -> Any:
        return self.ok("GET", f"/v1/credentials/{client_id}")

    def change(self, client_id: str, **members: object) -> Any:
        return self.ok("PATCH", f"/v1/credentials/{client_id}", members, if_match="*")

    def catalogue(self) -> None:
        """An API with three scopes, and two roles."""
        scopes = [
            {"name": "reports:read", "access": "read"},
            {"name": "reports:write", "access": "write"},
            {"name": "people:read", "access": "read", "sensitive": True},
        ]
        self.ok("POST", "/v1/apis", {"audience": REPORTS, "name": "Reports", "scopes": scopes})
        for name in ("cloud_admin", "auditor"):
            self.ok("POST", "/v1/roles", {"name": name})

    def only_api(self) -> Any:
        return next(api for api in self.ok("GET", "/v1/apis")["items"] if api["audience"] == REPORTS)

    def limited_token(self, *scopes: str) -> str:
        """A token of a credential that holds only these scopes of the admin API."""
        grants = [{"audience": "urn:tokenserver:admin", "access": "custom", "scopes": list(scopes)}]
        made = self.credential(name=a_name("limited"), grants=grants)
        return self.server.token(made["client_id"], made["client_secret"])


REPORTS = "https://reports.example.com"
