"""What KServe says of an InferenceService, in our own words: one state for each version that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from bot.domain.masking import mask
from bot.domain.serving import ObservedRevision, ObservedService, RevisionState, Share
from bot.serving.kserve_manifest import AFTER, Manifest, desired_service, is_standby
from bot.serving.kserve_predictor import predictor_name

MESSAGE_CHARACTERS = 1000
LOG_LINES = 40
_BLOCKED = ("BlockedByFailedLoad", "InvalidSpec")  # model_status of KServe: it does not try again by itself
_FAILED = ("RevisionFailed", "ProgressDeadlineExceeded")  # reasons of Knative, of Kubernetes' Deployments


def observed_service(item: Manifest) -> ObservedService:
    """Raises ValueError for what the bot did not write."""
    desired = desired_service(item)
    if _is_knative(item):
        revisions = [_see_knative(item, one, is_last=one is desired.shares[-1]) for one in desired.shares]
    else:
        revisions = [_see_standard(item, one) for one in desired.shares]
    return ObservedService(desired.environment, desired.model, tuple(revisions))


def _see_knative(item: Manifest, share: Share, *, is_last: bool) -> ObservedRevision:
    """The predictor is the last one's. What serves beside it is a Knative revision that had all requests once."""
    component = _component(item)
    is_beside = not is_last or is_standby(item)
    target = _target(component, "prev" if is_beside else "latest")
    percent = int(target.get("percent") or 0) if target else 0
    address = str((target or {}).get("url") or "") or (str(_status(item).get("url") or "") if is_last else "")
    if is_beside:
        is_up = bool(component.get("latestRolledoutRevision")) and bool(target)
        return _revision(item, share, is_up, percent, address, "" if is_up else "It does not serve yet.")
    created = component.get("latestCreatedRevision") or ""
    is_ours = bool(created) and created != (item["metadata"].get("annotations") or {}).get(AFTER)
    is_up = is_ours and component.get("latestReadyRevision") == created and _is_true(item, "PredictorReady")
    trouble = _trouble(item, created) if is_ours else None
    if trouble is not None:
        return _failed(item, share, percent, trouble)
    return _revision(item, share, is_up and _is_routed(item), percent, address, _waits_for(item))


def _see_standard(item: Manifest, share: Share) -> ObservedRevision:
    canary = _canary_status(item, share)
    if canary is None:
        trouble = _trouble(item, "")
        if trouble is not None:
            return _failed(item, share, share.percent, trouble)
        is_up = _is_true(item, "PredictorReady") and _is_routed(item)
        return _revision(item, share, is_up, share.percent, _address(item, share), _waits_for(item))
    trouble = _trouble({"status": canary}, "")
    percent = int(canary.get("trafficPercent") or 0)
    if trouble is not None:
        return _failed(item, share, percent, trouble)
    return _revision(item, share, bool(canary.get("ready")), percent, _address(item, share), "It is being started.")


def _canary_status(item: Manifest, share: Share) -> Mapping[str, Any] | None:
    """None for what is no canary; empty while nothing is known of it."""
    name = predictor_name(share.revision)
    if all(one["predictor"].get("name") != name for one in item["spec"].get("canary") or ()):
        return None
    found = (one for one in _status(item).get("canaryStatuses") or () if one.get("name") == name)
    return next(found, {})


def _address(item: Manifest, share: Share) -> str:
    """Each predictor of a name has a Service of its own, `<service>-<name>-predictor`. A headless one is asked at the
    pods' own port, so that is taken from the address that KServe tells."""
    told = str((_status(item).get("address") or {}).get("url") or _component(item).get("url") or "")
    name = item["spec"]["predictor"].get("name")
    if not told or not name:
        return told or str(_status(item).get("url") or "")
    parts = urlsplit(told)
    host, _, domain = (parts.hostname or "").partition(".")
    if not domain.startswith(f"{item['metadata'].get('namespace')}.svc"):
        host, domain = "", f"{item['metadata'].get('namespace')}.svc.cluster.local"
    port = f":{parts.port}" if parts.port and host else ""
    service = f"{item['metadata']['name']}-{predictor_name(share.revision)}-predictor"
    return urlunsplit((parts.scheme if host else "http", f"{service}.{domain}{port}", "", "", ""))


def _trouble(item: Manifest, knative_revision: str) -> str | None:
    """Why it will not come up by itself; None while it may."""
    status = _status(item)
    model = status.get("modelStatus") or {}
    if model.get("transitionStatus") in _BLOCKED:
        info = model.get("lastFailureInfo") or {}
        if info.get("modelRevisionName") in (None, "", knative_revision) or not knative_revision:
            return str(info.get("message") or info.get("reason") or model["transitionStatus"])
    condition = _condition(item, "PredictorReady")
    if condition.get("status") == "False" and condition.get("reason") in _FAILED:
        return str(condition.get("message") or condition["reason"])
    return None


def _waits_for(item: Manifest) -> str:
    for kind in ("PredictorReady", "IngressReady"):
        condition = _condition(item, kind)
        if condition.get("status") not in (None, "True"):
            return f"{kind}: {condition.get('message') or condition.get('reason') or 'not yet'}"
    return "It is being started."


def _is_routed(item: Manifest) -> bool:
    return _is_true(item, "IngressReady")


def _is_true(item: Manifest, kind: str) -> bool:
    return _condition(item, kind).get("status") == "True"


def _revision(
    item: Manifest, share: Share, is_up: bool, percent: int, address: str, waits_for: str
) -> ObservedRevision:
    return ObservedRevision(
        share.revision.id,
        RevisionState.READY if is_up else RevisionState.STARTING,
        percent,
        address=address if is_up else "",
        since=_since(item),
        message="" if is_up else _one_line(waits_for),
    )


def _failed(item: Manifest, share: Share, percent: int, trouble: str) -> ObservedRevision:
    return ObservedRevision(
        share.revision.id,
        RevisionState.FAILED,
        percent,
        since=_since(item),
        message=_one_line(trouble),
        log_tail=tuple(mask(line) for line in trouble.splitlines()[-LOG_LINES:]),
    )


def _one_line(text: str) -> str:
    return mask(" ".join(text.split())[:MESSAGE_CHARACTERS])


def _since(item: Manifest) -> datetime | None:
    try:
        return datetime.fromisoformat(str(_condition(item, "PredictorReady")["lastTransitionTime"]))
    except (KeyError, ValueError):
        return None


def _is_knative(item: Manifest) -> bool:
    """Whatever else it has, with Knative it has revisions."""
    has_split = item["spec"]["predictor"].get("canaryTrafficPercent") is not None
    mode = str(_status(item).get("deploymentMode") or "").lower()
    return has_split or mode in ("knative", "serverless") or bool(_component(item).get("latestCreatedRevision"))


def _target(component: Mapping[str, Any], tag: str) -> Mapping[str, Any] | None:
    return next((one for one in component.get("traffic") or () if one.get("tag") == tag), None)


def _condition(item: Manifest, kind: str) -> Mapping[str, Any]:
    return next((one for one in _status(item).get("conditions") or () if one.get("type") == kind), {})


def _component(item: Manifest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (_status(item).get("components") or {}).get("predictor") or {}
    return found


def _status(item: Manifest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item.get("status") or {}
    return found
