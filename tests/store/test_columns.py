"""Text from outside becomes text that every database keeps, and stays an identity."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.columns import NAME_LIMIT_BYTES, Moment, Number, Words, short_name, storable

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)


@given(ANY_TEXT)
def test_any_text_becomes_utf_8_without_nul_and_stays_the_same_the_second_time(text):
    stored = storable(text)

    assert "\0" not in stored
    assert stored.encode().decode() == stored
    assert storable(stored) == stored


@given(ANY_TEXT)
def test_a_name_is_bounded_and_stays_the_same_the_second_time(name):
    stored = short_name(name * 3)

    assert len(stored.encode()) <= NAME_LIMIT_BYTES
    assert short_name(stored) == stored


def test_a_name_of_ordinary_length_is_itself_and_long_ones_differ_when_they_differ():
    assert short_name("models/größe") == "models/größe"
    assert short_name("a" * 1_000) != short_name("a" * 1_001)
    assert short_name("a" * 1_000).startswith("aaaa")


def test_words_are_cut_with_a_sign_that_they_were():
    assert Words(5).process_bind_param("12345", sqlite.dialect()) == "12345"
    assert Words(5).process_bind_param("123456", sqlite.dialect()) == "1234…"


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_a_time_without_a_zone_is_refused(dialect):
    with pytest.raises(ValueError, match="without a zone"):
        Moment().process_bind_param(datetime(2026, 1, 1), dialect)  # noqa: DTZ001 - what is tested


def test_times_come_back_in_utc():
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert Moment().process_result_value(moment.replace(tzinfo=None), sqlite.dialect()) == moment
    assert Moment().process_result_value(moment, postgresql.dialect()) == moment


def test_a_number_too_large_for_a_database_is_one_that_nothing_has():
    assert Number().process_bind_param(10**30, sqlite.dialect()) == 2**63 - 1
    assert Number().process_bind_param(7, sqlite.dialect()) == 7
