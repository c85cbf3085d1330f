"""A secret in a file: read as it is now, replaced whole or not at all. Real files and links."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tokenserver.client.failures import SecretUnreadable
from tokenserver.client.secret_file import LARGEST_FILE, read_secret, write_secret

ROOT = Path(__file__).parents[2]

CASES = {
    "as it is": b"tss_1",
    "with the new line of an editor": b"tss_1\n",
    "with that of another system, and spaces": b"  tss_1 \r\n",
    "with a byte order mark": b"\xef\xbb\xbftss_1\n",
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES.keys())
def test_the_secret_is_what_is_in_the_file_without_the_white_space_around_it(tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(tmp_path / "secret").reveal() == "tss_1"


BAD = {
    "nothing": (b"", "empty"),
    "only a new line": (b"\n", "empty"),
    "two lines": (b"tss_1\ntss_2\n", "line breaks"),
    "a NUL": (b"tss\0_1", "control characters"),
    "no text": (b"\xff\xfe", "UTF-8"),
    "something else": (b"x" * (LARGEST_FILE + 1), "too long"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_no_secret_is_refused_in_words_that_do_not_hold_it(tmp_path, content, said):
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SecretUnreadable, match=said) as refused:
        read_secret(tmp_path / "secret")
    assert "tss" not in str(refused.value)


def test_a_file_that_is_not_there_or_is_none_is_said_to_be_so(tmp_path):
    with pytest.raises(SecretUnreadable, match="not there"):
        read_secret(tmp_path / "missing")
    with pytest.raises(SecretUnreadable, match="cannot be read"):
        read_secret(tmp_path)


def test_a_secret_that_kubernetes_has_exchanged_is_read_anew(tmp_path):
    """It mounts `secret → ..data/secret`, and exchanges the folder that `..data` leads to."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "secret").write_text(version)
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "secret").symlink_to("..data/secret")
    assert read_secret(tmp_path / "secret").reveal() == "one"
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert read_secret(tmp_path / "secret").reveal() == "two"


def test_a_written_secret_is_for_its_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_secret(tmp_path / "secret", "tss_2")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert read_secret(tmp_path / "secret").reveal() == "tss_2"


def test_a_file_that_others_could_read_cannot_be_read_by_them_afterwards(tmp_path):
    (tmp_path / "secret").write_text("tss_1")
    (tmp_path / "secret").chmod(0o644)
    write_secret(tmp_path / "secret", "tss_2")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_who_reads_meanwhile_sees_the_old_or_the_new_and_nothing_else(tmp_path):
    path = tmp_path / "secret"
    written = [str(number) * 3000 for number in range(10)]
    write_secret(path, written[0])
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(read_secret(path).reveal())

    reader = threading.Thread(target=read)
    reader.start()
    for secret in written * 10:
        write_secret(path, secret)
    stop.set()
    reader.join()
    assert seen <= set(written)
    assert seen


def test_through_a_link_the_file_behind_it_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "secret").write_text("tss_1")
    (tmp_path / "link").symlink_to("there/secret")
    write_secret(tmp_path / "link", "tss_2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "secret").read_text() == "tss_2\n"


def test_what_cannot_be_written_leaves_the_old_secret_and_nothing_else(tmp_path, monkeypatch):
    write_secret(tmp_path / "secret", "tss_1")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_secret(tmp_path / "secret", "tss_2")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
    assert read_secret(tmp_path / "secret").reveal() == "tss_1"


def test_the_new_secret_is_on_disk_before_it_takes_the_old_ones_name_and_the_name_is_on_disk_at_the_end(
    tmp_path, monkeypatch
):
    events = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_secret(tmp_path / "secret", "tss_2")
    assert events == ["file", "rename", "folder"]


def test_killed_at_any_moment_a_writer_leaves_a_whole_secret(tmp_path):
    path = tmp_path / "secret"
    write_secret(path, "0" * 5000)
    program = (
        "import sys, itertools; from tokenserver.client import write_secret\n"
        "for n in itertools.count():\n    write_secret(sys.argv[1], str(n % 10) * 5000)\n    print(n, flush=True)"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(5):
                writer.stdout.readline()
            writer.kill()
        secret = read_secret(path).reveal()
        assert len(secret) == 5000
        assert len(set(secret)) == 1
