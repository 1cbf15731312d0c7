"""The compiled pipelines, and what they have in common with the bot."""

from __future__ import annotations

import pytest
import yaml

import pipelines
from bot.domain import pipeline as contract
from bot.domain.result import FailureKind, PlotKind
from pipelines.arguments import pack, unpack
from pipelines.compile import compiled
from pipelines.steps.failure import FailureKind as StepFailureKind
from tests.pipelines.kit import SCHEMA


@pytest.mark.parametrize("name", pipelines.NAMES)
def test_the_compiled_pipeline_is_current(name: str):
    """Fails when a component was changed and `python -m pipelines.compile` was not run."""
    assert pipelines.package_path(name).read_text() == compiled(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (contract.TRAIN, contract.TRAIN_ARGUMENTS),
        (contract.EVALUATE, contract.EVALUATE_ARGUMENTS),
        (contract.DEPLOY, contract.DEPLOY_ARGUMENTS),
    ],
)
def test_the_pipeline_takes_the_arguments_that_the_bot_gives(name: str, expected: tuple[str, ...]):
    package = yaml.safe_load(pipelines.package_path(name).read_text())

    assert set(package["root"]["inputDefinitions"]["parameters"]) == set(expected)


def test_the_steps_know_the_kinds_that_the_bot_knows():
    assert {kind.value for kind in StepFailureKind} == {kind.value for kind in FailureKind}
    assert SCHEMA["$defs"]["failure"]["properties"]["kind"]["enum"] == [kind.value for kind in FailureKind]
    assert SCHEMA["$defs"]["plot"]["properties"]["kind"]["enum"] == [kind.value for kind in PlotKind]


def test_each_pipeline_has_a_version_of_its_own():
    assert len({pipelines.version(name) for name in pipelines.NAMES}) == 3
    with pytest.raises(ValueError, match="there is no pipeline named 'x'; there are train, evaluate, deploy"):
        pipelines.version("x")


@pytest.mark.parametrize("name", pipelines.NAMES)
def test_no_step_is_cached_by_the_engine_and_none_installs_kfp(name: str):
    text = pipelines.package_path(name).read_text()

    assert "enableCache" not in text
    assert "pip install" not in text


@pytest.mark.parametrize(
    "value",
    [
        {"n": 200, "rate": 1.0, "seed": 2**60, "deep": {"list": [1, 2.5, None, True]}},
        {"text": "{{$}} {{$.inputs.parameters['a']}} {{{"},
        {},
        ["A", "B"],
        [],
    ],
)
def test_packed_values_arrive_as_they_were_and_hold_no_placeholder(value: object):
    packed = pack({"value": value})["value"]

    assert "{{" not in str(packed).replace("{'json'", "")
    assert unpack(packed) == value
    assert repr(unpack(packed)) == repr(value)


def test_values_that_kubeflow_made_doubles_become_integers_again():
    assert repr(unpack({"n": 200.0, "rate": 0.5, "list": [1.0]})) == "{'n': 200, 'rate': 0.5, 'list': [1]}"
