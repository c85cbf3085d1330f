"""Are the files of secrets named so that they are safe, and told apart?"""

from __future__ import annotations

import pytest

from tokenserver.cli.carrying_out import SecretsFolder, file_name
from tokenserver.cli.failures import Failure
from tokenserver.cli.planning import Deed, Step

NAMES = [
    "../../etc/passwd",
    "a/b",
    "",
    ".",
    "..",
    ".hidden",
    "-rf",
    "a b",
    "ünï",
    "日本語",
    "x" * 300,
    "a\nb",
    "con:aux",
    "a\x00b",
]


def test_harmless_names_are_their_own_file():
    assert file_name("web-shop_2.prod") == "web-shop_2.prod"


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    for path in SecretsFolder(tmp_path).files(name):
        assert path.parent == tmp_path
        assert path.name.isascii()
        assert len(path.name) < 130
        assert not path.name.startswith((".", "-"))


def test_different_names_have_different_files():
    assert len({file_name(name) for name in [*NAMES, "a-b", "a_b"]}) == len(NAMES) + 2


def test_a_file_that_is_there_is_found_before_anything_is_made(tmp_path):
    step = Step(Deed.CREATE, "credential", "x")
    SecretsFolder(tmp_path / "new").make_ready([step])
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "new" / "x.client_secret").write_text("precious")
    with pytest.raises(Failure, match="never overwritten"):
        SecretsFolder(tmp_path / "new").make_ready([step])
    SecretsFolder(tmp_path / "new").make_ready([Step(Deed.UNCHANGED, "credential", "x")])
    with pytest.raises(Failure, match="cannot be made"):
        SecretsFolder(tmp_path / "new" / "x.client_secret").make_ready([step])
