"""Params of a comment."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bot.domain.errors import UserError
from bot.domain.params import coerce_params, describe
from tests.domain.examples import HOSTILE_TEXT, PROPERTY

FRAGMENTS = {
    "n_estimators": {"type": "integer", "default": 200, "minimum": 10, "maximum": 2000},
    "criterion": {"enum": ["gini", "entropy"], "default": "gini"},
    "lr": {"type": "number", "default": 0.1, "exclusiveMinimum": 0},
    "warm_start": {"type": "boolean", "default": False},
    "layers": {"type": "array", "items": {"type": "integer"}, "maxItems": 3, "default": [64]},
    "features": {"type": "array", "items": {"type": "string"}, "default": []},
    "depth": {"type": ["integer", "null"], "default": None},
    "note": {"type": "string", "maxLength": 20, "default": ""},
    "choice": {"enum": [1, 0.5, "auto", None], "default": 1},
    "free": {"default": 3},
    "tile": {"type": "integer", "multipleOf": 8, "default": 8},
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n_estimators", "400", 400),
        ("n_estimators", "4e2", 400),
        ("n_estimators", "400.0", 400),
        ("n_estimators", "1_000", 1000),
        ("criterion", "entropy", "entropy"),
        ("lr", "1e-3", 0.001),
        ("lr", "3", 3),
        ("warm_start", "true", True),
        ("warm_start", "No", False),
        ("layers", "[64, 32]", [64, 32]),
        ("layers", "[]", []),
        ("features", '["age", "income"]', ["age", "income"]),
        ("features", "[age, income]", ["age", "income"]),
        ("depth", "none", None),
        ("depth", "null", None),
        ("depth", "7", 7),
        ("note", "400", "400"),
        ("note", "two words", "two words"),
        ("choice", "0.50", 0.5),
        ("choice", "auto", "auto"),
        ("choice", "null", None),
        ("free", "4.5", 4.5),
        ("free", "words", "words"),
        ("tile", "16", 16),
    ],
)
def test_text_becomes_the_value_that_the_schema_means(name, text, value):
    coerced = coerce_params(FRAGMENTS, {name: text})[name]

    assert coerced == value
    assert type(coerced) is type(value)


def test_what_is_not_given_has_its_default_in_the_order_of_the_file():
    values = coerce_params(FRAGMENTS, {"lr": "0.5"})

    assert values == {name: fragment["default"] for name, fragment in FRAGMENTS.items()} | {"lr": 0.5}
    assert list(values) == list(FRAGMENTS)


@pytest.mark.parametrize(
    ("given_params", "problem", "fix"),
    [
        (
            {"n_estimators": "400.5"},
            "`n_estimators=400.5` is not a whole number.",
            "`n_estimators` takes a whole number from 10 to 2000 (default `200`).",
        ),
        (
            {"n_estimators": "9"},
            "`n_estimators=9` is less than 10.",
            "`n_estimators` takes a whole number from 10 to 2000 (default `200`).",
        ),
        (
            {"n_estimators": "9" * 30},
            f"`n_estimators={'9' * 30}` is too large.",
            "`n_estimators` takes a whole number from 10 to 2000 (default `200`).",
        ),
        ({"lr": "nan"}, "`lr=nan` is not a number.", "`lr` takes a number above 0 (default `0.1`)."),
        ({"lr": "inf"}, "`lr=inf` is not a number.", "`lr` takes a number above 0 (default `0.1`)."),
        ({"lr": "1e999"}, "`lr=1e999` is too large.", "`lr` takes a number above 0 (default `0.1`)."),
        ({"lr": "0"}, "`lr=0` is not above 0.", "`lr` takes a number above 0 (default `0.1`)."),
        (
            {"criterion": "ginni"},
            "`criterion=ginni` is not one of the choices.",
            "Did you mean `criterion=gini`? `criterion` takes one of `gini` and `entropy` (default `gini`).",
        ),
        (
            {"warm_start": "maybe"},
            "`warm_start=maybe` is not `true` or `false`.",
            "`warm_start` takes `true` or `false` (default `false`).",
        ),
        (
            {"layers": "[1, 2, 3, 4]"},
            "`layers=[1, 2, 3, 4]` has more than 3 items.",
            "`layers` takes a list of at most 3 items, each a whole number (default `[64]`).",
        ),
        (
            {"layers": "[1, true]"},
            "`layers=[1, true]`, item 2, is not a whole number.",
            "`layers` takes a list of at most 3 items, each a whole number (default `[64]`).",
        ),
        (
            {"layers": "[" * 900 + "]" * 900},
            f"`layers={'[' * 52}…` is not a list such as `[1, 2]`.",
            "`layers` takes a list of at most 3 items, each a whole number (default `[64]`).",
        ),
        (
            {"depth": "deep"},
            "`depth=deep` is not a whole number or `null`.",
            "`depth` takes a whole number or `null` (default `null`).",
        ),
        (
            {"note": "x" * 21},
            f"`note={'x' * 21}` is longer than 20 characters.",
            '`note` takes text of at most 20 characters (default `""`).',
        ),
        (
            {"tile": "12"},
            "`tile=12` is not a multiple of 8.",
            "`tile` takes a whole number in steps of 8 (default `8`).",
        ),
        (
            {"n_estimator": "400"},
            "There is no param `n_estimator`.",
            "Did you mean `n_estimators`? It takes a whole number from 10 to 2000.",
        ),
        (
            {"note": "x" * 3000},
            f"`note={'x' * 54}…` is longer than 2000 characters.",
            "Write a shorter value.",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_answered_with_what_would(given_params, problem, fix):
    with pytest.raises(UserError) as caught:
        coerce_params(FRAGMENTS, given_params)

    assert (caught.value.problem, caught.value.fix) == (problem, fix)


def test_all_errors_are_told_at_once():
    fragments = {name: FRAGMENTS[name] for name in ("n_estimators", "lr")}

    with pytest.raises(UserError) as caught:
        coerce_params(fragments, {"lr": "x", "qq": "1", "n_estimators": "1"})

    assert caught.value.problem == (
        "`n_estimators=1` is less than 10. `n_estimators` takes a whole number from 10 to 2000 (default `200`). "
        "`lr=x` is not a number. `lr` takes a number above 0 (default `0.1`). "
        "There is no param `qq`. The params are `n_estimators` and `lr`."
    )
    assert caught.value.fix == ""


def test_a_model_without_params_says_so():
    with pytest.raises(UserError) as caught:
        coerce_params({}, {"lr": "1"})

    assert caught.value.problem == "There is no param `lr`."
    assert caught.value.fix == "`mlops.yaml` declares no `params` for it."


@pytest.mark.parametrize(
    ("fragment", "fault"),
    [
        ({"pattern": "(a+)+$"}, "its schema has `pattern`, which is not supported"),
        ({"$ref": "#"}, "its schema has `$ref`, which is not supported"),
        ({"items": {"pattern": "(a+)+$"}}, "its schema has `pattern`, which is not supported"),
        ({"type": "integer", "minimum": "x"}, "its schema is not valid at `minimum`"),
        ({"type": "foo", "items": {}}, "its schema is not valid at `type`"),
        ({"items": 3}, "its schema is not a mapping"),
    ],
)
def test_a_schema_that_could_run_forever_or_is_none_is_never_used(fragment, fault):
    with pytest.raises(UserError) as caught:
        coerce_params({"p": fragment}, {"p": "a" * 40 + "!"})

    assert (caught.value.problem, caught.value.fix) == (f"`p` can not be set: {fault}.", "Mend it in `mlops.yaml`.")


SMALL_JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
ANY_FRAGMENT = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "number", "string", "boolean", "array", "null"])
        | st.lists(st.sampled_from(["integer", "number", "string", "null"]), min_size=1, unique=True),
        "enum": st.lists(SMALL_JSON, min_size=1, max_size=4),
        "const": SMALL_JSON,
        "minimum": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "exclusiveMaximum": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "multipleOf": st.floats(min_value=1e-300, max_value=1e300),
        "maxLength": st.integers(min_value=0, max_value=30),
        "items": st.just({"type": "number"}) | st.just({}),
        "uniqueItems": st.booleans(),
        "default": SMALL_JSON,
    },
)
ANY_VALUE = (
    HOSTILE_TEXT
    | SMALL_JSON.map(json.dumps)
    | st.lists(SMALL_JSON, max_size=5).map(json.dumps)
    | st.sampled_from(["1" * 400, "1e308", "-1e-400", "NaN", "[NaN]", "[1e999]", '["a"', "[[1],[2]]", "-0", "٣", "1_"])
)


@PROPERTY
@given(fragment=ANY_FRAGMENT, text=ANY_VALUE)
def test_no_value_crashes_any_schema_and_what_is_taken_fits_it(fragment, text):
    try:
        value = coerce_params({"p": fragment}, {"p": text})["p"]
    except UserError as error:
        refusal = error.problem
    else:
        refusal = ""
        assert Draft202012Validator(fragment).is_valid(value)
        json.dumps(value, allow_nan=False)
    assert not refusal or refusal.startswith("`p")
    assert describe(fragment)


@PROPERTY
@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_is_written_out_is_read_back(number):
    assert coerce_params({"p": {"type": "number"}}, {"p": repr(number)}) == {"p": number}


@PROPERTY
@given(st.lists(st.text(max_size=10) | st.integers(min_value=0, max_value=9), max_size=5))
def test_a_list_that_is_written_as_json_is_read_back(items):
    assert coerce_params({"p": {"type": "array"}}, {"p": json.dumps(items)}) == {"p": items}
