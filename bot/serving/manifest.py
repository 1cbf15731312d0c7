"""What is desired, as KServe's `InferenceService`: one for each revision, and back.

On this machine a list of them is stored and the supervisor reconciles it to processes; on a cluster KServe does.
Source: kserve.github.io, "API Reference", serving.kserve.io/v1beta1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from bot.domain.serving import DesiredService, ServedRevision, Share

API_VERSION = "serving.kserve.io/v1beta1"
PREFIX = "mlops-bot"
_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_LABEL_LIMIT = 63  # Kubernetes, "Labels and Selectors"
_NAME_LIMIT = 40  # KServe makes host names of it, with the namespace and words of its own
# of a ServedRevision, as annotations: labels take neither colons nor slashes
_TEXTS = ("id", "version", "sha", "data_sha", "digest", "code", "model_path")
_SETTINGS = f"{PREFIX}/python-environment"


def manifests(desired: DesiredService) -> list[dict[str, Any]]:
    """In the order of the shares: the oldest first."""
    return [_manifest(desired, share) for share in desired.shares]


def desired_service(items: Sequence[Mapping[str, Any]]) -> DesiredService:
    """The opposite; of at least one manifest."""
    annotations = items[0]["metadata"]["annotations"]
    return DesiredService(
        repository=annotations[f"{PREFIX}/repository"],
        environment=annotations[f"{PREFIX}/environment"],
        model=annotations[f"{PREFIX}/model"],
        shares=tuple(_share(item) for item in items),
    )


def manifest_name(desired: DesiredService, revision: ServedRevision) -> str:
    """The same for the same place and version, and a name to Kubernetes."""
    place = f"{desired.environment}\n{desired.model}\n{revision.id}"
    unlike = sha256(place.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{desired.model}-{desired.environment}".lower()).strip("-")
    if not readable[:1].isalpha():
        readable = f"m-{readable}"
    return f"{readable[: _NAME_LIMIT - 9].strip('-')}-{unlike}"


def _manifest(desired: DesiredService, share: Share) -> dict[str, Any]:
    revision = share.revision
    labels = {
        "model": desired.model,
        "environment": desired.environment,
        "version": revision.version,
        "sha": revision.sha,
        "data-sha": revision.data_sha,
        "digest": revision.digest.removeprefix("sha256:"),
    }
    annotations = {_key(name): getattr(revision, name) for name in _TEXTS} | {
        f"{PREFIX}/repository": desired.repository,
        f"{PREFIX}/environment": desired.environment,
        f"{PREFIX}/model": desired.model,
        f"{PREFIX}/percent": str(share.percent),
        _SETTINGS: json.dumps(dict(revision.environment), sort_keys=True) if revision.environment else "",
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {
            "name": manifest_name(desired, revision),
            "labels": {
                "app.kubernetes.io/managed-by": PREFIX,
                **{f"{PREFIX}/{name}": _label(value) for name, value in labels.items() if value},
            },
            "annotations": {name: value for name, value in annotations.items() if value},
        },
        "spec": {"predictor": {"minReplicas": 1, "model": _model(revision)}},
    }


def _model(revision: ServedRevision) -> dict[str, Any]:
    model: dict[str, Any] = {
        "modelFormat": {"name": revision.runtime},
        "protocolVersion": "v2",
        "storageUri": revision.storage,
    }
    limits = {}
    if revision.cpu:
        limits["cpu"] = f"{revision.cpu:.15g}"
    if revision.memory_bytes:
        limits["memory"] = str(revision.memory_bytes)
    if limits:
        model["resources"] = {"requests": limits, "limits": limits}
    return model


def _share(item: Mapping[str, Any]) -> Share:
    annotations: Mapping[str, str] = item["metadata"]["annotations"]
    model = item["spec"]["predictor"]["model"]
    limits = model.get("resources", {}).get("limits", {})
    revision = ServedRevision(
        **{name: annotations.get(_key(name), "") for name in _TEXTS},
        runtime=model["modelFormat"]["name"],
        storage=model["storageUri"],
        environment=json.loads(annotations.get(_SETTINGS, "{}")),
        memory_bytes=int(limits.get("memory", 0)),
        cpu=float(limits.get("cpu", 0)),
    )
    return Share(revision, int(annotations[f"{PREFIX}/percent"]))


def _key(name: str) -> str:
    return f"{PREFIX}/{name.replace('_', '-')}"


def _label(value: str) -> str:
    return _LABEL.sub("-", value)[:_LABEL_LIMIT].strip("-._")
