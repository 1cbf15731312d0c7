"""GTO and DVC, as people use them in a clone, give the same answer as the registry does."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dvc.api
import gto.api
import pytest
from dvc.api import artifacts_show
from gto.api import history, show

from bot.domain.change import Repository
from bot.domain.version import Assignment, VersionNumber
from bot.lock_file import parse_lock
from bot.ports.registry import Record, Registry
from tests.contracts.git_workshop import ENVIRONMENT, Worktree, git
from tests.registry.samples import lock

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MODELS = ("breast-cancer", "churn")


def register(registry: Registry, repository: Repository, trained: str, model: str, number: str, minute: int) -> str:
    wanted = lock(sha=trained, model=model, number=VersionNumber(*map(int, number.split("."))))
    at = NOON + timedelta(minutes=minute)
    return registry.register(repository, wanted, card="# Card", by="alice", at=at).commit_sha


def assign(
    registry: Registry, repository: Repository, model: str, environment: str, commit_sha: str, minute: int
) -> Assignment:
    serial = registry.read(repository).next_serial(model)
    return registry.assign(
        repository, model=model, environment=environment, serial=serial, commit_sha=commit_sha,
        deployment_id=f"dep-{serial}", by="bob", at=NOON + timedelta(minutes=minute),
    )  # fmt: skip


def cloned(worktree: Worktree, folder: Path) -> Path:
    git(folder, "clone", "--quiet", str(worktree.bare), "clone")
    return folder / "clone"


def latest(record: Record) -> dict[str, str]:
    return {version.model: str(version.number) for version in record.versions}


def serving(record: Record) -> dict[tuple[str, str], str]:
    """The commit that each environment has."""
    return {(one.model, one.environment): one.commit_sha for one in record.assignments}


def shown_by_gto(clone: Path) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    models: dict[str, Any] = show(str(clone))
    commits = {
        (model, version["version"]): version["commit_hexsha"] for model in models for version in show(str(clone), model)
    }
    places = {
        (model, stage): commits[model, version]
        for model, shown in models.items()
        for stage, version in shown["stage"].items()
        if version is not None
    }
    return {model: shown["version"] for model, shown in models.items() if shown["version"]}, places


def test_gto_show_and_history_and_dvc_give_the_same_answer_as_the_bot(
    registry: Registry, plain: Repository, trained: str, worktree: Worktree, tmp_path: Path
) -> None:
    first = register(registry, plain, trained, "breast-cancer", "1.9.0", 0)
    second = register(registry, plain, trained, "breast-cancer", "1.10.0", 1)
    other = register(registry, plain, trained, "churn", "1.0.0", 2)
    assign(registry, plain, "breast-cancer", "staging", first, 3)
    assign(registry, plain, "breast-cancer", "production", second, 4)
    assign(registry, plain, "churn", "production", other, 5)
    rolled_back = assign(registry, plain, "breast-cancer", "production", first, 6)

    record = registry.read(plain)
    clone = cloned(worktree, tmp_path)

    assert rolled_back.tag == "breast-cancer#production#3"
    assert (latest(record), serving(record)) == shown_by_gto(clone)
    assert serving(record)["breast-cancer", "production"] == first
    assert [
        (event["timestamp"], event["ref"], event["commit"], event["message"].split("\n")[2])
        for event in history(str(clone), ascending=True)
    ] == [
        (at, tag, commit, f"Requested-by: {by}")
        for at, tag, commit, by in sorted(
            [(one.at, f"{one.model}@{one.number}", one.commit_sha, one.by) for one in record.versions]
            + [(one.at, one.tag, one.commit_sha, one.by) for one in record.assignments]
        )
    ]
    for version in record.versions:
        asked = artifacts_show(version.model, version=str(version.number), repo=str(clone))
        assert asked == {"rev": version.commit_sha, "path": "mlops.lock"}
    for (model, environment), commit_sha in serving(record).items():
        assert artifacts_show(model, stage=environment, repo=str(clone))["rev"] == commit_sha
    assert artifacts_show("breast-cancer", repo=str(clone))["rev"] == second


def test_what_dvc_shows_leads_to_the_lock(
    registry: Registry, plain: Repository, trained: str, worktree: Worktree, tmp_path: Path
) -> None:
    register(registry, plain, trained, "breast-cancer", "1.0.0", 0)
    clone = str(cloned(worktree, tmp_path))

    shown = artifacts_show("breast-cancer", repo=clone)

    assert parse_lock(dvc.api.read(shown["path"], repo=clone, rev=shown["rev"]).encode()).number == VersionNumber(
        1, 0, 0
    )


def test_what_people_do_with_gto_itself_is_understood(
    registry: Registry,
    plain: Repository,
    trained: str,
    worktree: Worktree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = register(registry, plain, trained, "breast-cancer", "1.0.0", -1_000_000)
    clone = cloned(worktree, tmp_path)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    seen = []

    def look() -> None:
        git(clone, "push", "--quiet", "origin", "--tags")
        record = registry.read(plain)
        assert (latest(record), serving(record)) == shown_by_gto(clone)
        seen.append(sorted(f"{model} {stage}" for model, stage in serving(record)))

    gto.api.assign(clone, "breast-cancer", "staging", ref=first)
    look()
    gto.api.register(clone, "churn", trained, version="v0.1.0")
    gto.api.assign(clone, "churn", "production", ref=trained)
    look()
    gto.api.unassign(clone, "breast-cancer", ref=first, stage="staging")
    look()
    gto.api.deregister(clone, "churn", version="v0.1.0")
    look()
    again = assign(registry, plain, "breast-cancer", "staging", first, 0)

    assert seen == [["breast-cancer staging"], ["breast-cancer staging", "churn production"], ["churn production"], []]
    assert again.tag == "breast-cancer#staging#3"
    assert serving(registry.read(plain)) == {("breast-cancer", "staging"): first}


def test_a_model_that_is_deprecated_keeps_its_versions(
    registry: Registry, plain: Repository, trained: str, worktree: Worktree
) -> None:
    register(registry, plain, trained, "breast-cancer", "1.0.0", 0)
    git(worktree.bare, "tag", "-a", "-m", "x", "breast-cancer@deprecated", trained)

    assert latest(registry.read(plain)) == {"breast-cancer": "v1.0.0"}


@pytest.mark.parametrize("seed", range(4))
def test_after_any_history_of_making_and_taking_back_both_say_the_same(
    registry: Registry, plain: Repository, trained: str, worktree: Worktree, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    commits = {
        (model, number): git(
            worktree.bare, "commit-tree", "-m", f"{model} {number}", "-p", trained, f"{trained}^{{tree}}"
        )
        for model in MODELS
        for number in ("v1.2.0", "v1.10.0", "v2.0.0")
    }
    for serial in range(1, 41):
        model, number = chance.choice(sorted(commits))
        environment = chance.choice(("staging", "production"))
        back = chance.choice(("", "", "!"))
        kind = chance.choice((f"@{number}", f"#{environment}", f"#{environment}"))
        if kind.startswith("@") and (not back) and git(worktree.bare, "tag", "--list", f"{model}@{number}*"):
            continue  # GTO does not know what to make of two registrations of a version
        name = f"{model}{kind}{back}" + (f"#{serial}" if kind.startswith("#") or back else "")
        date = f"{1_800_000_000 + serial * 60} +0000"
        git(worktree.bare, "tag", "-a", "-m", "x", name, commits[model, number], GIT_COMMITTER_DATE=date)
    record = registry.read(plain)

    by_gto, places = shown_by_gto(cloned(worktree, tmp_path))

    registered = {(one.model, one.commit_sha) for one in record.versions}
    ours = {place: sha for place, sha in serving(record).items() if (place[0], sha) in registered}
    assert latest(record) == by_gto
    assert ours == {place: sha for place, sha in places.items() if (place[0], sha) in registered}
