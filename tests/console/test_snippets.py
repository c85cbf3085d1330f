"""Do the examples on a credential's page run as they are printed there, against a real server and a real API?"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from app.console.snippets import SECRET, Snippet, snippets_of
from tests.support.console import signed_in
from tests.support.server import ISSUER
from tests.support.world import ROOT, Process, a_world, free_port
from tokenserver.domain.credential import Credential
from tokenserver.domain.generation import Generation
from tokenserver.domain.restrictions import Access, Grant, Restrictions

NASTY = "https://api.example.com/a'b$(touch${IFS}x);&c"
PLAIN = Credential("tsc_0000000000000000000000", "org_1", "one", Restrictions(), Generation(), (), 0, "shell")
PYTHON = ("python", "flask", "fastapi", "django")


def snippets(*grants, roles=()) -> dict[str, Snippet]:
    terms = Restrictions(grants=grants, roles=frozenset(roles))
    for_apps, for_apis = snippets_of(replace(PLAIN, restrictions=terms), ISSUER)
    return {one.id: one for one in (*for_apps, *for_apis)}


READ = Grant("https://api.example.com", Access.CUSTOM, frozenset({"reports:read", "reports:write"}))


def test_each_names_the_issuer_and_none_holds_a_secret():
    for one in snippets(READ).values():
        assert ISSUER in one.text, one.id
        assert "tss_" not in one.text
    for name in ("curl", "python", "node"):
        assert PLAIN.client_id in snippets(READ)[name].text
        assert SECRET in snippets(READ)[name].text


def test_what_an_api_requires_is_a_scope_a_role_or_a_caller_whichever_there_is():
    assert '@require(scopes={"reports:read"})' in snippets(READ)["flask"].text
    everything = Grant("https://api.example.com", Access.ALL_READ)
    assert '@require(roles={"reader"})' in snippets(everything, roles=["reader"])["flask"].text
    assert "@require(any_caller=True)" in snippets(everything)["flask"].text
    assert "aud=https://api.example.com&scope=reports:read;" in snippets(READ)["nginx"].text


def test_where_there_are_several_apis_the_token_is_asked_for_one():
    other = Grant("https://other.example.com", Access.ALL_READ)
    for name in ("curl", "python", "node"):
        assert "resource" in snippets(READ, other)[name].text, name
        assert "resource" not in snippets(READ)[name].text, name


@pytest.mark.parametrize("name", PYTHON)
def test_whatever_an_audience_is_called_python_reads_it_back(name):
    text = snippets(Grant(NASTY, Access.ALL_READ), Grant(NASTY + "2", Access.ALL_READ))[name].text
    constants: list[object] = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    assert NASTY in constants


def test_whatever_an_audience_is_called_the_shell_runs_nothing_of_it():
    text = snippets(Grant(NASTY, Access.ALL_READ), Grant(NASTY + "2", Access.ALL_READ))["curl"].text
    assert NASTY in shlex.split(text)
    assert f"resource={NASTY}" in shlex.split(text)


def test_whatever_an_audience_is_called_nginx_sees_one_address():
    line = next(line for line in snippets(Grant(NASTY, Access.ALL_READ))["nginx"].text.splitlines() if "aud=" in line)
    assert re.fullmatch(r"    proxy_pass [A-Za-z0-9:/.?=&%_-]+;", line)


@pytest.mark.parametrize("name", ["flask", "fastapi"])
def test_the_guards_of_an_api_are_programs(name):
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(snippets(READ)[name].text, name, "exec"), names)  # noqa: S102  it is ours
    if name == "flask":
        assert names["app"].test_client().get("/reports").status_code == 401
    else:
        assert "/reports" in names["app"].openapi()["paths"]


def test_nginx_takes_what_is_for_it(tmp_path):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    terms = Restrictions(grants=(Grant(NASTY, Access.ALL_READ),), roles=frozenset({"a:b*"}))
    _, for_apis = snippets_of(replace(PLAIN, restrictions=terms), "http://127.0.0.1:8000")
    text = next(one.text for one in for_apis if one.id == "nginx")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; server {{ listen 127.0.0.1:1;\n{text}}} }}"
    )
    command = [nginx, "-t", "-q", "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_strange_audiences_are_text_on_the_page(server):
    audience = "urn:a:'$&();!"
    scopes = [{"name": "a", "access": "read"}]
    server.call("POST", "/v1/apis", {"audience": audience, "name": "<script>", "scopes": scopes})
    grants = [{"audience": audience, "access": "all_read"}]
    one = server.call("POST", "/v1/credentials", {"name": "one", "grants": grants}).get_json()
    page = signed_in(server).open(f"/credentials/{one['client_id']}").text
    assert "<script>" not in page.replace("<script src", "")
    assert audience in unescape(page)


# --- run, as they are printed on the page ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("snippets")) as world:
        world.start()
        yield world


@pytest.fixture(scope="module")
def apis(world):
    """The addresses of two protected APIs, each known by its own."""
    found = []
    for _ in range(2):
        port = free_port()
        audience = f"http://127.0.0.1:{port}/any"
        options = json.dumps({"issuer": world.issuer, "audience": audience})
        process = Process(
            ["-m", "tests.support.protected", "wsgi", str(port), options],
            world.environment,
            world.home / f"api-{port}.log",
        )
        world.processes.append(process)
        world._wait_for(audience, process, 401)
        scopes = [{"name": "reports:read", "access": "read"}]
        world.manage("POST", "/v1/apis", {"audience": audience, "name": "Example", "scopes": scopes})
        found.append(audience)
    return found


@pytest.fixture(params=["one API", "two APIs"])
def printed(request, world, apis):
    """The examples of a credential, and its secret."""
    count = 1 if request.param == "one API" else 2
    grants = [{"audience": audience, "access": "all_read"} for audience in apis[:count]]
    made = world.credential(grants=grants, roles=[])
    terms = Restrictions(grants=tuple(Grant(audience, Access.ALL_READ) for audience in apis[:count]))
    for_apps, _ = snippets_of(replace(PLAIN, client_id=made["client_id"], restrictions=terms), world.issuer)
    return {one.id: one.text for one in for_apps}, made["client_secret"]


def run(command, secret, tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENSERVER_")}
    environment = {**kept, SECRET: secret, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_one_for_curl_calls_the_api(printed, tmp_path):
    if shutil.which("jq") is None or shutil.which("curl") is None:
        pytest.skip("curl and jq are not installed")
    texts, secret = printed
    done = run(["bash", "-euo", "pipefail", "-c", texts["curl"]], secret, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tsc_")


def test_the_one_for_python_calls_the_api(printed, tmp_path):
    texts, secret = printed
    done = run([sys.executable, "-c", texts["python"]], secret, tmp_path)
    assert done.stdout.strip() == "200", done.stderr


def test_the_one_for_node_calls_the_api(printed, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    texts, secret = printed
    (tmp_path / "app.mjs").write_text(texts["node"])
    done = run([node, "app.mjs"], secret, tmp_path)
    assert done.stdout.strip() == "200", done.stderr


def test_a_wrong_secret_is_said_to_be_one(printed, tmp_path):
    texts, _ = printed
    done = run([sys.executable, "-c", texts["python"]], "tss_wrong", tmp_path)
    assert done.returncode != 0
    assert "TokenRefused" in done.stderr
