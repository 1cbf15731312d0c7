"""Text from outside inside our sentences, and the known word that was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.nearest import nearest
from bot.domain.words import listed, quoted
from tests.domain.examples import PROPERTY


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("churn", "`churn`"),
        ("", "` `"),
        ("a`b", "`a'b`"),
        ("a\nb\u202ec\u0000", "`a b c `"),
        ("<!--marker-->", "`<! --marker-->`"),
        ("x" * 100, "`" + "x" * 59 + "…`"),
    ],
)
def test_text_from_outside_stays_in_its_code_span(text, shown):
    assert quoted(text) == shown


def test_a_list_reads_as_a_sentence_and_a_long_one_is_counted():
    assert listed([]) == ""
    assert listed(["a"]) == "`a`"
    assert listed(["a", "b", "c"]) == "`a`, `b` and `c`"
    assert listed(["a", "b", "c", "d"], limit=2) == "`a`, `b` and 2 more"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("prod", "production"),
        ("Staging", "staging"),
        ("stagign", "staging"),
        ("produktion", "production"),
        ("p", None),
        ("qqq", None),
        ("", None),
        ("x" * 10**6, None),
    ],
)
def test_the_nearest_known_word_is_the_one_that_was_meant(word, meant):
    assert nearest(word, ["staging", "production", "stage"]) == meant


def test_a_beginning_that_fits_two_words_is_compared_as_a_whole():
    assert nearest("sta", ["staging", "status"]) == "status"


@PROPERTY
@given(st.text(), st.lists(st.text(max_size=10), max_size=5))
def test_no_word_crashes_it(word, known):
    assert nearest(word, known) in [*known, None]
    assert "\n" not in quoted(word)
    assert quoted(word).count("`") == 2
