"""JSON in the store: explicit, versioned, and read back as what was written."""

from __future__ import annotations

import json

import pytest

from bot.domain.check import Annotation
from bot.domain.feedback import Shown, Subject, SubjectFeedback
from bot.domain.result import Metric, Result
from bot.store.encode import (
    UnknownSchema,
    decode_annotations,
    decode_feedback,
    decode_result,
    encode_annotations,
    encode_result,
    encode_shown,
    encode_wanted,
)

RESULT = Result(
    "run-1", "key", "train", "1", "plain/models", "a" * 40, "churn", "succeeded", metrics={"auc": Metric(0.5)}
)


def test_what_is_stored_names_its_schema_and_is_plain_ascii():
    text = encode_annotations([Annotation("é\0.py", 3, "\ud800")])

    assert text.isascii()
    assert json.loads(text) == {"v": 1, "annotations": [["é\0.py", 3, "\ud800", "failure"]]}
    assert decode_annotations(text) == (Annotation("é\0.py", 3, "\ud800"),)


def test_a_result_comes_back_equal_and_none_stays_none():
    assert decode_result(encode_result(RESULT)) == RESULT
    assert decode_result(encode_result(None)) is None


def test_what_a_newer_bot_stored_is_not_guessed_at():
    newer = encode_result(RESULT).replace('"v":1', '"v":2')

    with pytest.raises(UnknownSchema, match="schema 2"):
        decode_result(newer)


def test_feedback_without_a_notice_comes_back_equal():
    feedback = SubjectFeedback(Subject("plain/models", 1, "trees", "a" * 40), shown=Shown("7", "d", {"x": ("1", "2")}))

    wanted, shown = encode_wanted(feedback), encode_shown(feedback.shown)

    assert decode_feedback("plain/models", 1, wanted=wanted, shown=shown) == feedback
