"""Are profiles kept where only their user reads them, and is a broken one told rather than guessed at?"""

from __future__ import annotations

import json
import stat

import pytest

from tokenserver.cli.failures import Failure
from tokenserver.cli.profiles import Profile, Profiles, checked_name, read_secret
from tokenserver.cli.secret_file import write_private


@pytest.fixture
def profiles(tmp_path):
    return Profiles({"XDG_CONFIG_HOME": str(tmp_path)})


def test_what_is_put_is_there_and_is_nobody_elses(profiles):
    profile = Profile("https://auth.example.com", "tsc_x", "/run/secrets/x")
    profiles.put("default", profile)
    profiles.put("other", Profile("http://auth.example.com", "tsc_y", "y", allow_http=True))
    assert profiles.get("default") == profile
    assert profiles.get("other").allow_http is True
    assert stat.S_IMODE(profiles.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((profiles.folder / "profiles.json").stat().st_mode) == 0o600
    assert profiles.remove("default")
    assert not profiles.remove("default")
    assert set(profiles.all()) == {"other"}


def test_without_a_folder_of_its_own_it_is_below_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Profiles({}).folder == tmp_path / ".config" / "tokenserver"
    assert Profiles({"XDG_CONFIG_HOME": "relative"}).folder == tmp_path / ".config" / "tokenserver"


BROKEN = ["", "[]", "{}", '{"profiles": []}', '{"profiles": {"x": 1}}', '{"profiles": {"x": {"url": 1}}}', "\x00"]


@pytest.mark.parametrize("content", [*BROKEN, '{"profiles": {"x": {"url": 1, "client_id": "", "secret_file": ""}}}'])
def test_a_broken_file_is_told(profiles, content):
    profiles.make_folder()
    (profiles.folder / "profiles.json").write_text(content)
    with pytest.raises(Failure, match="cannot be read"):
        profiles.all()


def test_a_secret_of_ours_that_others_can_read_is_not_used(profiles):
    profiles.make_folder()
    own = profiles.own_secret_file("default")
    write_private(own, "tss_x")
    profile = Profile("https://auth.example.com", "tsc_x", str(own))
    assert profiles.secret_of(profile) == "tss_x"
    own.chmod(0o640)
    with pytest.raises(Failure, match="chmod 600"):
        profiles.secret_of(profile)


def test_a_secret_elsewhere_is_as_its_owner_keeps_it(profiles, tmp_path):
    mounted = tmp_path / "mounted"
    mounted.write_text("tss_x\r\n")
    mounted.chmod(0o644)
    assert profiles.secret_of(Profile("https://auth.example.com", "tsc_x", str(mounted))) == "tss_x"
    mounted.write_bytes(b"\xff\xfe")
    with pytest.raises(Failure, match="not text"):
        read_secret(mounted)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "-x", "ü"])
def test_a_name_that_is_no_files_is_refused(name):
    with pytest.raises(ValueError, match="64 letters"):
        checked_name(name)


def test_the_secret_is_not_among_the_profiles(profiles):
    profiles.make_folder()
    write_private(profiles.own_secret_file("default"), "tss_x")
    profiles.put("default", Profile("https://auth.example.com", "tsc_x", str(profiles.own_secret_file("default"))))
    kept = (profiles.folder / "profiles.json").read_text()
    assert "tss_x" not in kept
    assert set(json.loads(kept)["profiles"]["default"]) == {"url", "client_id", "secret_file", "allow_http"}
