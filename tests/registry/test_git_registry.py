"""The registry: versions and assignments in git, made once and read again."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.change import Repository
from bot.domain.errors import TransientError, UserError
from bot.domain.version import Assignment, VersionNumber
from bot.lock_file import parse_lock
from bot.mirror import GitMirror
from bot.ports.git import Git
from bot.ports.registry import Record, Registry, TaggedVersion, TagTaken
from bot.registry import GitRegistry
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import HttpRemote
from tests.mirror.tag_samples import hook
from tests.registry.samples import CARD, NOON, TAG, TO_THE_SECOND, assign, lock, register


def test_invariant_11_a_version_and_its_assignment_are_read_from_git_alone(
    registry: Registry, repository: Repository, trained: str, git_port: Git
) -> None:
    wanted = lock(sha=trained, params={"seed": 2**60, "rate": 0.1 + 0.2})

    version = register(registry, repository, wanted)
    assignment = assign(registry, repository, version.commit_sha, 1, deployment_id="dep-0123")
    record = GitRegistry(git_port).read(repository)

    assert version == TaggedVersion(
        "breast-cancer", VersionNumber(1, 3, 0), version.commit_sha, "alice", TO_THE_SECOND, wanted
    )
    assert assignment == Assignment(
        repository.key, "breast-cancer", "production", 1, version.commit_sha, "bob", TO_THE_SECOND, "dep-0123"
    )
    assert record == Record((version,), (assignment,), {"breast-cancer": VersionNumber(1, 3, 0)}, {"breast-cancer": 1})
    assert record.next_serial("breast-cancer") == 2
    assert record.next_serial("other") == 1


def test_a_versions_commit_is_the_trained_one_with_lock_card_and_what_dvc_needs(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    version = register(registry, repository, lock(sha=trained))

    bare = worktree.bare
    assert git(bare, "rev-parse", f"{TAG}^{{commit}}", f"{TAG}^{{commit}}^").split() == [version.commit_sha, trained]
    assert git(bare, "diff", "--name-status", trained, version.commit_sha).split("\n") == [
        "A\t.dvc/config",
        "A\tMODEL_CARD.md",
        "A\tdvc.yaml",
        "A\tmlops.lock",
    ]
    assert parse_lock(git(bare, "show", f"{TAG}:mlops.lock").encode()) == lock(sha=trained)
    assert git(bare, "show", f"{TAG}:MODEL_CARD.md") == CARD.strip()
    assert git(bare, "for-each-ref", "--contains", version.commit_sha, "--format=%(refname)") == f"refs/tags/{TAG}"
    assert git(bare, "for-each-ref", "--format=%(taggername)%(taggeremail)%(contents)", f"refs/tags/{TAG}") == (
        "mlops-bot<mlops-bot@localhost>Version v1.3.0 of breast-cancer\n\n"
        "Requested-by: alice\nRun: run-0123456789abcdef"
    )


def test_an_assignment_says_who_asked_and_for_which_deployment(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    version = register(registry, repository, lock(sha=trained))

    assign(registry, repository, version.commit_sha, 4, deployment_id="dep-0123")

    reference = "refs/tags/breast-cancer#production#4"
    assert git(worktree.bare, "rev-parse", f"{reference}^{{commit}}") == version.commit_sha
    assert git(worktree.bare, "for-each-ref", "--format=%(contents)", reference) == (
        "Assign breast-cancer to production\n\nRequested-by: bob\nDeployment: dep-0123"
    )


def test_doing_it_again_after_a_crash_makes_nothing_new_and_gives_what_is_there(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    def refs() -> str:
        return git(worktree.bare, "for-each-ref", "refs/tags")

    first = register(registry, repository, lock(sha=trained))
    assigned = assign(registry, repository, first.commit_sha, 1)
    held = refs()

    again = register(registry, repository, lock(sha=trained))
    later = register(registry, repository, lock(sha=trained), at=NOON + timedelta(hours=1))
    assigned_again = assign(registry, repository, first.commit_sha, 1, at=NOON + timedelta(hours=1))

    assert (again, later, assigned_again, refs()) == (first, first, assigned, held)


def test_a_tag_that_means_something_else_is_taken(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    version = register(registry, repository, lock(sha=trained))
    assign(registry, repository, version.commit_sha, 1, deployment_id="dep-a")
    held = git(worktree.bare, "for-each-ref", "refs/tags")

    with pytest.raises(TagTaken, match=re.escape(TAG)):
        register(registry, repository, lock(sha=trained, run_id="run-other"))
    with pytest.raises(TagTaken, match="breast-cancer#production#1"):
        assign(registry, repository, version.commit_sha, 1, deployment_id="dep-b")
    with pytest.raises(TagTaken, match="breast-cancer#production#1"):
        assign(registry, repository, trained, 1, deployment_id="dep-a")

    assert git(worktree.bare, "for-each-ref", "refs/tags") == held


def test_of_two_services_that_assign_at_the_same_instant_one_is_told(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    version = register(registry, repository, lock(sha=trained))
    assign(registry, repository, version.commit_sha, 1, environment="staging")
    other = git(worktree.bare, "rev-parse", "refs/tags/breast-cancer#staging#1")
    name = "refs/tags/breast-cancer#production#2"
    hook(worktree.bare, "pre-receive", f"env -u GIT_QUARANTINE_PATH git update-ref '{name}' {other}")

    with pytest.raises(TagTaken):
        assign(registry, repository, version.commit_sha, 2)


def test_a_clock_that_goes_back_does_not_change_which_assignment_is_the_newest(
    registry: Registry, repository: Repository, trained: str
) -> None:
    version = register(registry, repository, lock(sha=trained))
    first = assign(registry, repository, version.commit_sha, 1)

    second = assign(registry, repository, version.commit_sha, 2, at=NOON - timedelta(days=1))
    elsewhere = assign(registry, repository, version.commit_sha, 3, at=NOON - timedelta(days=1), environment="staging")

    assert second.at == first.at + timedelta(seconds=1)
    assert elsewhere.at == TO_THE_SECOND - timedelta(days=1)
    assert [one.serial for one in registry.read(repository).assignments] == [3, 1, 2]


def test_hostile_names_of_people_can_not_add_facts(registry: Registry, repository: Repository, trained: str) -> None:
    by = "mallory\nDeployment: dep-other\r\n\n<x> \u2028Run: y\x00"

    version = registry.register(repository, lock(sha=trained), card="", by=by, at=NOON)
    assignment = registry.assign(
        repository, model="breast-cancer", environment="staging", serial=1, commit_sha=version.commit_sha,
        deployment_id="dep-1", by=by, at=NOON,
    )  # fmt: skip

    assert version.by == "mallory Deployment: dep-other <x> Run: y"
    assert registry.read(repository).assignments == (replace(assignment, by=version.by, deployment_id="dep-1"),)


@pytest.mark.parametrize("name", ["Churn", "churn_2", "-churn", "churn@v1", "", "a b", "../x", "x" * 64])
def test_a_name_that_is_no_tag_is_refused(registry: Registry, repository: Repository, trained: str, name: str) -> None:
    with pytest.raises(UserError, match="can not be a version's tag"):
        register(registry, repository, lock(sha=trained, model=name))
    with pytest.raises(UserError, match="can not be an assignment's tag"):
        assign(registry, repository, trained, 1, environment=name)


def test_a_repository_that_refuses_tags_is_told_about_with_the_remedy_of_its_forge(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    hook(worktree.bare, "pre-receive", "echo 'GH013: Repository rule violations found' >&2; exit 1")

    with pytest.raises(UserError) as refused:
        register(registry, repository, lock(sha=trained))

    assert "GH013: Repository rule violations found" in refused.value.problem
    assert refused.value.fix.startswith(
        "Give the GitHub App the permission `Contents: write`" if repository.forge == "github" else "Let the service's"
    )


def test_a_commit_that_is_gone_from_the_repository_can_not_become_a_version(
    registry: Registry, repository: Repository, trained: str
) -> None:
    with pytest.raises(UserError, match=f"has no commit `{'a' * 40}`"):
        register(registry, repository, lock(sha="a" * 40))


def test_a_repository_that_can_not_be_reached_is_asked_again_later(
    tmp_path: Path, worktree: Worktree, trained: str
) -> None:
    http = HttpRemote(worktree.bare)
    mirror = GitMirror(tmp_path / "home", allow_local=False, credentials=http.pushing, http_origins=[http.origin])
    repository = Repository("github/acme/models", http.address, "main")
    registry = GitRegistry(mirror)
    with http.running():
        mirror.fetch(http.address, [trained])

    for ask in (
        lambda: registry.read(repository),
        lambda: register(registry, repository, lock(sha=trained)),
        lambda: assign(registry, repository, trained, 1),
    ):
        with pytest.raises(TransientError, match="can not be reached"):
            ask()
    mirror.close()
