"""`mlops.lock`: what is written is read again, and what somebody else wrote is checked."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UserError
from bot.domain.result import Metric
from bot.domain.version import VersionLock, VersionNumber
from bot.lock_file import LOCK_LIMIT_BYTES, BadLock, parse_lock, render_lock
from tests.domain.examples import PROPERTY
from tests.registry.samples import lock

texts = st.text(max_size=40)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)
numbers = st.builds(VersionNumber, *[st.integers(0, 999_999_999)] * 3)
metrics = st.dictionaries(texts, st.builds(Metric, finite, st.none() | finite), max_size=4)
plain_fields = {field.name: texts for field in fields(VersionLock) if field.type == "str"}
locks = st.builds(
    VersionLock,
    number=numbers,
    model_size_bytes=st.integers(0, 2**63 - 1),
    data_rows=st.none() | st.integers(0, 2**63 - 1),
    params=json_objects,
    split=json_objects,
    environment=json_objects,
    metrics=metrics,
    gates=st.lists(texts, max_size=3).map(tuple),
    waived=st.lists(texts, max_size=3).map(tuple),
    **plain_fields,
)


@PROPERTY
@given(locks)
def test_a_lock_is_read_as_it_was_written_to_the_last_digit(written: VersionLock) -> None:
    read = parse_lock(render_lock(written))

    assert read == written
    assert json.dumps(read.params, sort_keys=True) == json.dumps(written.params, sort_keys=True)  # 1 is not 1.0
    assert render_lock(read) == render_lock(written)


def test_a_lock_is_legible_as_yaml_and_has_whole_numbers_of_any_size() -> None:
    text = render_lock(lock(params={"seed": 2**60, "share": 0.1 + 0.2, "why": "é: yes"})).decode()

    assert yaml.safe_load(text)["params"] == {
        "seed": 1152921504606846976,
        "share": 0.30000000000000004,
        "why": "é: yes",
    }
    assert ' "model": "breast-cancer",\n' in text
    assert ' "number": "v1.3.0",\n' in text
    assert text.endswith("}\n")


def test_the_order_of_params_makes_no_other_file() -> None:
    assert render_lock(lock(params={"a": 1, "b": 2})) == render_lock(lock(params={"b": 2, "a": 1}))


def test_a_number_that_json_does_not_have_is_refused_with_words() -> None:
    with pytest.raises(UserError, match="Params and metrics have to be finite numbers"):
        render_lock(lock(params={"rate": math.inf}))


def test_a_lock_that_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(UserError, match="would be larger than 262144 bytes"):
        render_lock(lock(metrics={f"metric {number}": Metric(0.5) for number in range(10_000)}))


def test_fields_of_a_later_bot_are_ignored_and_a_lack_of_newer_ones_is_none() -> None:
    document = json.loads(render_lock(lock()))
    del document["data_rows"], document["waived"]

    read = parse_lock(json.dumps({**document, "signature": ["of", "tomorrow"]}).encode())

    assert read == replace(lock(), data_rows=None, waived=())


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(render_lock(lock())), **fields}).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"model: churn", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"9" * 100_000, "is not JSON"),
        (b"[]", "expected an object, found list"),
        (b"{}", "lacks `model`"),
        (b" " * (LOCK_LIMIT_BYTES + 1), f"is larger than {LOCK_LIMIT_BYTES} bytes"),
        (changed(model=["x"]), "expected text, found list"),
        (changed(number="latest"), "expected a version"),
        (changed(model_size_bytes=-1), "expected a whole number"),
        (changed(model_size_bytes=True), "expected a whole number"),
        (changed(model_size_bytes=2**63), "expected a whole number"),
        (changed(metrics={"auc": {"value": math.nan}}), "expected a finite number"),
        (changed(metrics={"auc": {"value": 10**400}}), "int too large to convert to float"),
        (changed(metrics={"auc": {}}), "lacks `value`"),
        (changed(metrics={"auc": 0.9}), "expected an object, found float"),
        (changed(params={"x": math.inf}), "expected a finite number"),
        (changed(params=json.loads("[" * 30 + "]" * 30)), "expected an object, found list"),
        (changed(params={"x": json.loads("[" * 30 + "]" * 30)}), "expected at most 20 levels"),
        (changed(gates="accuracy"), "expected a list, found str"),
    ],
    ids=range(21),
)
def test_what_is_not_a_lock_is_refused_with_the_reason(content: bytes, words: str) -> None:
    with pytest.raises(BadLock) as refused:
        parse_lock(content)

    assert words in refused.value.problem
    assert len(refused.value.problem) < 300


@PROPERTY
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_content_whatever_brings_anything_but_a_refusal(content: bytes) -> None:
    with pytest.raises(BadLock, match=r"^mlops\.lock "):
        parse_lock(content)


def test_a_lone_surrogate_that_somebody_wrote_is_replaced() -> None:
    assert parse_lock(changed(serve="x").replace(b'"x"', b'"\\ud800"')).serve == "?"
