"""Does docs/production.md hold? Its proxy, unit and commands run as they are printed, but for names and ports."""

from __future__ import annotations

import configparser
import contextlib
import datetime as dt
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.programs import program
from tests.support.world import ROOT, World, a_world, eventually, free_port

PRODUCTION = ROOT / "docs" / "production"
PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
ELSEWHERE = "198.51.100.7"


# --- TLS in front ---


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(key.private_bytes(*plain))
    return folder / "tls.pem", folder / "tls.key"


class Behind:
    """A token server behind nginx, and a caller from outside."""

    def __init__(self, world: World, issuer: str, certificate: Path) -> None:
        self.world = world
        self.issuer = issuer
        self.caller = requests.Session()
        self.caller.trust_env = False  # else REQUESTS_CA_BUNDLE of whoever runs this would win
        self.caller.verify = str(certificate)

    def ask(self, made: dict[str, Any], **headers: str) -> requests.Response:
        return self.caller.post(
            f"{self.issuer}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(made["client_id"], made["client_secret"]),
            headers=headers,
            timeout=20,
        )


@pytest.fixture(scope="module")
def behind(tmp_path_factory) -> Iterator[Behind]:
    folder, port = tmp_path_factory.mktemp("behind"), free_port()
    issuer = f"https://localhost:{port}"
    with a_world(folder / "world", issuer=issuer, trusted_proxies="127.0.0.1") as world:
        world.start()
        with nginx(folder, world.port, port):
            behind = Behind(world, issuer, folder / "tls.pem")
            eventually(lambda: _answers(behind), "nginx answers")
            world.catalogue()
            yield behind


@contextlib.contextmanager
def nginx(folder: Path, server: int, port: int) -> Iterator[None]:
    text = (PRODUCTION / "nginx.conf").read_text(encoding="utf-8")
    pem, key = certificate(folder)
    for printed, own in (
        ("127.0.0.1:8000", f"127.0.0.1:{server}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/ssl/auth.example.com.pem", str(pem)),
        ("/etc/ssl/auth.example.com.key", str(key)),
        ("auth.example.com", "localhost"),
    ):
        assert printed in text
        text = text.replace(printed, own)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(f"events {{}}\nhttp {{ access_log off; {own}\n{text}\n}}")
    command = [program("nginx", "nginx-light"), "-p", str(folder), "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
    process = subprocess.Popen([*command, "-g", f"daemon off; pid {folder}/pid;"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(behind: Behind) -> bool:
    try:
        return behind.caller.get(f"{behind.issuer}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_behind_the_proxy_every_address_that_is_told_is_the_public_one(behind):
    told = behind.caller.get(f"{behind.issuer}/.well-known/oauth-authorization-server", timeout=20).json()
    assert told["issuer"] == behind.issuer
    assert told["token_endpoint"] == f"{behind.issuer}/oauth/token"
    made = behind.world.credential()
    assert behind.ask(made).status_code == 200


def test_behind_the_proxy_the_address_of_the_caller_counts_and_none_that_it_claims(behind):
    made = behind.world.credential(allowed_ips=f"{ELSEWHERE}/32")
    for claimed in ({}, {"X-Forwarded-For": ELSEWHERE}, {"Forwarded": f"for={ELSEWHERE}"}):
        assert behind.ask(made, **claimed).json()["error"] == "unauthorized_client"
    assert behind.ask(behind.world.credential(allowed_ips="127.0.0.1/32")).status_code == 200


def test_behind_the_proxy_a_link_leads_to_the_console_and_its_cookie_is_for_https_only(behind):
    link = behind.world.shell("operators", "link", "admin@localhost").stdout.strip()
    assert link.startswith(f"{behind.issuer}/console/")
    page = behind.caller.get(link, timeout=20)
    form = dict(re.findall(r'name="(csrf|email)"[^>]*value="([^"]*)"', page.text))
    form |= {"password": "gentle otter counts rivers", "repeated": "gentle otter counts rivers"}
    sent = behind.caller.post(page.url, data=form, headers={"Origin": behind.issuer}, timeout=20)
    assert (sent.status_code, sent.url) == (200, f"{behind.issuer}/console/"), sent.text
    session = [cookie for cookie in behind.caller.cookies if cookie.name.startswith("__Host-")]
    assert session
    assert all(cookie.secure for cookie in session)


# --- the service ---


def test_the_unit_is_one_that_systemd_understands(tmp_path):
    text = (PRODUCTION / "tokenserver.service").read_text(encoding="utf-8")
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    script = Path(unit["Service"]["ExecStart"]).relative_to(unit["Service"]["WorkingDirectory"])
    assert os.access(ROOT / script, os.X_OK)
    (tmp_path / "tokenserver.service").write_text(text.replace("/srv/tokenserver", str(ROOT)))
    command = [program("systemd-analyze", "systemd"), "verify", "--man=no", str(tmp_path / "tokenserver.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "tokenserver.service" not in done.stderr.replace("Unit tokenserver.service not found", ""), done.stderr


# --- backed up and restored ---


def run_as_printed(name: str, folder: Path, environment: dict[str, str]) -> None:
    found = re.search(rf"<!-- run: {name} -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", found.group(1)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def a_checkout(folder: Path) -> None:
    """What the commands of the page find where they are run: `.venv/bin/python`."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)


def test_what_was_ended_since_the_backup_stays_ended_after_the_restore(tmp_path):
    program("sqlite3", "sqlite3")
    a_checkout(tmp_path)
    with a_world(tmp_path / "var") as world:
        node = world.start()
        world.catalogue()
        made = world.credential()
        token = world.token(made["client_id"], made["client_secret"])
        run_as_printed("backup", tmp_path, world.environment)
        for file in ("tokenserver-backup.db", "keys-backup.tar"):
            assert (tmp_path / file).stat().st_mode & 0o077 == 0, f"{file} is readable by others"
        fresh = world.manage("POST", f"/v1/credentials/{made['client_id']}/regenerate")
        ended = world.token(made["client_id"], fresh["client_secret"])
        eventually((tmp_path / "var" / "high-water").exists, "the node has noted how far it is")
        node.stop()

        run_as_printed("restore", tmp_path, world.environment)
        world.start()
        api = world.start_api()
        assert world.call(api, token) == 401
        assert world.call(api, ended) == 401
        assert world.ask(made["client_id"], fresh["client_secret"]).status_code == 401, (
            "it is a secret of the lost time"
        )
        again = world.ask(made["client_id"], made["client_secret"])
        assert again.status_code == 200, "secrets are those of the backup"
        assert world.call(api, again.json()["access_token"]) == 200
