"""What a deployment would bring: the result that it is about, by the policy that holds now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.change import Change, ChangeState, Repository
from bot.domain.errors import UserError
from bot.domain.feedback import Subject
from bot.domain.pipeline import EVALUATE
from bot.domain.project import Deploy, DeployEnvironment, Model, Project
from bot.domain.run import Phase, Run
from bot.domain.words import listed, quoted
from bot.project_file import ProjectFileError
from bot.usecases.changes import head_of
from bot.usecases.heads import Head, effective_for, read_policy
from bot.usecases.projects import read_project
from bot.usecases.world import World


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment's result comes from: a change's head, or a branch. `change` is None for a branch."""

    repository: Repository
    head: Head
    change: Change | None

    @property
    def branch(self) -> str:
        return self.head.subject.branch

    @property
    def number(self) -> int | None:
        return None if self.change is None else self.change.number


@dataclass(frozen=True, slots=True)
class Trained:
    """The run that left the model's files, and the address of its prefix."""

    run_id: str
    prefix: str


def place_of(repository: Repository, change: Change | None, world: World) -> Place:
    """A change's head while it is open; once merged, what its target branch holds now. Raises UserError."""
    if change is not None and change.state is ChangeState.OPEN:
        head = head_of(repository, change, world)
    else:
        branch = repository.default_branch if change is None else change.target_branch
        sha = world.git.resolve(repository.clone_address, branch)
        head = Head(repository, Subject(repository.key, None, branch, sha), branch, sha, "")
    return Place(repository, _held_to_default(head, world), change)


def _held_to_default(head: Head, world: World) -> Head:
    """Whatever branch a change goes to: or a branch of one's own would name the approvers."""
    default = head.repository.default_branch
    if head.policy_branch == default:
        return head
    return replace(head, policy_branch=default, policy_sha=world.git.resolve(head.address, default))


def project_at(place: Place, world: World) -> tuple[Project, Project | None]:
    """The project at the place, and the one whose policy holds. Raises UserError."""
    head = place.head
    world.git.fetch(head.address, [sha for sha in (head.subject.sha, head.policy_sha) if sha is not None])
    try:
        project = read_project(head.address, head.subject.sha, world)
    except ProjectFileError as error:
        raise UserError("`mlops.yaml` is not valid here.", "Mend it first; its check names the lines.") from error
    if project is None:
        raise UserError("There is no `mlops.yaml` here.", "`mlops-bot init` writes one.")
    return project, _policy(head, project, world)


def _policy(head: Head, project: Project, world: World) -> Project | None:
    """A run may go on by a policy that can not be read, and then has none; a deployment may not."""
    if head.policy_sha is None or head.policy_sha == head.subject.sha:
        return read_policy(head, project, world)
    try:
        return read_project(head.address, head.policy_sha, world)
    except ProjectFileError as error:
        raise UserError(
            f"`mlops.yaml` on {quoted(head.policy_branch)} is not valid, so nobody knows who may deploy where.",
            "Mend it there first; its check names the lines.",
        ) from error


def deployable(place: Place, model: Model, policy: Project | None) -> Deploy:
    """How the model is deployed, by the policy that holds. Raises UserError."""
    effective, _notes = effective_for(place.head, model, policy)
    if effective.deploy is not None:
        return effective.deploy
    if model.deploy is not None:
        raise UserError(
            f"{quoted(model.name)} can not be deployed from here: `deploy` counts once it is on "
            f"{quoted(place.head.policy_branch)}, for a change does not name its own approvers.",
            "Merge it first.",
        )
    raise UserError(f"`mlops.yaml` does not say how {quoted(model.name)} is deployed.", "Add `deploy:` to the model.")


def environment_of(deploy: Deploy, environment: str, model: str) -> DeployEnvironment:
    """Raises UserError."""
    rule = deploy.environments.get(environment)
    if rule is None:
        names = listed(sorted(deploy.environments))
        raise UserError(f"{quoted(model)} has no environment {quoted(environment)}.", f"It has {names}.")
    return rule


def newest_run(place: Place, model: str, world: World) -> Run | None:
    """Of an open change at its head; of a branch whatever its newest run is, since unchanged work runs once."""
    key, change = place.repository.key, place.change
    if change is not None and change.state is ChangeState.OPEN:
        runs = world.store.runs(repository=key, number=change.number, model=model, limit=200)
        return next((run for run in runs if run.sha == change.head_sha), None)
    runs = world.store.runs(repository=key, branch=place.branch, model=model, limit=1)
    return runs[0] if runs else None


def has_ended_well(run: Run) -> bool:
    return run.phase in (Phase.SUCCEEDED, Phase.REUSED) and run.result is not None and bool(run.result.model_digest)


def trained_of(run: Run, world: World) -> Trained:
    if run.pipeline == EVALUATE:
        prefix = str(run.arguments["model_prefix"])
        return Trained(prefix.rstrip("/").rpartition("/")[2], prefix)
    source = run.reused_run or run.id
    return Trained(source, world.artifacts.prefix(source))
