"""Does the house stand as DESIGN says, where import-linter cannot look?

The wheel holds one package and loads nothing of the server; no file names a machine; tests mirror the code; the locks
agree with pyproject.toml.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("tokenserver", "app")

SDK = ("tokenserver.resource", "tokenserver.resource.wsgi", "tokenserver.resource.asgi", "tokenserver.client")
OF_THE_SERVER = ("flask", "werkzeug", "sqlalchemy", "authlib", "redis", "pydantic", "click", "structlog")
OF_ADAPTERS = ("fastapi", "starlette", "django", "asgiref", "rest_framework", "grpc")
OF_THE_WHEEL = {"tokenserver", "jwt", "cryptography"}
ADAPTERS = {  # the one file that may know a framework, and which
    "pytest_plugin.py": {"pytest"},
    "resource/flask.py": {"flask", "werkzeug"},
    "resource/fastapi.py": {"fastapi", "starlette"},
    "resource/starlette.py": {"starlette"},
    "resource/django.py": {"django", "asgiref"},
    "resource/rest_framework.py": {"rest_framework"},
    "resource/grpc.py": {"grpc"},
    "client/requests.py": {"requests"},
    "client/httpx.py": {"httpx"},
    "client/httpx2.py": {"httpx2"},
    "client/aiohttp.py": {"aiohttp"},
}
COMMAND_LINE = {"click", "rich", "yaml"}  # the extra `cli`, for `tokenserver/cli/` only

# Written so that no line here matches its own pattern.
MACHINE_MARKS = {
    "a path of a machine": re.compile(rb"(?:^|[^A-Za-z0-9_.])/(?:work|farm|root)/", re.MULTILINE),
    "an index address": re.compile(rb"https?://[^\s\"']*/(?:simple|packages)/"),
    "an index line": re.compile(rb"--(?:extra-)?index-url|--(?:find)-links"),
    "a registry's host": re.compile(rb"(?:pypi|pythonhosted|npmjs)\.(?:org|com)"),
}

# Tests that are about more than one module; all others stand where their module stands.
NOT_MIRRORED = {"browser", "clients", "faults", "journeys", "rules", "support", "vectors"}


@cache
def our_files() -> tuple[str, ...]:
    """What git tracks, or would if it were added now, as paths from the root."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as fault:
        if "CI" in os.environ:
            raise
        pytest.skip(f"git cannot list the files of this tree: {fault}")
    return tuple(sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file()))


def python_files(*folders: str) -> list[str]:
    return [name for name in our_files() if name.endswith(".py") and name.split("/")[0] in folders]


def tree_of(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_bytes(), filename=name)


# --- the wheel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", SDK)
def test_importing_the_sdk_loads_nothing_of_the_server(module):
    program = (
        f"import sys, json; before = set(sys.modules); import {module}; print(json.dumps([*set(sys.modules) - before]))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert module.partition(".")[0] in loaded
    assert loaded.isdisjoint({*OF_THE_SERVER, *OF_ADAPTERS})


def test_the_wheel_imports_only_pyjwt_and_cryptography():
    strangers = {
        f"{name}:{line} imports {library}"
        for name in python_files("tokenserver")
        for library, line in imported_by(tree_of(name))
        if library not in OF_THE_WHEEL | ADAPTERS.get(name.removeprefix("tokenserver/"), set())
        if not (name.startswith("tokenserver/cli/") and library in COMMAND_LINE)
    }
    assert not strangers


def test_the_domain_imports_only_the_standard_library():
    strangers = {
        f"{name}:{line} imports {library}"
        for name in python_files("tokenserver")
        if name.startswith("tokenserver/domain/") or name in {"tokenserver/errors.py", "tokenserver/clock.py"}
        for library, line in imported_by(tree_of(name))
        if library != "tokenserver"
    }
    assert not strangers


def imported_by(tree: ast.Module) -> list[tuple[str, int]]:
    """The top-level packages that a module imports anywhere in it, but for the standard library's, with their lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.partition(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(((node.module or "").partition(".")[0], node.lineno))
    return [(library, line) for library, line in found if library not in sys.stdlib_module_names]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree, built with the installed backend: no network, nothing left in the tree."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as opened:
        yield opened


def test_the_wheel_holds_the_package_tokenserver_whole_and_nothing_else(wheel):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {name for name in our_files() if name.startswith("tokenserver/")}
    assert "tokenserver/py.typed" in held


def test_the_wheel_asks_for_pyjwt_and_cryptography_only(wheel):
    metadata = message_from_bytes(wheel.read(next(name for name in wheel.namelist() if name.endswith("/METADATA"))))
    asked = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    always = {canonicalize_name(one.name) for one in asked if one.marker is None or "extra" not in str(one.marker)}
    assert always == {"pyjwt", "cryptography"}
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_wheel_brings_the_command_and_its_extra_all_that_the_command_needs(wheel):
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    assert b"tokenserver = tokenserver.cli.__main__:main" in wheel.read(entry_points)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = {Requirement(text).name for text in pyproject["project"]["optional-dependencies"]["cli"]}
    assert {name.removeprefix("py") for name in extra} == COMMAND_LINE


# --- the tree -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", MACHINE_MARKS)
def test_no_file_names_a_machine_or_an_index(mark):
    found = [
        f"{name}:{number}"
        for name in our_files()
        for number, line in enumerate((ROOT / name).read_bytes().splitlines(), start=1)
        if MACHINE_MARKS[mark].search(line)
    ]
    assert not found, f"{mark} in {found}"


def test_every_test_module_stands_where_its_subject_stands():
    strays = [
        name
        for name in python_files("tests")
        if PurePosixPath(name).name.startswith("test_") and not has_a_subject(PurePosixPath(name).relative_to("tests"))
    ]
    assert not strays, f"rename them after the module they test, or move them to one of {sorted(NOT_MIRRORED)}"


def has_a_subject(test: PurePosixPath) -> bool:
    """`domain/test_generation.py` and `domain/test_generation_rules.py` are about `tokenserver/domain/generation.py`.

    A folder as a whole is a subject as well: `app/store/test_store_conformance.py`.
    """
    if test.parts[0] in NOT_MIRRORED:
        return True
    about = test.stem.removeprefix("test_")
    for folder in (ROOT / test.parent, *(ROOT / package / test.parent for package in PACKAGES)):
        if folder == ROOT or not folder.is_dir():
            continue
        subjects = {entry.stem for entry in folder.iterdir()} | {folder.name}
        if any(about == subject or about.startswith(f"{subject}_") for subject in subjects):
            return True
    return False


def test_every_python_file_says_what_it_is_for():
    silent = [
        name
        for name in python_files(*PACKAGES, "tests", "scripts")
        if not (ast.get_docstring(tree_of(name)) or "").strip()
    ]
    assert not silent


def test_no_failure_is_swallowed_and_no_safety_rests_on_assert():
    faults = []
    for name in python_files(*PACKAGES):
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.Assert):  # gone under `python -O`
                faults.append(f"{name}:{node.lineno} asserts: raise instead")
            elif isinstance(node, ast.ExceptHandler) and catches_everything(node) and does_nothing(node.body):
                faults.append(f"{name}:{node.lineno} swallows every exception")
    assert not faults


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"} for one in caught)


def does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(line, ast.Pass | ast.Continue)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in body
    )


# --- the locks ------------------------------------------------------------------------------------------------------


def locked(group: str) -> dict[str, tuple[str, int]]:
    """What `requirements/GROUP.txt` pins: name → version and number of hashes."""
    pins: dict[str, tuple[str, int]] = {}
    name = ""
    for line in (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([a-z0-9-]+)==([^ ]+)", line):
            name = pin[1]
            pins[name] = (pin[2], 0)
        elif "--hash=sha256:" in line:
            version, hashes = pins[name]
            pins[name] = (version, hashes + 1)
    return pins


def wanted(group: str) -> list[Requirement]:
    """What pyproject.toml asks for: the wheel's own dependencies, and those of a group with the groups it includes."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    def members(name: str) -> list[str]:
        found = []
        for entry in pyproject["dependency-groups"][name]:
            found += [entry] if isinstance(entry, str) else members(entry["include-group"])
        return found

    return [Requirement(text) for text in [*pyproject["project"]["dependencies"], *members(group)]]


@pytest.mark.parametrize("group", ["server", "dev"])
def test_the_lock_pins_and_hashes_what_pyproject_asks_for(group):
    pins = locked(group)
    assert all(hashes for _, hashes in pins.values())
    missing = [str(one) for one in wanted(group) if canonicalize_name(one.name) not in pins]
    assert not missing, "run scripts/lock"
    outdated = [str(one) for one in wanted(group) if not one.specifier.contains(pins[canonicalize_name(one.name)][0])]
    assert not outdated, "run scripts/lock"


def test_the_server_is_tested_with_the_versions_it_is_served_with():
    assert locked("server").items() <= locked("dev").items()
