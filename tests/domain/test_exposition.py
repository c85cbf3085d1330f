"""Is what is written what the strict reader of the format reads, whatever stands in a label?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.exposition import read_exposition
from tokenserver.domain.exposition import Metric, exposition


def test_a_metric_has_a_meaning_a_type_and_a_line_for_each_sample():
    told = exposition(
        [Metric("tokens_total", "Tokens.", [({"reason": "expired", "of": "x"}, 3)]), Metric("age", "Age.", [({}, 0.5)])]
    )
    assert told == (
        "# HELP tokenserver_tokens_total Tokens.\n"
        "# TYPE tokenserver_tokens_total counter\n"
        'tokenserver_tokens_total{reason="expired",of="x"} 3\n'
        "# HELP tokenserver_age Age.\n"
        "# TYPE tokenserver_age gauge\n"
        "tokenserver_age 0.5\n"
    )


def test_what_has_no_sample_is_left_out_whole():
    assert exposition([Metric("age", "Age.", [])]) == ""


@given(st.text())
def test_any_text_is_a_label(text):
    told = exposition([Metric("tokens_total", "Tokens.", [({"reason": text}, 1)])])
    assert read_exposition(told) == {"tokenserver_tokens_total": {f"reason={text}": 1}}


HEAD = "# HELP a_total A.\n# TYPE a_total counter\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a 1\n",
        HEAD,
        HEAD + "a_total 1",
        HEAD + "a_total 1\na_total 2\n",
        HEAD + 'a_total{b="1",c="2"} 1\na_total{c="2",b="1"} 2\n',
        HEAD + 'a_total{b="1",b="2"} 1\n',
        HEAD + 'a_total{b="\\x"} 1\n',
        HEAD + "b_total 1\n",
        HEAD + "a_total 1\n" + HEAD + "a_total 2\n",
        HEAD + "a_total None\n",
        HEAD.replace("counter", "gauge") + "a_total 1\n",
    ],
)
def test_the_strict_reader_is_strict(text):
    with pytest.raises((AssertionError, IndexError)):
        read_exposition(text)
