"""Does a kept form come back whole, to who typed it and to nobody else?"""

from __future__ import annotations

import pytest

from app.services.kept_forms import LASTS, KeptForms, Typed
from app.store.sealing import Sealer
from tests.support.server import StillClock

TYPED = Typed("/credentials/new?a=b", (("name", "n\u00e4chtlich \ud83d"), ("roles", "a"), ("roles", "b"), ("", "")))


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def kept_forms(clock):
    return KeptForms(Sealer(bytes(32)), clock)


def test_it_comes_back_as_it_was(kept_forms):
    assert kept_forms.open(kept_forms.seal("op_ada", TYPED), "op_ada") == TYPED


def test_it_says_nothing_to_who_reads_the_page(kept_forms):
    assert "credentials" not in kept_forms.seal("op_ada", TYPED)
    assert "roles" not in repr(TYPED)


def test_nobody_else_opens_it(kept_forms):
    assert kept_forms.open(kept_forms.seal("op_ada", TYPED), "op_eve") is None


def test_it_lasts_as_long_as_it_is_said_to(kept_forms, clock):
    kept = kept_forms.seal("op_ada", TYPED)
    clock.advance(LASTS - 1)
    assert kept_forms.open(kept, "op_ada") == TYPED
    clock.advance(1)
    assert kept_forms.open(kept, "op_ada") is None


@pytest.mark.parametrize("kept", ["", "x", "=", "ü", "\ud83d", "AAAA", "A" * 10_000, "a b", "\0"])
def test_what_is_no_such_thing_is_nothing(kept_forms, kept):
    assert kept_forms.open(kept, "op_ada") is None


def test_what_was_altered_is_nothing(kept_forms):
    kept = kept_forms.seal("op_ada", TYPED)
    assert kept_forms.open(kept[:-8] + "AAAAAAAA", "op_ada") is None


def test_a_form_of_many_equal_fields_takes_little_room(kept_forms):
    fields = [("client_ids", "tsc_0000000000000000000000")] * 1000
    assert len(kept_forms.seal("op_ada", Typed("/credentials/bulk", fields))) < 1500


def test_a_page_knows_for_whom_it_was_made_as_long_as_that_lasts(kept_forms, clock):
    signed = kept_forms.sign("op_ada")
    assert signed != kept_forms.sign("op_ada")
    clock.advance(LASTS - 1)
    assert kept_forms.author(signed) == "op_ada"
    clock.advance(1)
    assert kept_forms.author(signed) is None


@pytest.mark.parametrize("signed", ["", "x", "=", "ü", "\ud83d", "AAAA", "A" * 10_000])
def test_what_was_not_signed_here_is_nobodys_page(kept_forms, signed):
    assert kept_forms.author(signed) is None


def test_what_was_typed_is_no_signature_and_a_signature_nothing_that_was_typed(kept_forms):
    assert kept_forms.author(kept_forms.seal("op_ada", TYPED)) is None
    assert kept_forms.open(kept_forms.sign("op_ada"), "op_ada") is None
