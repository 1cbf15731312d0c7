"""A file in which nothing is wrong to the project that it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from posixpath import normpath
from typing import Any

from bot.domain.project import (
    Canary,
    Data,
    Deploy,
    DeployEnvironment,
    Environment,
    Model,
    Project,
    Resources,
    SageMaker,
    Split,
    Step,
)
from bot.project_file.cron import cron_schedule
from bot.project_file.paths import glob, path_inside
from bot.project_file.readers import gate, volume_gib
from bot.yaml_file.quantities import cores, duration_s, latency_ms, memory_bytes

DEFAULT_TIMEOUT = "1h"

Raw = Mapping[str, Any]


def build_project(raw: Raw) -> Project:
    triggers = raw.get("on", {})
    return Project(
        models=tuple(_model(name, model) for name, model in raw["models"].items()),
        push_branches=tuple(triggers.get("push", ())),
        on_change=triggers.get("change", True),
    )


def _model(name: str, raw: Raw) -> Model:
    evaluate = raw.get("evaluate", {})
    return Model(
        name=name,
        train=_step(raw["train"]),
        path=path_inside(raw.get("path", ".")),
        watch=tuple(glob(pattern) for pattern in raw.get("watch", ())),
        data=_data(raw["data"]) if "data" in raw else None,
        split=Split(float(raw["split"]["test"]), int(raw["split"]["seed"])) if "split" in raw else None,
        environment=_environment(raw.get("environment", {})),
        env=dict(raw.get("env", {})),
        secrets=tuple(raw.get("secrets", ())),
        params=dict(raw.get("params", {})),
        evaluate=_step(evaluate) if "run" in evaluate else None,
        gates=tuple(gate(text) for text in evaluate.get("gates", ())),
        deploy=_deploy(raw["deploy"]) if "deploy" in raw else None,
        monitor_schedule=cron_schedule(raw["monitor"]["schedule"]) if "monitor" in raw else "",
    )


def _step(raw: Raw) -> Step:
    return Step(
        run=raw["run"].strip(),
        resources=_resources(raw.get("resources", {})),
        timeout_s=duration_s(raw.get("timeout", DEFAULT_TIMEOUT)),
        sagemaker=_sagemaker(raw["sagemaker"]) if "sagemaker" in raw else None,
    )


def _sagemaker(raw: Raw) -> SageMaker:
    usual = SageMaker(raw["role"], raw["instance"], raw["image"], raw["bucket"])
    return replace(
        usual,
        count=int(raw.get("count", usual.count)),
        volume_gib=volume_gib(raw["volume"]) if "volume" in raw else usual.volume_gib,
        spot=raw.get("spot", usual.spot),
        max_wait_s=duration_s(raw["max_wait"]) if "max_wait" in raw else usual.max_wait_s,
        region=raw.get("region", usual.region),
    )


def _resources(raw: Raw) -> Resources:
    return Resources(
        cpu=cores(raw["cpu"]) if "cpu" in raw else 0.0,
        memory_bytes=memory_bytes(raw["memory"]) if "memory" in raw else 0,
        gpu=int(raw.get("gpu", 0)),
    )


def _data(raw: Raw) -> Data:
    return Data(repo=raw.get("repo", ""), rev=raw.get("rev", ""), path=path_inside(raw["path"]))


def _environment(raw: Raw) -> Environment:
    # relative to the model's folder, so it may go up; that it stays in the repository was checked
    return Environment(raw.get("python", ""), _normalised(raw.get("requirements", "")), raw.get("image", ""))


def _deploy(raw: Raw) -> Deploy:
    environments = {name: _deploy_environment(settings) for name, settings in raw["environments"].items()}
    return Deploy(raw["serve"], environments, _resources(raw.get("resources", {})))


def _deploy_environment(raw: Raw) -> DeployEnvironment:
    return DeployEnvironment(
        approvals=int(raw.get("approvals", 0)),
        approvers=tuple(raw.get("approvers", ())),
        only_merged="from" in raw,
        canary=_canary(raw) if "canary" in raw else Canary(),
    )


def _canary(raw: Raw) -> Canary:
    usual = Canary()
    return Canary(
        percents=tuple(int(percent) for percent in raw["canary"]),
        hold_s=float(duration_s(raw["hold"])) if "hold" in raw else usual.hold_s,
        max_error_rate=float(raw["max_error_rate"]) if "max_error_rate" in raw else usual.max_error_rate,
        max_latency_ms=latency_ms(raw["max_latency"]) if "max_latency" in raw else usual.max_latency_ms,
    )


def _normalised(path: str) -> str:
    return normpath(path) if path else ""
