"""What KServe's own webhook refuses (pkg/apis/serving/v1beta1/inference_service_validation.go), as far as it is met."""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_STORAGE = re.compile(r"(gs|s3|pvc|https?)://.+")
_LONGEST_LABEL = 63


def refusals(item: dict[str, Any], *, mode: str) -> list[str]:
    spec = item["spec"]
    canaries = spec.get("canary") or []
    found = [] if _NAME.fullmatch(item["metadata"]["name"]) else ["the InferenceService name is invalid"]
    for one in [spec["predictor"], *(canary["predictor"] for canary in canaries)]:
        found += _predictor(one)
    if canaries and mode != "standard":
        found.append("canary is only supported in Standard mode")
    names = [one["predictor"].get("name") for one in canaries]
    if None in names or len({*names, spec["predictor"].get("name")}) != len(names) + 1:
        found.append("canary predictors need names, each its own")
    percents = [one["trafficPercent"] for one in canaries]
    if not all(0 <= percent <= 100 for percent in percents) or sum(percents) > 100:
        found.append("the sum of all canary trafficPercent values must be <= 100")
    if any(name in one["predictor"] for one in canaries for name in ("maxReplicas", "scaleTarget", "autoScaling")):
        found.append("canaries are not scaled")
    longest = max((len(str(name)) for name in [*names, spec["predictor"].get("name") or ""]), default=0)
    if len(item["metadata"]["name"]) + longest + len("--predictor") > _LONGEST_LABEL:
        found.append("the name of its Service would be too long")
    return found


def _predictor(spec: dict[str, Any]) -> list[str]:
    found = []
    if ("model" in spec) == ("containers" in spec):
        found.append("exactly one of [model, containers] must be specified in PredictorSpec")
    storage = spec.get("model", {}).get("storageUri")
    for container in spec.get("containers") or []:
        storage = next((one["value"] for one in container.get("env", []) if one["name"] == "STORAGE_URI"), None)
    if storage is not None and not _STORAGE.fullmatch(storage):
        found.append(f"the storageUri {storage} is not supported")
    if not 0 <= spec.get("canaryTrafficPercent", 0) <= 100:
        found.append("canaryTrafficPercent must be between 0 and 100")
    return found
