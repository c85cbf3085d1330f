"""Do the examples on a credential's page run as they are printed there, against a real server and a real API?"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
import requests

from app.console.snippets import SECRET, Snippet, first_steps, snippets_of
from tests.support.console import signed_in
from tests.support.names import a_name
from tests.support.programs import program
from tests.support.server import ISSUER
from tests.support.world import ROOT, Process, a_world, eventually, free_port
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
    nginx = program("nginx", "nginx-light")
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


@pytest.mark.parametrize("grants", [(Grant(NASTY, Access.ALL_READ),), (READ, Grant(NASTY, Access.ALL_READ))])
def test_whatever_an_audience_is_called_the_first_steps_run_nothing_of_it(grants):
    steps = first_steps(replace(PLAIN, restrictions=Restrictions(grants=grants)), READ.audience, ISSUER)
    assert f"resource={grants[0].audience}" in shlex.split(steps.token, comments=True)
    constants = [node.value for node in ast.walk(ast.parse(steps.api)) if isinstance(node, ast.Constant)]
    assert grants[0].audience in constants


def test_before_there_is_a_credential_the_first_steps_leave_its_id_to_be_filled_in():
    steps = first_steps(None, NASTY, ISSUER)
    assert "tsc_… " in steps.token
    assert f"resource={NASTY}" in shlex.split(steps.token, comments=True)


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
    program("curl", "curl")
    program("jq", "jq")
    texts, secret = printed
    done = run(["bash", "-euo", "pipefail", "-c", texts["curl"]], secret, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tsc_")


def test_the_one_for_python_calls_the_api(printed, tmp_path):
    texts, secret = printed
    done = run([sys.executable, "-c", texts["python"]], secret, tmp_path)
    assert done.stdout.strip() == "200", done.stderr


def test_the_one_for_node_calls_the_api(printed, tmp_path):
    node = program("node", "nodejs", without="WITHOUT_NODE")
    texts, secret = printed
    (tmp_path / "app.mjs").write_text(texts["node"])
    done = run([node, "app.mjs"], secret, tmp_path)
    assert done.stdout.strip() == "200", done.stderr


def test_a_wrong_secret_is_said_to_be_one(printed, tmp_path):
    texts, _ = printed
    done = run([sys.executable, "-c", texts["python"]], "tss_wrong", tmp_path)
    assert done.returncode != 0
    assert "TokenRefused" in done.stderr


# --- the sides of the API, started as they are printed, and asked ---------------------------------------------------


@pytest.fixture
def guarded(world):
    """A credential with a scope of an API; how to get a token of it, and the programs that guard the API."""
    audience = f"https://{a_name('api').replace(' ', '-')}.example.com"
    scopes = [{"name": "reports:read", "access": "read"}, {"name": "others:read", "access": "read"}]
    world.manage("POST", "/v1/apis", {"audience": audience, "name": "Example", "scopes": scopes})
    grants = [{"audience": audience, "access": "custom", "scopes": ["others:read", "reports:read"]}]
    made = world.credential(grants=grants, roles=[])
    terms = Restrictions(grants=(Grant(audience, Access.CUSTOM, frozenset({"reports:read"})),))
    credential = replace(PLAIN, client_id=made["client_id"], restrictions=terms)
    _, for_apis = snippets_of(credential, world.issuer)

    def token(scope):
        form = {"grant_type": "client_credentials", "scope": scope}
        keys = (made["client_id"], made["client_secret"])
        return requests.post(f"{world.issuer}/oauth/token", form, auth=keys, timeout=10).json()["access_token"]

    return credential, made["client_secret"], token, {one.id: one.text for one in for_apis}


@pytest.fixture
def started(world, tmp_path):
    """Runs a program until the test is over; waits until its port says 401 to who has no token."""
    processes = []

    def start(command, url, **environment):
        kept = {**world.environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **environment}
        process = Process(command, kept, tmp_path / "log")
        processes.append(process)
        world._wait_for(url, process, 401)

    yield start
    for process in processes:
        process.stop()


def ask(url, token):
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def let_in_and_refused(url, token):
    answers = [ask(url, token(scope)).status_code for scope in ("reports:read", "others:read")]
    return [*answers, requests.get(url, timeout=10).status_code]


DJANGO_SITE = """
import sys
sys.path.insert(0, "{folder}")
SECRET_KEY, DEBUG, ALLOWED_HOSTS, ROOT_URLCONF = "x", False, ["*"], "site_urls"
"""


def written(name, text, folder, port):
    """Where a program goes, and how its framework is started."""
    if name == "django":
        settings, _, views = text.partition("# views.py\n")
        (folder / "site_settings.py").write_text(DJANGO_SITE.format(folder=folder) + settings)
        (folder / "site_views.py").write_text(views)
        urls = "from django.urls import path\nimport site_views\nurlpatterns = [path('reports', site_views.reports)]\n"
        (folder / "site_urls.py").write_text(urls)
        return ["-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}"]
    (folder / "api.py").write_text(text)
    if name == "flask":
        return ["-m", "flask", "--app", "api", "run", "--port", str(port)]
    return ["-m", "uvicorn", "api:app", "--port", str(port)]


@pytest.mark.parametrize("name", ["flask", "fastapi", "django"])
def test_a_guard_lets_in_who_has_the_scope_and_nobody_else(guarded, started, tmp_path, name):
    _, _, token, texts = guarded
    port = free_port()
    url = f"http://127.0.0.1:{port}/reports"
    started(written(name, texts[name], tmp_path, port), url, DJANGO_SETTINGS_MODULE="site_settings")
    assert let_in_and_refused(url, token) == [200, 403, 401]
    assert ask(url, token("reports:read")).json() == {"hello": guarded[0].client_id}


def test_nginx_lets_in_who_has_the_scope_and_nobody_else(guarded, tmp_path):
    nginx = program("nginx", "nginx-light")
    _, _, token, texts = guarded
    port, behind = free_port(), free_port()
    text = texts["nginx"].replace("127.0.0.1:9000", f"127.0.0.1:{behind}")
    upstream = f"server {{ listen 127.0.0.1:{behind}; return 200 $http_x_auth_client_id; }}"
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; events {{}} http {{ access_log off; {upstream}"
        f" server {{ listen 127.0.0.1:{port};\n{text}}} }}"
    )
    command = [nginx, "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(tmp_path / "nginx.conf")]
    url = f"http://127.0.0.1:{port}/reports"
    process = subprocess.Popen(command, start_new_session=True)
    try:
        eventually(lambda: is_heard(url), "nginx answers")
        assert let_in_and_refused(url, token) == [200, 403, 401]
        assert ask(url, token("reports:read")).text == guarded[0].client_id
    finally:
        process.terminate()
        process.wait(timeout=10)


def is_heard(url):
    try:
        return requests.get(url, timeout=5).status_code == 401
    except requests.RequestException:
        return False


def test_the_first_steps_end_with_a_call_that_is_let_in_and_then_refused(guarded, started, world, tmp_path):
    program("curl", "curl")
    program("jq", "jq")
    credential, secret, _, _ = guarded
    steps = first_steps(credential, None, world.issuer)
    port = free_port()
    (tmp_path / "api.py").write_text(steps.api)
    *command, printed = shlex.split(steps.start.splitlines()[-1])
    assert [*command, printed] == ["flask", "--app", "api", "run", "--port", "5000"]
    started(["-m", *command, str(port)], f"http://127.0.0.1:{port}/reports")
    call = steps.call.replace(":5000/", f":{port}/")
    done = typed(f'{steps.token}{call}printf %s "$token" > token\n', tmp_path, f"{secret}\n")
    assert "200 OK" in done.stdout, done.stderr
    assert credential.client_id in done.stdout
    world.manage("POST", f"/v1/credentials/{credential.client_id}/regenerate")
    eventually(lambda: "401 UNAUTHORIZED" in typed(f"token=$(cat token)\n{call}", tmp_path).stdout, "it is refused")


def typed(script, folder, asked=""):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        input=asked,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
