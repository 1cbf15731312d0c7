"""Which steps are forks of a process that has kfp imported."""

from __future__ import annotations

import pytest
import yaml

import pipelines
from bot.engines.local_component import component_of


@pytest.mark.parametrize("name", pipelines.NAMES)
def test_each_step_of_the_standard_pipelines_needs_no_python_of_its_own(name: str):
    package = next(yaml.safe_load_all(pipelines.package_path(name).read_text()))
    containers = [executor["container"] for executor in package["deploymentSpec"]["executors"].values()]

    components = [component_of([*container["command"], *container["args"]]) for container in containers]

    assert len(components) >= 3
    for component, container in zip(components, containers, strict=True):
        assert component is not None
        assert component.source == container["command"][3]
        assert list(component.arguments) == container["args"]


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["sh", "-ec", 'pip install pandas && "$0" "$@"', "python3"],
        ["sh", "-c", "if ! [ -x \"$(command -v pip)\" ]; then python3 -m ensurepip; fi", "sh", "-ec", "…", "source"],
        ["python3", "-m", "kfp.dsl.executor_main", "--function_to_execute", "train"],
    ],
)  # fmt: skip
def test_any_other_command_is_run_as_it_stands(command: list[str]):
    assert component_of(command) is None
