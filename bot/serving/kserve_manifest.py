"""What is desired of a service, as one InferenceService of KServe, and back.

KServe hands the annotations of an InferenceService on to pods, and a pod with other annotations is another pod. So
nothing that changes with a share may stand there: shares are read back from where KServe takes them, and a former
version that is kept warm can not be told apart from a candidate. It is let go: rolling back starts it anew, beside.

Knative: one predictor, `canaryTrafficPercent`, and the former Knative revision beside, of which only our annotation
knows what it is. Standard: `spec.canary[]`, each with a name of its own, from KServe 0.20 on (kserve/kserve#5672).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from hashlib import sha256
from typing import Any

from bot.domain.errors import TransientError, UserError
from bot.domain.serving import DesiredService, Share
from bot.serving.kserve_predictor import (
    PREFIX,
    Setup,
    label,
    predictor,
    predictor_name,
    read_revision,
    revision_of,
)

API_VERSION = "serving.kserve.io/v1beta1"
OWNER = "app.kubernetes.io/managed-by"
BEFORE = f"{PREFIX}/before"  # the version that serves beside the predictor's, with Knative
AFTER = f"{PREFIX}/after"  # the newest Knative revision when the predictor was written: its own is a later one
TAGS = "serving.kserve.io/enable-tag-routing"  # an address for each of the two Knative revisions
LIVE_WAIT_S = 5.0
_NAME_LIMIT = 40  # KServe makes host names of it, with the namespace and words of its own

Manifest = Mapping[str, Any]


class Dialect(StrEnum):
    KNATIVE = "knative"
    STANDARD = "standard"  # before KServe 0.20: one version at a time
    CANARIES = "canaries"  # Standard, with `spec.canary`


def object_name(environment: str, model: str) -> str:
    """The same for the same place, and a name to Kubernetes."""
    unlike = sha256(f"{environment}\n{model}".encode()).hexdigest()[:8]
    readable = "-".join(filter(None, f"{model}-{environment}".lower().split("-")))
    readable = readable if readable[:1].isalpha() else f"m-{readable}"
    return f"{readable[: _NAME_LIMIT - 9].strip('-')}-{unlike}"


def held(shares: Sequence[Share], dialect: Dialect) -> tuple[Share, ...]:
    """What KServe can hold of it: what serves first, then candidates. Raises UserError where it can not at all."""
    live = next((index for index, share in enumerate(shares) if share.percent), 0)
    rest = tuple(shares[live:])
    if len(rest) == 1:
        return (Share(rest[0].revision, 100),)
    if dialect is Dialect.STANDARD:
        raise UserError(
            "KServe serves one version at a time here: in Standard mode it can try a new version beside the one that "
            "serves from 0.20 on.",
            "Whoever runs the cluster can update KServe, or use its Knative mode. Nothing was changed.",
        )
    if dialect is Dialect.KNATIVE:
        rest = (rest[0], rest[-1])
    beside = tuple(rest[1:])
    return (Share(rest[0].revision, 100 - sum(share.percent for share in beside)), *beside)


def inference_service(
    desired: DesiredService, *, dialect: Dialect, there: Manifest | None, setup: Setup, sees_cluster: bool = True
) -> dict[str, Any]:
    """`there` is the one that is there now. Raises UserError, and TransientError while it is too early."""
    shares = held(desired.shares, dialect)
    if dialect is Dialect.KNATIVE:
        annotations, spec = _knative(shares, desired.model, there, setup, sees_cluster=sees_cluster)
    else:
        annotations, spec = {}, _standard(shares, desired.model, setup, has_names=dialect is Dialect.CANARIES)
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {
            "name": object_name(desired.environment, desired.model),
            "namespace": setup.namespace,
            "labels": {
                OWNER: PREFIX,
                f"{PREFIX}/model": label(desired.model),
                f"{PREFIX}/environment": label(desired.environment),
            },
            "annotations": {
                f"{PREFIX}/repository": desired.repository,
                f"{PREFIX}/environment": desired.environment,
                f"{PREFIX}/model": desired.model,
                **annotations,
            },
        },
        "spec": spec,
    }


def first_of(desired: DesiredService, dialect: Dialect, there: Manifest | None) -> DesiredService | None:
    """With Knative, what serves must be there before a candidate: that alone; None when nothing is in the way."""
    shares = held(desired.shares, dialect)
    if there is not None or len(shares) == 1 or dialect is not Dialect.KNATIVE:
        return None
    return DesiredService(desired.repository, desired.environment, desired.model, (Share(shares[0].revision, 100),))


def too_early(first: DesiredService) -> TransientError:
    return TransientError(
        f"{first.shares[0].revision.version} was gone and is started again; the new version waits for it.",
        retry_after_s=LIVE_WAIT_S,
    )


def desired_service(item: Manifest) -> DesiredService:
    """The opposite. Raises ValueError for what the bot did not write."""
    annotations = _annotations(item)
    try:
        names = [annotations[f"{PREFIX}/{name}"] for name in ("repository", "environment", "model")]
        return DesiredService(names[0], names[1], names[2], _shares(item))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an InferenceService of the bot: {error!r}") from error


def is_ours(item: Manifest) -> bool:
    return (item["metadata"].get("labels") or {}).get(OWNER) == PREFIX


def is_standby(item: Manifest) -> bool:
    """With Knative, after a candidate was given up: what serves is the former Knative revision of the same version."""
    spec = item["spec"]["predictor"]
    before = _annotations(item).get(BEFORE)
    if spec.get("canaryTrafficPercent") is None or not before:
        return False
    return read_revision(before).id == revision_of(spec).id


def _shares(item: Manifest) -> tuple[Share, ...]:
    spec = item["spec"]["predictor"]
    newest, percent = revision_of(spec), spec.get("canaryTrafficPercent")
    canaries = tuple(
        Share(revision_of(one["predictor"]), int(one["trafficPercent"])) for one in item["spec"].get("canary") or ()
    )
    if canaries:
        return (Share(newest, 100 - sum(share.percent for share in canaries)), *canaries)
    if percent is None or is_standby(item):
        return (Share(newest, 100),)
    before = read_revision(_annotations(item)[BEFORE])
    return (Share(before, 100 - int(percent)), Share(newest, int(percent)))


def _standard(shares: Sequence[Share], model: str, setup: Setup, *, has_names: bool) -> dict[str, Any]:
    live, *beside = shares
    if not has_names:
        return {"predictor": predictor(live.revision, model, setup)}
    one_of = {share.revision.id: predictor(share.revision, model, setup) for share in shares}
    if len({"model" in spec for spec in one_of.values()}) > 1:  # KServe lays a canary over the predictor
        raise UserError(
            f"KServe can not try `serve: {beside[-1].revision.runtime}` beside `serve: {live.revision.runtime}`.",
            "Give the model that is served otherwise another name. Nothing was changed.",
        )
    named = {
        share.revision.id: {"name": predictor_name(share.revision), **one_of[share.revision.id]} for share in shares
    }
    spec: dict[str, Any] = {"predictor": named[live.revision.id]}
    if beside:
        spec["canary"] = [{"trafficPercent": one.percent, "predictor": named[one.revision.id]} for one in beside]
    return spec


def _knative(
    shares: Sequence[Share], model: str, there: Manifest | None, setup: Setup, *, sees_cluster: bool
) -> tuple[dict[str, str], dict[str, Any]]:
    """Annotations and spec. While the predictor stays the same, so do all annotations."""
    live, newest = shares[0], shares[-1]
    percent = None if len(shares) == 1 else newest.percent
    kept = {name: text for name, text in _annotations(there).items() if name in (BEFORE, AFTER)}
    before = read_revision(kept[BEFORE]).id if BEFORE in kept else ""
    is_split = there is not None and there["spec"]["predictor"].get("canaryTrafficPercent") is not None
    is_same = there is not None and revision_of(there["spec"]["predictor"]).id == newest.revision.id
    takes_back = percent is None and is_split and before == live.revision.id
    if takes_back:  # without a split, Knative would give all requests to the candidate until the former one is up
        percent = 0
    if not is_same or (percent is not None and before != live.revision.id):
        if percent is not None and sees_cluster:
            _must_have_rolled_out(there, live)
        kept = _marks(there, live if percent is not None else None)
    spec = predictor(newest.revision, model, setup)
    if takes_back:
        spec["minReplicas"] = 0  # it only stands in the way of the candidate
    if percent is not None:
        spec["canaryTrafficPercent"] = percent
    return {TAGS: "true", **kept}, {"predictor": spec}


def _marks(there: Manifest | None, live: Share | None) -> dict[str, str]:
    created = _component(there).get("latestCreatedRevision") or ""
    marks = {AFTER: created} if created else {}
    return marks if live is None else {**marks, BEFORE: json.dumps(asdict(live.revision), sort_keys=True)}


def _must_have_rolled_out(there: Manifest | None, live: Share) -> None:
    """KServe splits requests only after a revision had all of them; a candidate before that would get them all."""
    if not _component(there).get("latestRolledoutRevision"):
        raise TransientError(
            f"{live.revision.version}, which is to serve beside the new version, does not serve yet.",
            retry_after_s=LIVE_WAIT_S,
        )


def _component(item: Manifest | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((item or {}).get("status") or {}).get("components", {}).get("predictor") or {}
    return found


def _annotations(item: Manifest | None) -> Mapping[str, str]:
    found: Mapping[str, str] = (item or {}).get("metadata", {}).get("annotations") or {}
    return found
