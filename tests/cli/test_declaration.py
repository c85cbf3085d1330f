"""Is a file for `apply` read strictly, and every fault in it named with its line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenserver.cli.declaration import LARGEST_FILE, read_declaration
from tokenserver.cli.failures import Failure

GOOD = """\
version: 1
apis:
  - audience: https://api.example.com
    name: Example
    scopes: [reports:read=read, {name: keys:write, access: write, sensitive: true, description: Keys}]
    shared: true
roles:
  - {name: cloud_admin, description: "  Manages.  ", audience: null, shared: false}
credentials:
  - name: nightly export
    roles: [cloud_admin]
    grants: [https://api.example.com=reports:read, {audience: "urn:x", access: all_read}]
    allowed_ips: 192.0.2.1 - 192.0.3.254, 2001:db8::/32
    token_lifetime: 15m
    expires_at: 2027-11-21
    rotation_schedule: {interval_days: 90, grace_seconds: 14d}
    disabled: false
  - {name: "e\\u0301", allowed_ips: [192.0.2.1, "192.0.2.1"], expires_at: never, token_lifetime: 60}
  - {name: anywhere, allowed_ips: null, expires_at: 2027-11-21T09:30:00+02:00}
"""


def read(text):
    return read_declaration(Path("f.yaml"), text)


def test_a_good_file_becomes_values():
    found = read(GOOD)
    (api,), (role,), (first, second, third) = found.apis, found.roles, found.credentials
    assert api.body["scopes"] == [
        {"name": "reports:read", "access": "read", "sensitive": False},
        {"name": "keys:write", "access": "write", "sensitive": True, "description": "Keys"},
    ]
    assert api.body["shared"] is True
    assert role.body == {"name": "cloud_admin", "description": "Manages.", "audience": None, "shared": False}
    assert first.body == {
        "name": "nightly export",
        "roles": ["cloud_admin"],
        "grants": [
            {"audience": "https://api.example.com", "access": "custom", "scopes": ["reports:read"]},
            {"audience": "urn:x", "access": "all_read"},
        ],
        "allowed_ips": ["192.0.2.1-192.0.3.254", "2001:db8::/32"],
        "token_lifetime": 900,
        "expires_at": "2027-11-21T00:00:00Z",
        "rotation_schedule": {"interval_days": 90, "grace_seconds": 1209600},
        "disabled": False,
    }
    assert second.key == "\u00e9"  # one spelling, as the server keeps it
    assert (second.body["allowed_ips"], second.body["expires_at"]) == (["192.0.2.1"], None)
    assert third.body == {"name": "anywhere", "allowed_ips": None, "expires_at": "2027-11-21T07:30:00Z"}
    assert first.place_of("f.yaml")("/roles/0") == "f.yaml:11: credential nightly export, roles"


def credential(text):
    return f"version: 1\ncredentials:\n  - name: x\n    {text}\n"


FAULTS = {
    "nothing": ("", "f.yaml:1: the file is empty"),
    "no version": ("roles: []\n", "f.yaml:1: version: 1 is missing"),
    "another version": ("version: 2\n", "f.yaml:1: version: 1 is missing"),
    "a list": ("- a\n", "f.yaml:1: the file must have members"),
    "a word": ("word\n", "f.yaml:1: the file must have members"),
    "an unknown section": ("version: 1\nclients: []\n", "f.yaml:2: a member is not known; known are apis,"),
    "an unknown member": (credential("secret: x"), "f.yaml:4: a member is not known"),
    "a member twice": (credential("name: y"), "f.yaml:4: name is there twice"),
    "a section twice": ("version: 1\nroles: []\nroles: []\n", "f.yaml:3: roles is there twice"),
    "a thing twice": ("version: 1\nroles:\n  - name: a\n  - name: a\n", "f.yaml:4: there are two roles with this name"),
    "a section that is no list": ("version: 1\nroles: {name: a}\n", "f.yaml:2: roles must be a list"),
    "a thing that has no members": ("version: 1\nroles: [a]\n", "f.yaml:2: one of the roles must have members"),
    "no name": ("version: 1\ncredentials:\n  - description: x\n", "f.yaml:3: name is missing"),
    "no audience": ("version: 1\napis:\n  - name: x\n", "f.yaml:3: audience is missing"),
    "yes for a name": ("version: 1\nroles:\n  - name: yes\n", "f.yaml:3: name must be text: put it in quotes"),
    "a number for a name": ("version: 1\nroles:\n  - name: 1.10\n", "f.yaml:3: name must be text: put it in quotes"),
    "null for a name": ("version: 1\nroles:\n  - name:\n", "f.yaml:3: name must be text"),
    "a list for a name": ("version: 1\nroles:\n  - name: [a]\n", "f.yaml:3: name must be text"),
    "an item of a list": (credential("roles:\n      - a\n      - no"), "f.yaml:6: roles must be text"),
    "roles that are no list": (credential("roles: a"), "f.yaml:4: roles must be a list"),
    "a grant of a wrong form": (credential("grants: [x]"), "f.yaml:4: grants write AUDIENCE="),
    "a grant with a strange member": (credential("grants: [{audience: x, scope: y}]"), "f.yaml:4: grants has members"),
    "a grant without audience": (credential("grants: [{access: all_read}]"), "f.yaml:4: grants lacks audience"),
    "an access that is none": (credential("grants: [{audience: x, access: all}]"), "f.yaml:4: grants write one of"),
    "an address that is none": (credential("allowed_ips: 300.1.1.1"), "f.yaml:4: allowed_ips: Item 1"),
    "no addresses": (credential("allowed_ips: []"), "f.yaml:4: allowed_ips: "),
    "a lifetime in words": (credential("token_lifetime: soon"), "f.yaml:4: token_lifetime write a number of seconds"),
    "a lifetime that is a list": (credential("token_lifetime: [1]"), "f.yaml:4: token_lifetime must be"),
    "an expiry from now": (credential("expires_at: +90d"), "the same at every run"),
    "an expiry that is none": (credential("expires_at: soon"), "f.yaml:4: expires_at write a date"),
    "null for an expiry": (credential("expires_at: null"), "or never"),
    "a schedule in hours": (credential("rotation_schedule: 5h"), "f.yaml:4: rotation_schedule write whole days"),
    "a schedule of half a day": (credential("rotation_schedule: {interval_days: 0.5}"), "must be a whole number"),
    "yes for shared": ("version: 1\nroles: [{name: a, shared: yes}]", "f.yaml:2: shared must be true or false"),
    "on for disabled": (credential("disabled: on"), "f.yaml:4: disabled must be true or false"),
    "a merge": ("version: 1\nroles:\n  - {name: a, <<: {description: x}}\n", "f.yaml:3: a member is not known"),
    "an alias": ("version: 1\nroles: [&a {name: a}, *a]\n", "f.yaml:2: aliases are not read here"),
    "an alias of itself": ("&a [*a]\n", "f.yaml:1: aliases are not read here"),
    "another language": ("version: 1\nroles: [\n", "f.yaml:3: "),
    "a tab": ("version: 1\n\troles: []\n", "f.yaml:2: "),
    "two documents": ("version: 1\n---\nversion: 1\n", "f.yaml:2: "),
    "a tag that makes objects": ("version: 1\nroles: !!python/object:os.system [x]\n", "f.yaml:2: "),
    "a control character": ("version: 1\x00\n", "f.yaml"),
    "nesting that is too deep": ("[" * 5_000, "is not YAML that can be read"),
    "a file that is too long": ("#" * (LARGEST_FILE + 1), "too long"),
}


@pytest.mark.parametrize(("text", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_named_with_its_line(text, told):
    with pytest.raises(Failure) as failed:
        read(text)
    assert failed.value.exit_code == 2
    assert told in failed.value.message


def test_all_faults_are_told_at_once_in_the_order_of_the_file_but_not_without_end():
    things = "".join(f"  - name: {number}\n" for number in range(80))
    with pytest.raises(Failure) as failed:
        read(f"version: 1\nroles:\n{things}")
    lines = failed.value.message.splitlines()
    assert [line.split(":")[1] for line in lines[:3]] == ["3", "4", "5"]
    assert lines[-1] == "… and 30 more."
    assert len(lines) == 51


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(Failure, match="cannot be read"):
        read_declaration(tmp_path / "nowhere")
    (tmp_path / "f").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(Failure, match="UTF-8"):
        read_declaration(tmp_path / "f")


def test_nothing_that_was_written_comes_back_in_a_fault():
    """A secret in the wrong place must not land in a log of a pipeline."""
    with pytest.raises(Failure) as failed:
        read("version: 1\ntss_secret: x\nroles:\n  - {name: 1, tss_secret: y}\ncredentials:\n  - tss_secret\n")
    assert "tss_secret" not in failed.value.message
