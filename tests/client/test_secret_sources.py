"""A value, the environment, a file or a callable; whatever it is, it is asked anew."""

from __future__ import annotations

import pytest

from tokenserver.client.failures import SecretUnreadable
from tokenserver.client.secret_sources import VARIABLE, file_of, secret_source


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(f"{VARIABLE}_FILE", raising=False)


def test_text_is_the_secret_itself():
    assert secret_source("tss_1")().reveal() == "tss_1"


def test_a_path_names_a_file_that_is_read_each_time(tmp_path):
    source = secret_source(tmp_path / "secret")
    for secret in ("tss_1", "tss_2"):
        (tmp_path / "secret").write_text(f"{secret}\n")
        assert source().reveal() == secret


def test_a_callable_is_called_each_time():
    secrets = iter(["tss_1", "tss_2"])
    source = secret_source(lambda: next(secrets))
    assert [source().reveal(), source().reveal()] == ["tss_1", "tss_2"]


def test_without_any_the_environment_is_read_each_time(monkeypatch):
    source = secret_source(None)
    for secret in ("tss_1", "tss_2"):
        monkeypatch.setenv(VARIABLE, secret)
        assert source().reveal() == secret


def test_the_environment_may_name_a_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("tss_1\n")
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "secret"))
    assert secret_source(None)().reveal() == "tss_1"
    assert file_of(None) == str(tmp_path / "secret")
    monkeypatch.setenv(VARIABLE, "tss_2")
    assert secret_source(None)().reveal() == "tss_2"
    assert file_of(None) is None


def test_an_empty_environment_is_said_to_be_so_with_what_to_set():
    with pytest.raises(SecretUnreadable, match=VARIABLE):
        secret_source(None)()


BAD = {
    "another type": (lambda: 7, "of type int"),
    "bytes": (lambda: b"tss_1", "of type bytes"),
    "nothing": (lambda: "", "empty"),
    "None": (lambda: None, "of type NoneType"),
    "two lines": (lambda: "tss_1\nX-Header: y", "line breaks"),
}


@pytest.mark.parametrize(("given", "said"), BAD.values(), ids=BAD.keys())
def test_what_a_callable_returns_must_be_a_secret(given, said):
    with pytest.raises(SecretUnreadable, match=said) as refused:
        secret_source(given)()
    assert "tss" not in str(refused.value)


def test_a_callable_that_fails_is_named_by_its_failure_and_not_by_its_words():
    def fails():
        raise LookupError("the secret is tss_1")

    with pytest.raises(SecretUnreadable, match="raised LookupError") as refused:
        secret_source(fails)()
    assert "tss" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize("given", ["", "tss\n", "\0"])
def test_a_value_that_can_be_no_secret_is_refused_at_once(given):
    with pytest.raises(ValueError, match="client_secret"):
        secret_source(given)


def test_the_path_of_a_file_is_not_taken_for_a_secret_and_sent(tmp_path):
    (tmp_path / "secret").write_text("tss_1")
    with pytest.raises(ValueError, match="pathlib"):
        secret_source(str(tmp_path / "secret"))
    odd = "/" + "x" * 5000
    assert secret_source(odd)().reveal() == odd


def test_anything_else_is_no_source():
    with pytest.raises(TypeError, match="a path"):
        secret_source(7)  # type: ignore[arg-type]
