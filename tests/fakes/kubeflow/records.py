"""What Kubeflow keeps: each thing as the JSON that its API shows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from tests.fakes.kubeflow.web import Refusal

NO_TIME = "1970-01-01T00:00:00Z"  # what the real one shows for a time that has not come


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def error_of(message: str) -> dict[str, Any]:
    return {"code": 13, "message": message, "details": []}


@dataclass(frozen=True)
class Version:
    """`specification` and `platform` are the two documents of its package."""

    pipeline_id: str
    package: str
    specification: dict[str, Any]
    platform: dict[str, Any]
    document: dict[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        inputs = self.specification["root"].get("inputDefinitions", {})
        return dict(inputs.get("parameters", {}))


@dataclass
class Records:
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_experiment(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["display_name"]
        if any(one["display_name"] == name for one in self.experiments.values()):
            raise Refusal(409, f"Already exist error: Experiment {name} already exists")
        document = {
            **body,
            "experiment_id": str(uuid.uuid4()),
            "created_at": now(),
            "storage_state": "AVAILABLE",
            "last_run_created_at": NO_TIME,
        }
        self.experiments[document["experiment_id"]] = document
        return document

    def add_pipeline(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["name"]
        if any(one["name"] == name for one in self.pipelines.values()):
            raise Refusal(409, f"Already exist error: Pipeline {name} already exists")
        document = {**body, "pipeline_id": str(uuid.uuid4()), "created_at": now()}
        self.pipelines[document["pipeline_id"]] = document
        return document

    def add_version(self, pipeline_id: str, name: str, package: str) -> Version:
        if pipeline_id not in self.pipelines:
            raise Refusal(404, f"Pipeline {pipeline_id} not found")
        if any((one.pipeline_id, one.document["name"]) == (pipeline_id, name) for one in self.versions.values()):
            raise Refusal(500, f"Failed to create a pipeline version: {name} already exists")  # so the real one says it
        specification, platform = _parsed(package)
        document = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "created_at": now(),
            "pipeline_spec": {"pipeline_spec": specification, "platform_spec": platform},
        }
        version = Version(pipeline_id, package, specification, platform, document)
        self.versions[document["pipeline_version_id"]] = version
        return version

    def add_run(self, body: dict[str, Any], version: Version) -> dict[str, Any]:
        given = body.get("runtime_config", {}).get("parameters", {})
        unknown = sorted(set(given) - set(version.parameters))
        missing = sorted(
            name for name, of in version.parameters.items() if name not in given and not of.get("isOptional")
        )
        if unknown or missing:
            raise Refusal(400, f"parameters: unknown {unknown}, missing {missing}")
        document = {
            **body,
            "run_id": str(uuid.uuid4()),
            "storage_state": "AVAILABLE",
            "runtime_config": {"parameters": {name: _double(value) for name, value in given.items()}},
            "created_at": now(),
            "scheduled_at": now(),
            "finished_at": NO_TIME,
            "state": "PENDING",
            "state_history": [{"update_time": now(), "state": "PENDING"}],
            "run_details": {"task_details": []},
        }
        self.runs[document["run_id"]] = document
        return document


def _parsed(package: str) -> tuple[dict[str, Any], dict[str, Any]]:
    documents = list(yaml.load_all(package, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    if not documents or not {"pipelineInfo", "root", "components", "deploymentSpec"} <= set(documents[0]):
        raise Refusal(400, "InvalidInputError: unknown template format: pipeline spec is invalid")
    return documents[0], documents[1] if len(documents) > 1 else {}


def _double(value: Any) -> Any:
    """Parameters are protobuf values, whose only number is a double."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [_double(one) for one in value]
    if isinstance(value, dict):
        return {name: _double(one) for name, one in value.items()}
    return value
