"""Is a secret never lost, never half-written, and never where others can read it?"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tokenserver.cli.failures import Failure
from tokenserver.cli.secret_file import SecretPlace, secret_place, write_private


def kept_by(place: SecretPlace | None):
    assert place is not None
    return place.keep


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_secret_is_one_line_that_its_owner_alone_can_read(tmp_path):
    with secret_place(tmp_path / "s", overwrite=False) as place:
        kept_by(place)("tss_x")
    assert (tmp_path / "s").read_bytes() == b"tss_x\n"
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert left_in(tmp_path) == ["s"]


def test_room_is_taken_before_anything_is_made_and_given_back_where_nothing_was(tmp_path):
    with pytest.raises(ZeroDivisionError), secret_place(tmp_path / "s", overwrite=False):
        (waiting,) = tmp_path.iterdir()
        assert waiting.stat().st_size == 4096
        assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
        raise ZeroDivisionError
    assert left_in(tmp_path) == []


def test_a_file_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "s").write_text("precious")
    with pytest.raises(Failure, match="--overwrite"):
        SecretPlace(tmp_path / "s", overwrite=False)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Failure, match="there already"):
        SecretPlace(tmp_path / "dangling", overwrite=False)
    assert (tmp_path / "s").read_text() == "precious"


def test_a_file_that_came_meanwhile_is_not_touched_and_the_secret_is_not_lost(tmp_path):
    with secret_place(tmp_path / "s", overwrite=False) as place:
        (tmp_path / "s").write_text("somebody else's")
        with pytest.raises(Failure, match="the secret is in") as failed:
            kept_by(place)("tss_x")
    kept = Path(failed.value.message.rpartition(" in ")[2].removesuffix("."))
    assert (tmp_path / "s").read_text() == "somebody else's"
    assert kept.read_text() == "tss_x\n"


def test_a_disk_that_fails_in_between_is_told_with_what_to_do(tmp_path, monkeypatch):
    def fails(_):
        raise OSError(5, "Input/output error")

    with secret_place(tmp_path / "s", overwrite=False) as place:
        monkeypatch.setattr("tokenserver.cli.secret_file.os.fsync", fails)
        with pytest.raises(Failure, match="nobody has the new secret"):
            kept_by(place)("tss_x")
    assert left_in(tmp_path) == []


def test_whoever_reads_while_it_is_replaced_sees_the_old_secret_or_the_new_one(tmp_path):
    path = tmp_path / "s"
    write_private(path, "old")
    before = path.open()
    with secret_place(path, overwrite=True) as place:
        assert path.read_text() == "old\n"
        kept_by(place)("new")
    assert before.read() == "old\n"
    assert path.read_text() == "new\n"
    assert left_in(tmp_path) == ["s"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_replacing_a_file_that_others_could_read_ends_that(tmp_path):
    path = tmp_path / "s"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_there_is_no_place():
    with secret_place(None, overwrite=True) as place:
        assert place is None
