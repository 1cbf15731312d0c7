"""KServe's controller, as far as its status tells: Knative revisions and their traffic, or Deployments and canaries.

After ksvc_reconciler.go and PropagateStatus in inference_service_status.go of KServe 0.15, and pull requests 5672,
5912 and 5984, by which 0.20 got canaries. A revision, or a Deployment's pods, are new when their template is: the
predictor without what only scales and splits, and all labels and annotations of the InferenceService.
"""

from __future__ import annotations

import json
from typing import Any

DOMAIN = "example.com"
AT = "2026-11-25T04:00:00Z"
_NOT_IN_TEMPLATE = ("canaryTrafficPercent", "name")
Item = dict[str, Any]


class Controller:
    """`started` names each template that was started, in order: what restarts is there twice."""

    def __init__(self, mode: str, *, starts_at_once: bool) -> None:
        self.mode = mode
        self.starts_at_once = starts_at_once
        self.started: list[str] = []
        self._templates: dict[str, list[str]] = {}

    def reconcile(self, item: Item) -> None:
        status = item.setdefault(
            "status", {"deploymentMode": {"knative": "Knative", "standard": "Standard"}[self.mode]}
        )
        status["url"] = f"http://{item['metadata']['name']}-{item['metadata']['namespace']}.{DOMAIN}"
        (self._knative if self.mode == "knative" else self._standard)(item, status)
        if self.starts_at_once:
            self.ready(item)

    def forget(self, name: str) -> None:
        for deployment in [known for known in self._templates if known == name or known.startswith(f"{name}-")]:
            self._templates.pop(deployment)

    def ready(self, item: Item) -> None:
        status = item["status"]
        if self.mode == "knative":
            component = _component(item)
            component["latestReadyRevision"] = component["latestCreatedRevision"]
            self._route(item)
        for canary in status.get("canaryStatuses") or []:
            canary |= {"ready": True, "modelStatus": {"transitionStatus": "UpToDate"}}
        status["modelStatus"] = {"transitionStatus": "UpToDate"}
        _say(status, "True")
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        status["address"] = {"url": f"http://{name}.{namespace}.svc.cluster.local"}
        if self.mode == "standard":
            status["address"] = {"url": f"http://{name}-predictor.{namespace}.svc.cluster.local:8080"}

    def failed(self, item: Item, words: str) -> None:
        status = item["status"]
        info = {"message": words, "reason": "ModelLoadFailed", "exitCode": 3}
        if self.mode == "knative":
            info["modelRevisionName"] = _component(item)["latestCreatedRevision"]
        failure = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": info}
        canaries = status.get("canaryStatuses") or []
        if canaries:
            canaries[-1] |= {"ready": False, "modelStatus": failure}
            return
        status["modelStatus"] = failure
        _say(status, "False")

    # -- Knative
    def _knative(self, item: Item, status: Item) -> None:
        component = _component(item)
        name = item["metadata"]["name"]
        known = self._templates.setdefault(name, [])
        template = _template(item, item["spec"]["predictor"])
        if not known or known[-1] != template:
            known.append(template)
            component["latestCreatedRevision"] = f"{name}-predictor-{len(known):05d}"
            self.started.append(_version(item["spec"]["predictor"]))
            status["modelStatus"] = {"transitionStatus": "InProgress"}
            _say(status, "Unknown")
        if component.get("latestReadyRevision"):
            self._route(item)

    def _route(self, item: Item) -> None:
        component = _component(item)
        percent = item["spec"]["predictor"].get("canaryTrafficPercent")
        rolled_out, latest = component.get("latestRolledoutRevision"), component["latestReadyRevision"]
        has_tags = item["metadata"]["annotations"].get("serving.kserve.io/enable-tag-routing") == "true"
        targets = [_target(item, "latest" if has_tags else "", latest, 100, is_latest=True)]
        if percent is not None and rolled_out:
            targets[0]["percent"] = percent
            if percent < 100:
                targets.append(_target(item, "prev", rolled_out, 100 - percent, is_latest=False))
        component["traffic"] = targets
        if targets[0]["percent"] == 100 and rolled_out != latest:
            component["previousRolledoutRevision"] = rolled_out
            component["latestRolledoutRevision"] = latest

    # -- Standard
    def _standard(self, item: Item, status: Item) -> None:
        _component(item)
        spec, name = item["spec"], item["metadata"]["name"]
        before = {one["name"]: one for one in status.get("canaryStatuses") or []}
        for predictor in [spec["predictor"], *(one["predictor"] for one in spec.get("canary") or [])]:
            self._deploy(
                item, predictor, f"{name}-{predictor.get('name', '')}", is_canary=predictor is not spec["predictor"]
            )
        status["canaryStatuses"] = [
            {"ready": False, **before.get(one["predictor"]["name"], {}), "name": one["predictor"]["name"],
             "trafficPercent": one["trafficPercent"]}
            for one in spec.get("canary") or []
        ]  # fmt: skip
        alive = {
            f"{name}-{one.get('name', '')}"
            for one in [spec["predictor"], *(c["predictor"] for c in spec.get("canary") or [])]
        }
        for deployment in [known for known in self._templates if known.startswith(f"{name}-") and known not in alive]:
            self._templates.pop(deployment)

    def _deploy(self, item: Item, predictor: Item, deployment: str, *, is_canary: bool) -> None:
        template = _template(item, predictor)
        if self._templates.get(deployment) == [template]:
            return
        is_new = deployment not in self._templates
        self._templates[deployment] = [template]
        self.started.append(_version(predictor))
        if not is_canary and is_new:
            item["status"]["modelStatus"] = {"transitionStatus": "InProgress"}
            _say(item["status"], "Unknown")


def _template(item: Item, predictor: Item) -> str:
    metadata = item["metadata"]
    spec = {name: value for name, value in predictor.items() if name not in _NOT_IN_TEMPLATE}
    return json.dumps([spec, metadata.get("labels"), metadata.get("annotations")], sort_keys=True)


def _version(predictor: Item) -> str:
    return str(predictor["labels"]["mlops-bot/version"])


def _target(item: Item, tag: str, revision: str, percent: int, *, is_latest: bool) -> Item:
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    url = {"url": f"http://{tag}-{name}-predictor.{namespace}.{DOMAIN}", "tag": tag} if tag else {}
    return {"revisionName": revision, "percent": percent, "latestRevision": is_latest, **url}


def _say(status: Item, word: str) -> None:
    words = {} if word == "True" else {"message": "Deployment does not have minimum availability."}
    status["conditions"] = [
        {"type": kind, "status": word, "lastTransitionTime": AT, **words}
        for kind in ("IngressReady", "PredictorReady", "Ready")
    ]


def _component(item: Item) -> Item:
    found: Item = item["status"].setdefault("components", {}).setdefault("predictor", {})
    return found
