"""Serving by commits to an environment repository: real git, and the fake cluster that it is brought to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import TransientError, UserError
from bot.domain.serving import RevisionState
from bot.ports.git import PushRefused
from bot.serving.gitops import GitOpsServing
from tests.contracts.git_workshop import git
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.mirror.tag_samples import hook
from tests.serving.gitops_kit import FOLDER, EnvironmentRepository
from tests.serving.kserve_kit import ENVIRONMENT, MODEL, V1, V2, seen, version, wish

PROPOSAL = "mlops-bot/production/churn"


@pytest.fixture
def repository(tmp_path: Path) -> EnvironmentRepository:
    return EnvironmentRepository(tmp_path)


@pytest.fixture
def cluster() -> Iterator[FakeKServeCluster]:
    cluster = FakeKServeCluster(mode="knative")
    yield cluster
    cluster.close()


def test_a_deployment_is_a_commit_that_the_cluster_is_brought_to(
    repository: EnvironmentRepository, cluster: FakeKServeCluster
) -> None:
    serving = repository.serving(cluster)

    serving.apply(wish((V1, 100)))
    committed = serving.observe(ENVIRONMENT, MODEL).revision(V1.id)
    repository.sync(cluster)
    live = serving.observe(ENVIRONMENT, MODEL).revision(V1.id)

    assert (committed.state, committed.message) == (
        RevisionState.STARTING,
        "It is committed; the cluster does not show it yet.",
    )
    assert (live.state, live.percent) == (RevisionState.READY, 100)
    assert list(repository.files()) == ["production/churn.yaml"]
    assert repository.log() == ["Begin", "churn v1.0.0 serves in production"]


def test_a_canary_and_a_rollback_are_commits_too(repository: EnvironmentRepository, cluster: FakeKServeCluster) -> None:
    serving = repository.serving(cluster)
    for shares in ([(V1, 100)], [(V1, 100), (V2, 0)], [(V1, 90), (V2, 10)], [(V1, 100)]):
        serving.apply(wish(*shares))
        repository.sync(cluster)

    assert repository.log()[1:] == [
        "churn v1.0.0 serves in production",
        "churn in production: v1.0.0 100 %, v2.0.0 0 %",
        "churn in production: v1.0.0 90 %, v2.0.0 10 %",
        "churn v1.0.0 serves in production",
    ]
    assert seen(serving, V1, V2) == [("ready", 100), ("gone", 0)]


def test_a_commit_says_what_made_the_version_and_holds_its_model_card(
    repository: EnvironmentRepository, tmp_path: Path
) -> None:
    models = EnvironmentRepository(tmp_path / "models").worktree
    models.write("MODEL_CARD.md", "---\ntags: [mlops-bot]\n---\n\n# churn v1.0.0\n\naccuracy 0.97\n")
    models.commit("Version")
    models.push()
    git(models.path, "push", "--quiet", str(models.bare), "HEAD:refs/tags/churn@v1.0.0")

    repository.serving(None).apply(wish((version(1, code=str(models.bare)), 100)))

    assert git(repository.bare, "log", "-1", "--format=%B%n%an <%ae>", "main") == (
        "churn v1.0.0 serves in production\n\n"
        "Repository: github/acme/models\n\n"
        f"v1.0.0:\n  commit {V1.sha}\n  data {V1.data_sha}\n  model {V1.digest}\n  at {V1.storage}\n\n"
        "Model card of v1.0.0:\n\n# churn v1.0.0\n\naccuracy 0.97\n\n"
        "mlops-bot <mlops-bot@localhost>"
    )


def test_nothing_is_committed_when_nothing_changes(repository: EnvironmentRepository) -> None:
    for _ in range(2):
        repository.serving(None).apply(wish((V1, 100)))

    assert repository.log() == ["Begin", "churn v1.0.0 serves in production"]


def test_a_second_bot_knows_what_the_first_one_committed(repository: EnvironmentRepository) -> None:
    repository.serving(None).apply(wish((V1, 100)))

    assert repository.serving(None).desired(ENVIRONMENT, MODEL) == wish((V1, 100))
    assert repository.serving(None).services() == [wish((V1, 100))]


class Overtaken:
    """Git, whose pushes come a moment after somebody else's, as often as is said."""

    def __init__(self, git: Any, repository: EnvironmentRepository, times: int) -> None:
        self._git = git
        self._repository = repository
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._git, name)

    def push_branch(self, *args: Any, **named: Any) -> None:
        if self.left:
            self.left -= 1
            self._repository.worktree.write(f"other-{self.left}", "x")
            self._repository.worktree.commit("Somebody else's")
            self._repository.worktree.push()
        self._git.push_branch(*args, **named)


def overtaken(serving: GitOpsServing, repository: EnvironmentRepository, times: int) -> GitOpsServing:
    serving._git = Overtaken(serving._git, repository, times)
    return serving


def test_when_somebody_pushes_at_the_same_moment_both_commits_are_there(repository: EnvironmentRepository) -> None:
    overtaken(repository.serving(None), repository, times=2).apply(wish((V1, 100)))

    assert repository.log() == ["Begin", "Somebody else's", "Somebody else's", "churn v1.0.0 serves in production"]


def test_a_branch_that_never_rests_is_tried_again_later(repository: EnvironmentRepository) -> None:
    with pytest.raises(TransientError, match="The branch main moves while it is written to"):
        overtaken(repository.serving(None), repository, times=5).apply(wish((V1, 100)))


def test_what_serves_no_more_is_taken_out(repository: EnvironmentRepository, cluster: FakeKServeCluster) -> None:
    serving = repository.serving(cluster)
    serving.apply(wish((V1, 100)))
    repository.sync(cluster)

    serving.remove(ENVIRONMENT, MODEL)
    serving.remove(ENVIRONMENT, MODEL)
    repository.sync(cluster)

    assert (repository.files(), cluster.items) == ({}, {})
    assert repository.log()[-1] == "churn serves no more in production"
    assert serving.desired(ENVIRONMENT, MODEL) is None


def test_a_proposal_waits_for_people_and_gives_no_request_before(
    repository: EnvironmentRepository, cluster: FakeKServeCluster
) -> None:
    serving = repository.serving(cluster, proposes=True)

    for _ in range(2):
        with pytest.raises(TransientError) as waiting:
            serving.apply(wish((V1, 100)))
    before = serving.desired(ENVIRONMENT, MODEL), repository.log(), repository.log(PROPOSAL)
    git(repository.bare, "update-ref", "refs/heads/main", PROPOSAL)
    serving = repository.serving(cluster, proposes=True)
    serving.apply(wish((V1, 100)))
    repository.sync(cluster)

    assert waiting.value.problem == (
        "The branch mlops-bot/production/churn waits to be merged into main of the environment repository."
    )
    assert before == (None, ["Begin"], ["Begin", "churn v1.0.0 serves in production"])
    assert seen(serving, V1) == [("ready", 100)]


def test_a_proposal_follows_the_branch_that_it_is_for(repository: EnvironmentRepository) -> None:
    serving = repository.serving(None, proposes=True)
    with pytest.raises(TransientError):
        serving.apply(wish((V1, 100)))
    repository.worktree.write("README.md", "What runs where, in other words")
    repository.worktree.commit("Reword")
    repository.worktree.push()

    with pytest.raises(TransientError):
        serving.apply(wish((V2, 100)))

    assert repository.log(PROPOSAL) == ["Begin", "Reword", "churn v2.0.0 serves in production"]


def test_taking_a_candidate_back_waits_for_nobody(repository: EnvironmentRepository) -> None:
    direct = repository.serving(None)
    direct.apply(wish((V1, 100)))
    direct.apply(wish((V1, 90), (V2, 10)))

    repository.serving(None, proposes=True).apply(wish((V1, 100)))

    assert repository.log(PROPOSAL)[-1] == "churn v1.0.0 serves in production"


def test_without_a_look_at_the_cluster_what_is_committed_counts_as_ready(repository: EnvironmentRepository) -> None:
    serving = repository.serving(None)
    serving.apply(wish((V1, 100)))

    observed = serving.observe(ENVIRONMENT, MODEL).revision(V1.id)

    name = repository.files()["production/churn.yaml"]["metadata"]["name"]
    assert (observed.state, observed.address) == (RevisionState.READY, f"http://{name}.models.example.com")


def test_a_manifest_that_somebody_broke_is_written_anew(repository: EnvironmentRepository) -> None:
    serving = repository.serving(None)
    serving.apply(wish((V1, 100)))
    repository.worktree.git("pull", "--quiet", "origin", "main")
    repository.worktree.write(f"{FOLDER}/production/churn.yaml", "spec: [")
    repository.worktree.commit("Oops")
    repository.worktree.push()
    serving = repository.serving(None)

    broken = serving.desired(ENVIRONMENT, MODEL), serving.services()
    serving.apply(wish((V1, 100)))

    assert broken == (None, [])
    assert serving.desired(ENVIRONMENT, MODEL) == wish((V1, 100))


def test_a_repository_that_takes_no_pushes_says_why(repository: EnvironmentRepository) -> None:
    hook(repository.bare, "update", "echo 'protected branch' >&2; exit 1")

    with pytest.raises(PushRefused, match="protected branch"):
        repository.serving(None).apply(wish((V1, 100)))


def test_a_repository_without_the_branch_says_how_to_mend_it(repository: EnvironmentRepository) -> None:
    serving = repository.serving(None, branch="production")

    with pytest.raises(UserError) as refused:
        serving.apply(wish((V1, 100)))
    with pytest.raises(TransientError, match="has no branch production"):
        serving.check_health()

    assert refused.value.fix == "Push one, or name another in MLOPS_BOT_SERVING_BRANCH."


def test_names_are_never_paths_of_somebodys_choice(repository: EnvironmentRepository) -> None:
    with pytest.raises(ValueError, match="not the names of a service"):
        repository.serving(None).apply(wish((V1, 100), model="../../etc"))


def test_the_health_of_both_is_looked_at(repository: EnvironmentRepository, cluster: FakeKServeCluster) -> None:
    serving = repository.serving(cluster)
    serving.check_health()
    cluster.is_installed = False

    with pytest.raises(TransientError, match="KServe is not installed"):
        repository.serving(cluster).check_health()
