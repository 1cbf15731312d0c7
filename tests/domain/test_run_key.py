"""When two requests are the same run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.project import Environment, Split
from bot.domain.run_key import canonical_json, run_key
from tests.domain.examples import PROPERTY

FACTS = {
    "repository": "plain/models",
    "model": "churn",
    "pipeline": "train",
    "pipeline_version": "1",
    "tree_digest": "t" * 40,
    "data_address": "https://git.example.com/datasets.git",
    "data_sha": "d" * 40,
    "data_path": "churn.csv",
    "params": {"n": 200, "lr": 0.1},
    "split": Split(test=0.25, seed=7),
    "env": {"OMP_NUM_THREADS": "2"},
    "secret_names": ("A", "B"),
    "environment": Environment(python="3.11", requirements="requirements.txt"),
    "requirements_digest": "r1",
    "commands": {"train": "python train.py", "evaluate": "python evaluate.py"},
    "model_digest": "",
}


def test_a_key_does_not_change_from_version_to_version_unnoticed():
    """Raise KEY_VERSION when this fails on purpose: results that are stored under the old key are then not reused."""
    assert run_key(**FACTS) == "98d2b6db5687cfa35cf5110c4903c607d24617f1a1233a1f19ec19bfb6b11304"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("repository", "plain/other"),
        ("model", "price"),
        ("pipeline", "evaluate"),
        ("pipeline_version", "2"),
        ("tree_digest", "u" * 40),
        ("data_address", ""),
        ("data_sha", "e" * 40),
        ("data_path", "price.csv"),
        ("params", {"n": 201, "lr": 0.1}),
        ("params", {"n": "200", "lr": 0.1}),
        ("params", {"n": 200}),
        ("split", Split(test=0.25, seed=8)),
        ("split", None),
        ("env", {}),
        ("secret_names", ("A",)),
        ("environment", Environment(python="3.12", requirements="requirements.txt")),
        ("environment", Environment(image="x")),
        ("requirements_digest", "r2"),
        ("commands", {"train": "python train.py --fast", "evaluate": "python evaluate.py"}),
        ("model_digest", "m"),
    ],
)
def test_whatever_decides_the_result_decides_the_key(name, other):
    assert run_key(**{**FACTS, name: other}) != run_key(**FACTS)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("params", {"lr": 0.1, "n": 200}),
        ("params", {"n": 200.0, "lr": 0.1}),
        ("secret_names", ("B", "A", "A")),
        ("commands", {"evaluate": "python evaluate.py", "train": "python train.py"}),
    ],
)
def test_the_order_of_names_and_the_spelling_of_numbers_do_not(name, same):
    assert run_key(**{**FACTS, name: same}) == run_key(**FACTS)


def test_true_is_not_one():
    assert canonical_json({"a": True, "b": 1, "c": 1.0, "d": -0.0}) == '{"a":true,"b":1,"c":1,"d":0}'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@PROPERTY
@given(JSON, JSON)
def test_one_text_stands_for_equal_values_and_no_others(one, other):
    assert (canonical_json(one) == canonical_json(other)) == (_typed(one) == _typed(other))
    assert canonical_json(one).isascii()


def _typed(value):
    """The value with its booleans told from 0 and 1."""
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return (isinstance(value, bool), value)
