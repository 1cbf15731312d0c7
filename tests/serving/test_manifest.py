"""What is desired, as KServe's `InferenceService`."""

from __future__ import annotations

import json
import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.serving import RUNTIMES, DesiredService, ServedRevision, Share
from bot.serving.manifest import desired_service, manifest_name, manifests
from tests.serving.kit import Shop

DIGEST = "sha256:" + "0123456789abcdef" * 4
REVISION = ServedRevision(
    id="v1.3.0-sha256:01234",
    version="v1.3.0",
    sha="a" * 40,
    data_sha="b" * 40,
    digest=DIGEST,
    runtime="sklearn",
    storage="s3://bucket/runs/run-1/model",
    code="https://git.example.com/acme/models.git",
    model_path="models/breast-cancer",
    environment={"python": "3.11", "requirements": "requirements.txt", "image": ""},
    memory_bytes=2 * 1024**3,
    cpu=0.5,
)
DESIRED = DesiredService("acme/models", "production", "breast-cancer", (Share(REVISION, 100),))

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
texts = st.text(max_size=20)
revisions = st.builds(
    ServedRevision,
    id=st.from_regex(r"v[0-9]\.[0-9]\.[0-9]-[0-9a-f]{6}", fullmatch=True),
    version=texts,
    sha=texts,
    data_sha=texts,
    digest=texts,
    runtime=st.sampled_from(RUNTIMES),
    storage=texts,
    code=texts,
    model_path=texts,
    environment=st.dictionaries(texts, texts, max_size=3),
    memory_bytes=st.integers(0, 2**40),
    cpu=st.floats(0, 1000).map(lambda cpu: round(cpu, 3)),
)

# walks along KServe's and Kubernetes' own models of their APIs, which refuse what lacks a required field
CHECK = """\
import json, re, sys

import kserve.models
import kubernetes.client.models

def check(value, kind, place):
    if kind in ("str", "int", "bool"):
        return [] if type(value).__name__ == kind else [f"{place} is not {kind}"]
    entries = re.fullmatch(r"[dD]ict.str, (.*).", kind)
    if entries:
        return [problem for key, one in value.items() for problem in check(one, entries[1], f"{place}.{key}")]
    model = getattr(kserve.models, kind, None) or getattr(kubernetes.client.models, kind)
    names = {known: name for name, known in model.attribute_map.items()}
    problems = [f"{place}.{name} is not known" for name in value if name not in names]
    model(**{names[name]: one for name, one in value.items() if name in names})
    for name, one in value.items():
        if name in names:
            problems += check(one, model.openapi_types[names[name]], f"{place}.{name}")
    return problems

for item in json.load(sys.stdin):
    print(*check(item, "V1beta1InferenceService", "manifest"), sep="\\n", end="")
"""


def test_a_revision_is_an_inference_service_that_names_all_that_it_was_made_of() -> None:
    [manifest] = manifests(DESIRED)

    assert manifest == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": manifest["metadata"]["name"],
            "labels": {
                "app.kubernetes.io/managed-by": "mlops-bot",
                "mlops-bot/model": "breast-cancer",
                "mlops-bot/environment": "production",
                "mlops-bot/version": "v1.3.0",
                "mlops-bot/sha": "a" * 40,
                "mlops-bot/data-sha": "b" * 40,
                "mlops-bot/digest": ("0123456789abcdef" * 4)[:63],
            },
            "annotations": {
                "mlops-bot/repository": "acme/models",
                "mlops-bot/environment": "production",
                "mlops-bot/model": "breast-cancer",
                "mlops-bot/percent": "100",
                "mlops-bot/id": "v1.3.0-sha256:01234",
                "mlops-bot/version": "v1.3.0",
                "mlops-bot/sha": "a" * 40,
                "mlops-bot/data-sha": "b" * 40,
                "mlops-bot/digest": DIGEST,
                "mlops-bot/code": "https://git.example.com/acme/models.git",
                "mlops-bot/model-path": "models/breast-cancer",
                "mlops-bot/python-environment": json.dumps(dict(sorted(REVISION.environment.items()))),
            },
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "model": {
                    "modelFormat": {"name": "sklearn"},
                    "protocolVersion": "v2",
                    "storageUri": "s3://bucket/runs/run-1/model",
                    "resources": {
                        "requests": {"cpu": "0.5", "memory": "2147483648"},
                        "limits": {"cpu": "0.5", "memory": "2147483648"},
                    },
                },
            }
        },
    }
    assert re.fullmatch(r"breast-cancer-production-[0-9a-f]{8}", manifest["metadata"]["name"])


@given(names, names, st.lists(st.tuples(revisions, st.integers(0, 100)), min_size=1, max_size=3))
def test_manifests_tell_all_that_is_desired(
    environment: str, model: str, shares: list[tuple[ServedRevision, int]]
) -> None:
    desired = DesiredService("acme/models", environment, model, tuple(Share(*share) for share in shares))

    assert desired_service(json.loads(json.dumps(manifests(desired)))) == desired


@given(names, names, revisions)
def test_names_and_labels_are_such_as_kubernetes_takes(environment: str, model: str, revision: ServedRevision) -> None:
    [manifest] = manifests(DesiredService("acme/models", environment, model, (Share(revision, 0),)))

    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])", manifest["metadata"]["name"])
    for value in manifest["metadata"]["labels"].values():
        assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value)


def test_places_and_versions_have_names_of_their_own() -> None:
    other_place = DesiredService("acme/models", "staging", "breast-cancer", ())
    other_version = ServedRevision(**{**_fields(REVISION), "id": "v1.4.0-sha256:89abc"})

    found = {manifest_name(DESIRED, REVISION), manifest_name(other_place, REVISION)}
    assert len(found | {manifest_name(DESIRED, other_version)}) == 3
    assert manifest_name(DESIRED, REVISION) in found


def test_kserves_own_model_of_its_api_knows_every_field_of_a_manifest(shop: Shop) -> None:
    bare = ServedRevision(**{**_fields(REVISION), "environment": {}, "memory_bytes": 0, "cpu": 0.0, "code": ""})
    items = [*manifests(DESIRED), *manifests(DesiredService("r", "e", "m", (Share(bare, 0),)))]
    wrong = json.loads(json.dumps(items[0]))
    wrong["spec"]["predictor"]["model"]["bogus"] = 1

    def problems(*checked: object) -> str:
        command = [str(shop.python), "-c", CHECK]
        return subprocess.run(command, input=json.dumps(checked), capture_output=True, text=True, check=True).stdout

    assert problems(*items, wrong) == "manifest.spec.predictor.model.bogus is not known"


def _fields(revision: ServedRevision) -> dict[str, object]:
    return {name: getattr(revision, name) for name in ServedRevision.__slots__}
