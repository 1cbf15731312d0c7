"""A standard pipeline's package as one run needs it: images, resources, time limits, labels, and which step gets which
secret. Runs with the same needs share a package, whose hash is the name of a pipeline version.

It says where a step's secrets are, never what they are: they lie in a Kubernetes Secret with the run's id as its name,
which each pod takes from the pipeline's parameter `run_id` (`secretNameParameter`, as kfp-kubernetes compiles it).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import yaml

GPU = "nvidia.com/gpu"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount of the pod, not a file of this machine
RUN_ID = "run_id"
LABEL_CHARACTERS = 63


@dataclass(frozen=True, slots=True)
class StepNeeds:
    """`image` "" is the runner's. `limit_s` is Kubernetes' limit for the pod; the step itself ends its command before.
    `secrets` are variables, each a key of the run's Secret."""

    image: str = ""
    cpu: float | None = None
    memory_bytes: int | None = None
    gpu: int = 0
    limit_s: int | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """`steps` by name; `labels` are those of all pods."""

    image: str
    steps: tuple[tuple[str, StepNeeds], ...]
    labels: tuple[tuple[str, str], ...] = ()
    image_pull_secret: str = ""


@lru_cache(maxsize=64)
def render_package(compiled: str, needs: Needs) -> str:
    """The package's text, of the compiled pipeline's."""
    specification = copy.deepcopy(_read(compiled))
    steps = dict(needs.steps)
    executors: dict[str, Any] = {}
    for task in list(_container_tasks(specification)):
        step = steps.get(task.name, StepNeeds())
        container = specification["deploymentSpec"]["executors"][task.executor]["container"]
        container["image"] = step.image or needs.image
        if resources := _resources(step):
            container["resources"] = resources
        executors[task.executor] = _on_kubernetes(step, needs, task.parameter(specification, RUN_ID, step.secrets))
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return "---\n".join(yaml.dump(part, Dumper=_dumper(), sort_keys=True) for part in (specification, platform))


def label_value(text: str) -> str:
    """Something that Kubernetes takes as a label's value; the end of a long one is its hash."""
    value = re.sub(r"[^A-Za-z0-9._-]+", ".", text).strip("._-")
    if len(value) <= LABEL_CHARACTERS:
        return value
    return f"{value[:52].rstrip('._-')}-{sha256(text.encode()).hexdigest()[:10]}"


@dataclass(frozen=True, slots=True)
class _Task:
    """A container of the pipeline. `group` is the task of the root that it is in, "" for the root itself."""

    name: str
    executor: str
    group: str

    def parameter(self, specification: dict[str, Any], name: str, wanted: Iterable[str]) -> str:
        """The name under which a parameter of the pipeline is known where this task is; it is passed on if `wanted`."""
        if not self.group:
            return name
        inner = f"pipelinechannel--{name}"  # kfp's own name for it
        if any(wanted):
            root = specification["root"]
            outer = root["dag"]["tasks"][self.group]
            outer.setdefault("inputs", {}).setdefault("parameters", {})[inner] = {"componentInputParameter": name}
            component = specification["components"][outer["componentRef"]["name"]]
            inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
            inputs[inner] = root["inputDefinitions"]["parameters"][name]
        return inner


def _container_tasks(specification: Mapping[str, Any]) -> Iterator[_Task]:
    """Of the root and of the groups in it; the standard pipelines nest no deeper."""
    components = specification["components"]
    for key, task in specification["root"]["dag"]["tasks"].items():
        component = components[task["componentRef"]["name"]]
        if "dag" not in component:
            yield _Task(_name(key, task), component["executorLabel"], "")
            continue
        for inner_key, inner in component["dag"]["tasks"].items():
            executor = components[inner["componentRef"]["name"]]["executorLabel"]
            yield _Task(_name(inner_key, inner), executor, key)


def _name(key: str, task: Mapping[str, Any]) -> str:
    return str(task.get("taskInfo", {}).get("name", key))


def _resources(step: StepNeeds) -> dict[str, Any]:
    """Requests are the limits, so that a node has what a step was promised. The older fields are for Kubeflow 2.3 and
    before, which know no quantities."""
    resources: dict[str, Any] = {}
    if step.cpu is not None:
        quantity = f"{round(step.cpu * 1000)}m"
        resources |= {"cpuLimit": float(step.cpu), "cpuRequest": float(step.cpu)}
        resources |= {"resourceCpuLimit": quantity, "resourceCpuRequest": quantity}
    if step.memory_bytes is not None:
        gigabytes, quantity = step.memory_bytes / 1e9, str(step.memory_bytes)
        resources |= {"memoryLimit": gigabytes, "memoryRequest": gigabytes}
        resources |= {"resourceMemoryLimit": quantity, "resourceMemoryRequest": quantity}
    if step.gpu:
        count = str(step.gpu)
        resources["accelerator"] = {"count": count, "resourceCount": count, "resourceType": GPU, "type": GPU}
    return resources


def _on_kubernetes(step: StepNeeds, needs: Needs, secret_name: str) -> dict[str, Any]:
    """As kfp-kubernetes writes it (its KubernetesExecutorConfig)."""
    pod: dict[str, Any] = {}
    if needs.labels:
        pod["podMetadata"] = {"labels": dict(needs.labels)}
    if step.limit_s is not None:
        pod["activeDeadlineSeconds"] = str(step.limit_s)
    if step.gpu:  # such nodes keep others away, and data loaders share memory, of which containers have 64 MB
        pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
        pod["emptyDirMounts"] = [{"volumeName": "shm", "mountPath": SHARED_MEMORY, "medium": "Memory"}]
    if needs.image_pull_secret:
        constant = {"runtimeValue": {"constant": needs.image_pull_secret}}
        pod["imagePullSecret"] = [{"secretName": needs.image_pull_secret, "secretNameParameter": constant}]
    if step.secrets:
        pod["secretAsEnv"] = [
            {
                "keyToEnv": [{"envVar": name, "secretKey": name} for name in step.secrets],
                "optional": False,
                "secretNameParameter": {"componentInputParameter": secret_name},
            }
        ]
    return pod


@lru_cache(maxsize=8)
def _read(compiled: str) -> dict[str, Any]:
    specification: dict[str, Any] = yaml.load(compiled, Loader=_loader())  # noqa: S506 - a safe one
    return specification


def _loader() -> type[yaml.SafeLoader]:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _dumper() -> type[yaml.SafeDumper]:
    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)
