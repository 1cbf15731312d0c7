"""An environment repository with what brings it to a cluster, as Argo CD and Flux do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from bot.mirror import GitMirror
from bot.serving.gitops import GitOpsServing
from bot.serving.kserve_settings import ServingSettings
from tests.contracts.git_workshop import Worktree, git
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving.kserve_kit import kserve

FOLDER = "clusters/eu/models"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class EnvironmentRepository:
    """`bare` is what everybody pushes to; `worktree` is a person's."""

    def __init__(self, home: Path) -> None:
        self.worktree = Worktree(home / "work", home / "environments.git")
        self.worktree.write("README.md", "What runs where")
        self.worktree.commit("Begin")
        self.worktree.push()
        self.bare = self.worktree.bare
        self._home = home

    def serving(self, cluster: FakeKServeCluster | None, **changes: Any) -> GitOpsServing:
        settings: dict[str, Any] = {
            "namespace": "models",
            "repository": str(self.bare),
            "folder": FOLDER,
            "mode": "knative",
            "address": "http://{name}.models.example.com",
        }
        mirror = GitMirror(self._home / f"mirror-{len(list(self._home.glob('mirror-*')))}", allow_local=True)
        reads = kserve(cluster) if cluster is not None else None
        return GitOpsServing(ServingSettings(**{**settings, **changes}), mirror, clock=lambda: NOW, cluster=reads)

    def files(self, branch: str = "main") -> dict[str, Any]:
        """What the branch says, by path below the folder."""
        names = git(self.bare, "ls-tree", "-r", "--name-only", branch, "--", FOLDER).splitlines()
        return {
            name.removeprefix(f"{FOLDER}/"): yaml.safe_load(git(self.bare, "show", f"{branch}:{name}"))
            for name in names
        }

    def log(self, branch: str = "main") -> list[str]:
        return git(self.bare, "log", "--reverse", "--format=%s", branch).splitlines()

    def sync(self, cluster: FakeKServeCluster) -> None:
        """What Argo CD does with server-side apply and pruning."""
        wanted = {item["metadata"]["name"]: item for item in self.files().values()}
        path = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
        for name, item in wanted.items():
            answer = httpx.patch(
                f"{cluster.url}{path}/{name}",
                params={"fieldManager": "argocd-controller", "fieldValidation": "Strict"},
                content=json.dumps(item),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            assert answer.status_code == 200, answer.text
        for name in cluster.items.keys() - wanted.keys():
            httpx.delete(f"{cluster.url}{path}/{name}")
