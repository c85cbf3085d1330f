"""Bodies of requests: strict JSON, whatever comes, and nothing of it comes back."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.reading import parse
from app.http import LARGEST_BODY
from app.inputs.checking import MOST_FAULTS, pointer
from tests.support.credentials import QUICK
from tokenserver.errors import InvalidRequest

MALFORMED = {
    "nothing": b"",
    "half an object": b'{"name": ',
    "two values": b"{} {}",
    "single quotation marks": b"{'name': 'x'}",
    "a trailing comma": b'{"name": "x",}',
    "a comment": b'{"name": "x"} // x',
    "NaN": b'{"name": "x", "token_lifetime": NaN}',
    "infinity": b'{"name": "x", "token_lifetime": -Infinity}',
    "a number beyond all bounds": b'{"name": "x", "token_lifetime": 1e999}',
    "a whole number beyond all bounds": b'{"name": "x", "token_lifetime": ' + b"9" * 5000 + b"}",
    "a member twice": b'{"name": "x", "name": "y"}',
    "a member twice inside": b'{"name": "x", "grants": [{"audience": "a", "audience": "b"}]}',
    "a member twice by an escape": b'{"name": "x", "n\\u0061me": "y"}',
    "deep nesting": b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep nesting of objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a control character": b'{"name": "a\x01b"}',
    "bytes that are not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"name": "x"}',
    "an encoded surrogate": b'{"name": "\xed\xa0\x80"}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "the other half": b'{"name": "x", "description": "\\udc00 after"}',
    "half a surrogate pair as a member": b'{"name": "x", "\\ud800": 1}',
    "half a surrogate pair inside": b'{"name": "x", "grants": [{"scopes": ["\\uDFFF"]}]}',
    "too many members": b'{"name": "x"' + b"".join(b',"m%d":1' % n for n in range(1001)) + b"}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_not_strict_json_is_refused(refusing, body):
    answer = refusing.call("POST", "/v1/credentials", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_request"


def test_a_whole_surrogate_pair_is_one_character(api):
    made = api.ok("POST", "/v1/credentials", data=b'{"name": "\\ud83d\\ude80"}', content_type="application/json")
    assert made["name"] == "\N{ROCKET}"


@pytest.mark.parametrize("body", [[], "text", 5, 1.5, True, None, [{"name": "x"}]])
def test_a_body_that_is_no_object_is_refused(refusing, body):
    problem = refusing.problem(422, "POST", "/v1/credentials", body)
    assert problem["errors"] == [{"pointer": "", "detail": "Must be an object."}]


WRONG_TYPES = [
    None,
    "",
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/merge-patch+json",
    "application/json, application/json",
    "json",
    ";",
    "application/json\x0b",
]


@pytest.mark.parametrize("kind", WRONG_TYPES)
def test_a_body_of_another_type_is_refused(refusing, kind):
    answer = refusing.call("POST", "/v1/roles", data=b'{"name": "r"}', content_type=kind)
    assert answer.status_code == 415


def test_a_body_that_is_encoded_is_refused(refusing):
    more = {"data": b'{"name": "r"}', "content_type": "application/json"}
    for encoding in ("gzip", "br", "identity, gzip", "x"):
        answer = refusing.call("POST", "/v1/roles", headers={"Content-Encoding": encoding}, **more)
        assert answer.status_code == 415


def test_the_type_of_a_body_may_have_parameters_and_any_case(api):
    for number, kind in enumerate(["application/json; charset=utf-8", "Application/JSON", "application/json ;x"]):
        body = json.dumps({"name": f"r{number}"}).encode()
        assert api.call("POST", "/v1/roles", data=body, content_type=kind).status_code == 201


def test_a_change_may_be_sent_as_a_merge_patch(api):
    made = api.credential()
    more = {"data": b'{"name": "y"}', "content_type": "application/merge-patch+json", "if_match": "*"}
    assert api.ok("PATCH", f"/v1/credentials/{made['client_id']}", **more)["name"] == "y"


def test_a_body_over_the_limit_is_refused(refusing):
    large = b'{"name": "' + b"x" * LARGEST_BODY + b'"}'
    answer = refusing.call("POST", "/v1/credentials", data=large, content_type="application/json")
    assert answer.status_code == 413
    assert answer.json["code"] == "too_large"


def in_chunks(body):
    """As it comes through a server that ends the input by itself (granian): no length is told."""
    unlimited = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return {"input_stream": io.BytesIO(body), "content_type": "application/json", "environ_overrides": unlimited}


def test_a_body_that_does_not_tell_its_length_is_read(api):
    assert api.call("POST", "/v1/roles", **in_chunks(b'{"name": "r"}')).status_code == 201


def test_a_body_over_the_limit_is_never_cut_and_taken(refusing):
    body = b'{"name": "r"}' + b" " * LARGEST_BODY
    assert refusing.call("POST", "/v1/roles", **in_chunks(body)).status_code == 413


def test_a_body_of_the_largest_size_is_taken(api):
    body = b'{"name": "r"}'
    answer = api.call("POST", "/v1/roles", data=body.ljust(LARGEST_BODY), content_type="application/json")
    assert answer.status_code == 201


def test_a_flood_of_faults_is_cut_and_counted(refusing):
    grants = [{"audience": "x", "scopes": ["?"] * 500}] * 50
    problem = refusing.problem(422, "POST", "/v1/credentials", {"name": "x", "grants": grants})
    assert len(problem["errors"]) == MOST_FAULTS + 1
    assert problem["errors"][-1] == {
        "pointer": "",
        "detail": f"Faults that are not listed here: {25_050 - MOST_FAULTS}.",
    }


WORDS = {
    "a choice": (
        "/v1/operators",
        {"email": "a@example.com", "role": "boss"},
        "/role",
        "Must be one of: 'owner', 'admin'",
    ),
    "an empty list": ("/v1/bulk/credentials", {"action": "revoke", "client_ids": []}, "/client_ids", "not be empty."),
    "an empty text": ("/v1/webhooks", {"url": "", "events": ["*"]}, "/url", "Must not be empty."),
    "a long text": ("/v1/webhooks", {"url": "https://" + "x" * 9000, "events": ["*"]}, "/url", "at most 2000"),
    "a part of a number": ("/v1/credentials", {"name": "x", "token_lifetime": 60.5}, "/token_lifetime", "whole number"),
}


@pytest.mark.parametrize(("path", "body", "pointer", "told"), WORDS.values(), ids=WORDS.keys())
def test_a_fault_says_what_would_be_right(refusing, path, body, pointer, told):
    faults = {one["pointer"]: one["detail"] for one in refusing.problem(422, "POST", path, body)["errors"]}
    assert told in faults[pointer]


def test_a_flood_of_items_is_one_fault(refusing):
    body = {"name": "x", "roles": [1] * 100_000}
    assert refusing.pointers("POST", "/v1/credentials", body) == ["/roles"]


def test_a_long_list_of_faulty_addresses_names_each_by_its_place(refusing):
    answer = refusing.call("POST", "/v1/credentials", {"name": "x", "allowed_ips": ["10.0.0.1", "10.0.0.256"] * 100})
    assert [fault["pointer"] for fault in answer.json["errors"]] == [
        f"/allowed_ips/{place}" for place in range(1, 200, 2)
    ]
    assert "256" not in answer.text


def test_pointers_are_escaped():
    assert pointer(("grants", 0, "a/b~c")) == "/grants/0/a~1b~0c"
    assert pointer(()) == ""


@given(st.binary(max_size=200))
@QUICK
def test_any_bytes_are_json_or_refused(body):
    with contextlib.suppress(InvalidRequest):
        parse(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
@QUICK
def test_any_json_value_is_read_as_it_was_written(value):
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value
