"""One revision as a predictor of KServe, and back: which server loads it, from where, with how much."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from bot.domain.errors import UserError
from bot.domain.serving import ServedRevision
from bot.domain.words import quoted

PREFIX = "mlops-bot"
REVISION = f"{PREFIX}/revision"  # KServe gives a predictor's annotations to its pods, so it says what does not change
# config/runtimes/ of KServe; their servers are `kserve`'s own, which take the last `--model_name`
RUNTIMES = {"sklearn": "kserve-sklearnserver", "xgboost": "kserve-xgbserver", "lightgbm": "kserve-lgbserver"}
PORT = 8080
CONTAINER = "kserve-container"  # the name by which KServe knows the one that serves
_STORAGES = ("s3://", "gs://", "https://", "http://", "pvc://")
# for models whose own code lies in a private repository: `{"<clone address>": {"username": …, "password": …}}`
_GIT_SECRET = {"name": "mlops-bot-git", "key": "credentials", "optional": True}
_LABEL_LIMIT = 63  # Kubernetes, "Labels and Selectors"
_KNOWN = frozenset(field.name for field in fields(ServedRevision))


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all: `image` serves what KServe has no runtime for, "" where none is set up."""

    namespace: str
    image: str = ""
    service_account: str = ""


def predictor(revision: ServedRevision, model: str, setup: Setup) -> dict[str, Any]:
    """Raises UserError for what KServe can not serve."""
    labels = {
        "version": revision.version,
        "sha": revision.sha,
        "data-sha": revision.data_sha,
        "digest": revision.digest.removeprefix("sha256:"),
    }
    return {
        "minReplicas": 1,
        "annotations": {REVISION: json.dumps(asdict(revision), sort_keys=True)},
        "labels": {f"{PREFIX}/{name}": label(value) for name, value in labels.items() if value},
        **({"serviceAccountName": setup.service_account} if setup.service_account else {}),
        **_server(revision, model, setup),
    }


def revision_of(predictor: Mapping[str, Any]) -> ServedRevision:
    """Raises ValueError for what the bot did not write."""
    return read_revision((predictor.get("annotations") or {}).get(REVISION, ""))


def read_revision(text: str) -> ServedRevision:
    """Raises ValueError. Fields that a newer bot wrote are left out."""
    try:
        values = dict(json.loads(text))
        return ServedRevision(**{name: value for name, value in values.items() if name in _KNOWN})
    except TypeError as error:
        raise ValueError(f"not a revision: {error}") from error


def predictor_name(revision: ServedRevision) -> str:
    """Part of the names of its Deployment and Service: the same for the same version, so that it never restarts."""
    return f"r{sha256(revision.id.encode()).hexdigest()[:8]}"


def label(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", value)[:_LABEL_LIMIT].strip("-._")


def _server(revision: ServedRevision, model: str, setup: Setup) -> dict[str, Any]:
    storage = _storage(revision)
    resources = _resources(revision)
    if revision.runtime in RUNTIMES:
        return {
            "model": {
                "modelFormat": {"name": revision.runtime},
                "runtime": RUNTIMES[revision.runtime],
                "protocolVersion": "v2",
                "storageUri": storage,
                "args": [f"--model_name={model}"],
                **resources,
            }
        }
    if not setup.image:
        raise UserError(
            f"KServe has no runtime for `serve: {revision.runtime}`, and no image of our own is set up.",
            "Whoever runs the bot can name the image of the runner in MLOPS_BOT_SERVING_IMAGE.",
        )
    if revision.environment.get("image") and not revision.environment.get("requirements"):
        raise UserError(
            f"`serve: {revision.runtime}` builds the model's environment where it serves; mlops.yaml names an image.",
            "Name `environment.requirements` in mlops.yaml beside the image, then train again.",
        )
    return {"containers": [_container(revision, model, storage, setup) | resources]}


def _container(revision: ServedRevision, model: str, storage: str, setup: Setup) -> dict[str, Any]:
    """KServe brings what STORAGE_URI names to /mnt/models before this one starts."""
    order = {
        "model": model,
        "version": revision.version,
        "runtime": revision.runtime,
        "digest": revision.digest,
        "code": revision.code,
        "sha": revision.sha,
        "model_path": revision.model_path,
        "environment": {**revision.environment, "image": ""},
        "cpu": revision.cpu,
    }
    return {
        "name": CONTAINER,
        "image": setup.image,
        "command": ["python3", "-m", "pipelines.serving.pod"],
        "env": [
            {"name": "STORAGE_URI", "value": storage},
            {"name": "PROTOCOL", "value": "v2"},
            {"name": "MLOPS_ORDER", "value": json.dumps(order, sort_keys=True)},
            {"name": "MLOPS_BOT_GIT_CREDENTIALS", "valueFrom": {"secretKeyRef": _GIT_SECRET}},
        ],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{model}/ready", "port": PORT}},
    }


def _storage(revision: ServedRevision) -> str:
    address = revision.storage
    if address.startswith(_STORAGES):
        return address
    kind = address.partition("://")[0] if "://" in address else "a path"
    if kind == "file":
        raise UserError(
            "The model lies in a folder of the bot's own machine, which the cluster can not read.",
            "Whoever runs the bot can set MLOPS_BOT_ARTIFACTS_URL to `s3://…`; what is trained from then on can serve.",
        )
    raise UserError(
        f"KServe can not read models from {quoted(kind)}.",
        "It reads `s3://`, `gs://`, `https://` and `pvc://`; set MLOPS_BOT_ARTIFACTS_URL to one of them.",
    )


def _resources(revision: ServedRevision) -> dict[str, Any]:
    limits = {}
    if revision.cpu:
        limits["cpu"] = f"{revision.cpu:.15g}"
    if revision.memory_bytes:
        limits["memory"] = str(revision.memory_bytes)
    return {"resources": {"requests": limits, "limits": limits}} if limits else {}
