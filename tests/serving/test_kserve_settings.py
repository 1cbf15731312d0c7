"""What the bot must be told to let models serve on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.serving.gitops import GitOpsServing
from bot.serving.kserve import KServeServing
from bot.serving.kserve_settings import ClusterAccess, ServingSettings, read_settings
from bot.serving.local import LocalServing
from bot.settings import load_settings
from bot.wiring.whole import build

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": "6443"}
OUTSIDE = {"MLOPS_BOT_KUBERNETES_URL": "http://127.0.0.1:1/"}
GITOPS = {"MLOPS_BOT_SERVING_REPOSITORY": "https://git.example.com/acme/environments.git"}


def test_in_a_cluster_nothing_needs_to_be_said() -> None:
    folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")

    assert read_settings(POD, commits=False) == ServingSettings(
        namespace="models", cluster=ClusterAccess("https://10.0.0.1:6443", folder / "token", folder / "ca.crt")
    )


def test_all_may_be_said() -> None:
    settings = read_settings(
        {
            **OUTSIDE,
            **GITOPS,
            "MLOPS_BOT_KUBERNETES_TOKEN_FILE": "/run/token",
            "MLOPS_BOT_KUBERNETES_CA_FILE": "/run/ca.crt",
            "MLOPS_BOT_SERVING_NAMESPACE": "serving",
            "MLOPS_BOT_SERVING_SERVICE_ACCOUNT": "reader",
            "MLOPS_BOT_SERVING_MODE": "standard",
            "MLOPS_BOT_SERVING_IMAGE": "registry.example.com/runner:1",
            "MLOPS_BOT_SERVING_BRANCH": "production",
            "MLOPS_BOT_SERVING_FOLDER": "/clusters/eu/",
            "MLOPS_BOT_SERVING_PROPOSE": "yes",
            "MLOPS_BOT_SERVING_ADDRESS": "http://{name}.models.example.com/",
        },
        commits=True,
    )

    assert settings == ServingSettings(
        namespace="serving",
        cluster=ClusterAccess("http://127.0.0.1:1", Path("/run/token"), Path("/run/ca.crt")),
        mode="standard",
        image="registry.example.com/runner:1",
        service_account="reader",
        repository=GITOPS["MLOPS_BOT_SERVING_REPOSITORY"],
        branch="production",
        folder="clusters/eu",
        proposes=True,
        address="http://{name}.models.example.com",
    )


@pytest.mark.parametrize(
    ("commits", "environ", "words"),
    [
        (False, {}, "the bot does not run in a cluster"),
        (True, OUTSIDE, "MLOPS_BOT_SERVING_REPOSITORY is missing"),
        (True, GITOPS, "the bot can not see the cluster"),
        (False, {**POD, "MLOPS_BOT_SERVING_MODE": "raw"}, "MLOPS_BOT_SERVING_MODE is `raw`"),
        (False, {**POD, "MLOPS_BOT_SERVING_NAMESPACE": "Models"}, "MLOPS_BOT_SERVING_NAMESPACE is `Models`"),
        (False, {**POD, "MLOPS_BOT_SERVING_PROPOSE": "maybe"}, "MLOPS_BOT_SERVING_PROPOSE is `maybe`"),
        (False, {**POD, "MLOPS_BOT_SERVING_ADDRESS": "http://{host}/"}, "MLOPS_BOT_SERVING_ADDRESS is "),
        (False, {"MLOPS_BOT_KUBERNETES_URL": "kubernetes"}, "MLOPS_BOT_KUBERNETES_URL is `kubernetes`"),
    ],
)
def test_what_can_not_be_meant_is_told_with_a_remedy(commits: bool, environ: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        read_settings(environ, commits=commits)

    assert refused.value.fix


@pytest.mark.parametrize(
    ("serving", "kind"), [("", LocalServing), ("kserve", KServeServing), ("gitops", GitOpsServing)]
)
def test_the_service_serves_where_it_is_told_to(tmp_path: Path, serving: str, kind: type) -> None:
    environ = {"MLOPS_BOT_HOME": str(tmp_path), "MLOPS_BOT_SERVING": serving, **OUTSIDE, **GITOPS}

    bot = build(load_settings(environ))

    assert isinstance(bot.serving, kind)
    bot.serving.start()
    bot.serving.close()
    bot.engine.close()
    bot.git.close()
    bot.store.close()
