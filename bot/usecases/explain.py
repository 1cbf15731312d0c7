"""What would run for a change, a push or a comment, and why: decided as if it came now. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.change import (
    Change,
    ChangeSeen,
    ChangeState,
    CheckActionRequested,
    CheckRerunRequested,
    CommentCreated,
    Event,
    PushReceived,
    Repository,
    RepositoryGone,
)
from bot.domain.command import Command, CommandProblem, parse_commands
from bot.domain.errors import TransientError, UserError
from bot.domain.plan import ModelPlan
from bot.domain.project import JsonValue, Project
from bot.domain.report_checks import CANCEL, RETRAIN
from bot.domain.run import Phase, Run
from bot.domain.words import plain, quoted
from bot.markdown import command_lines
from bot.ports.forge import Permission
from bot.project_file import ProjectFileError
from bot.usecases.changes import change_plan, change_trigger, head_of
from bot.usecases.commands import refusal_of
from bot.usecases.explain_policy import deployments_of, server_policy
from bot.usecases.heads import Head, order_models, read_policy
from bot.usecases.projects import read_project
from bot.usecases.pushes import push_plan, pushed_head
from bot.usecases.reruns import APPROVE, CHECK_PREFIX, REJECT
from bot.usecases.world import World

MOST_RUNS = 200  # of a model that are looked through
_RERUN = "re-run"  # the forge's own button
_BUTTONS = (_RERUN, RETRAIN, CANCEL, APPROVE, REJECT)


@dataclass(frozen=True, slots=True)
class ModelExplanation:
    """`reason` says why it runs or does not, `deploys` for each environment who may deploy it there. The rest is of a
    model that runs: to what it is pinned, `outcome` says what would come of it, `missing` what it lacks."""

    name: str
    runs: bool
    reason: str
    sha: str = ""
    data: str = ""
    params: Mapping[str, JsonValue] | None = None
    gates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outcome: str = ""
    missing: tuple[str, ...] = ()
    deploys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """`policy` says whose gates and secrets count, `server` what the server asks besides, `who` who may write commands.
    `note` says why nothing runs, or what it waits for; `missing` is what the head as a whole lacks."""

    subject: str
    sha: str = ""
    author: str = ""
    policy: str = ""
    server: tuple[str, ...] = ()
    who: str = ""
    note: str = ""
    models: tuple[ModelExplanation, ...] = ()
    missing: tuple[str, ...] = ()


def explain_change(repository: Repository, change: Change, world: World, *, user: str = "") -> Explanation:
    """`who` is about the user; by default about the change's author."""
    explained = Explanation(
        subject=f"change {change.number} of {repository.key}: {plain(change.title)}",
        sha=change.head_sha,
        author=change.author,
        who=_who(repository.key, user or change.author, world),
    )
    if change.state is not ChangeState.OPEN:
        return replace(explained, note=f"This change is {change.state}: nothing of it is run any more.")
    head = head_of(repository, change, world)
    world.git.fetch(head.address, [sha for sha in (change.head_sha, head.policy_sha) if sha is not None])
    explained = _explain_head(explained, head, world, trigger=change_trigger(change), change=change)
    if change.from_fork and not _was_allowed(change, world):
        waits = "It comes from a fork: nothing is run before somebody with write permission writes `/ok-to-test`."
        return replace(explained, note=f"{waits} {explained.note}".strip())
    return explained


def explain_event(event: Event, world: World, *, user: str = "") -> Explanation:
    match event:
        case ChangeSeen():
            return explain_change(event.repository, event.change, world, user=user)
        case PushReceived():
            return _explain_push(event, world, user=user)
        case CommentCreated():
            return _explain_comment(event, world)
        case CheckRerunRequested() | CheckActionRequested():
            return _explain_button(event, world)
        case RepositoryGone():
            return Explanation(
                subject=f"{event.repository} can not be seen any more: {event.reason}",
                note="What still runs there is ended.",
            )


def _explain_push(event: PushReceived, world: World, *, user: str) -> Explanation:
    repository, sha = event.repository, event.after_sha
    explained = Explanation(
        subject=f"a push to {quoted(event.branch)} of {repository.key}", sha=sha or "", author=event.author
    )
    if sha is None:
        return replace(explained, note="The branch is gone: its runs are ended.")
    explained = replace(explained, who=_who(repository.key, user or event.author, world))
    world.git.fetch(repository.clone_address, [sha])
    before = world.store.heads(repository.key).get(event.branch)
    if before == sha:  # handled already: what did it do then?
        before = event.before_sha
    return _explain_head(explained, pushed_head(event, sha), world, trigger=f"push:{sha}", before=before)


def _explain_comment(event: CommentCreated, world: World) -> Explanation:
    comment, key = event.comment, event.repository.key
    lines = command_lines(comment.body)
    commands = parse_commands(lines)
    explained = Explanation(
        subject=f"a comment by {quoted(comment.author)} on change {comment.number} of {key}", author=comment.author
    )
    if not commands:
        return replace(explained, note="It holds no command, so it is not answered.")
    explained = replace(explained, who=_who(key, comment.author, world))
    change = world.store.change(key, comment.number)
    if change is None:
        return replace(explained, note="The bot has not seen this change yet: it is looked up when the comment comes.")
    refusal = refusal_of(change, comment, world)
    answer = refusal.body if refusal is not None else _carried_out(commands, {line.number: line.text for line in lines})
    return replace(explained, sha=change.head_sha, note=answer)


def _carried_out(commands: Sequence[Command | CommandProblem], written: Mapping[int, str]) -> str:
    """`written` are the lines of the comment by their number."""
    understood = [quoted(written[one.line]) for one in commands if not isinstance(one, CommandProblem)]
    words = [f"Carried out in this order: {', '.join(understood)}."] if understood else []
    words += [f"Not understood: {one.problem} {one.fix}" for one in commands if isinstance(one, CommandProblem)]
    return " ".join(words)


def _explain_button(event: CheckRerunRequested | CheckActionRequested, world: World) -> Explanation:
    key, by = event.repository.key, event.requested_by
    button = event.action if isinstance(event, CheckActionRequested) else _RERUN
    model = event.name.removeprefix(CHECK_PREFIX).partition("/")[0]  # the rest is an environment
    known = [run for run in world.store.runs(repository=key, model=model, limit=MOST_RUNS) if run.sha == event.sha]
    if button not in _BUTTONS:
        note = "The bot has no such button, so nothing comes of it."
    elif known:
        note = f"It is carried out if they may; the newest run at this commit is {known[0].id}."
    else:
        note = "No run of this model at this commit is known, so nothing comes of it."
    return Explanation(
        subject=f"{quoted(by)} pressed {quoted(button)} on the check {quoted(event.name)} of {key}",
        sha=event.sha,
        author=by,
        who=_who(key, by, world),
        note=note,
    )


def _explain_head(
    explained: Explanation,
    head: Head,
    world: World,
    *,
    trigger: str,
    change: Change | None = None,
    before: str | None = None,
) -> Explanation:
    explained = replace(explained, policy=_policy(head), server=server_policy(head.repository.key, world))
    try:
        project = read_project(head.address, head.subject.sha, world)
    except ProjectFileError as error:
        return replace(explained, note="`mlops.yaml` is not valid, so nothing runs.", missing=(error.problem,))
    if project is None:
        return replace(explained, note="There is no `mlops.yaml` at this commit. `mlops-bot init` writes one.")
    if change is not None:
        policy = read_policy(head, project, world)
        plan = change_plan(head, project, policy, world)
    else:
        policy, plan = project, push_plan(head, project, world, before=before)
    models = tuple(_explain_model(one, head, policy, world, trigger=trigger) for one in plan.models)
    return replace(explained, note=plan.note, models=models)


def _explain_model(
    planned: ModelPlan, head: Head, policy: Project | None, world: World, *, trigger: str
) -> ModelExplanation:
    model = planned.model
    deploys = deployments_of(model, head, policy, world)
    explained = ModelExplanation(model.name, planned.runs, planned.reason, deploys=deploys)
    if not planned.runs:
        return explained
    try:
        (run,) = order_models(head, [model], policy, world, trigger=trigger, requested_by=head.author)
    except UserError as error:  # such as params without a default
        return replace(explained, missing=(str(error),), outcome="refused")
    return replace(
        explained,
        sha=run.sha,
        data=_data(run),
        params=run.params,
        gates=run.gates,
        notes=run.notes,
        outcome=_outcome(run, world),
        missing=_missing(run, world),
    )


def _data(run: Run) -> str:
    sha, path = run.arguments.get("data_sha"), run.arguments.get("data_path")
    return f"{path} at {sha} of {run.arguments.get('data_address')}" if sha and path else ""


def _outcome(run: Run, world: World) -> str:
    known = world.store.run(run.id)
    if known is not None:
        return f"asked for already: {known.id} is {known.phase}"
    if run.phase is Phase.REUSED:
        return f"reuses {run.reused_run}, which did the same work"
    if run.phase is Phase.FAILED:
        return "fails before it begins"
    return "runs"


def _missing(run: Run, world: World) -> tuple[str, ...]:
    missing = []
    if run.phase is Phase.FAILED and run.result is not None and run.result.failure is not None:
        missing.append(f"{run.result.failure.message} {run.result.failure.fix}".strip())
    declared = run.arguments.get("secrets")
    names = tuple(str(name) for name in declared) if isinstance(declared, list) else ()
    try:
        world.secrets_of(run.repository, names)
    except UserError as error:
        missing.append(str(error))
    if not run.gates:
        missing.append("It has no gates, so its check will be neutral.")
    return tuple(missing)


def _policy(head: Head) -> str:
    branch = quoted(head.policy_branch)
    if head.policy_sha is None:
        return f"{branch} is gone, so there is no policy: no secrets, and gates of the change itself"
    return f"gates, secrets and approvers come from {branch} at {head.policy_sha[:10]}"


def _who(repository: str, user: str, world: World) -> str:
    rule = "Commands need write permission to the repository."
    if not user:
        return rule
    try:
        permission = world.forge_of(repository).permission(repository, user)
    except (UserError, TransientError) as error:
        return f"{rule} That of {quoted(user)} could not be asked for: {error}"
    has = quoted(permission) if permission is not Permission.NONE else "none"
    verb = "may" if permission.may_write else "may not"
    return f"{rule} {quoted(user)} has {has}, so {verb} write them."


def _was_allowed(change: Change, world: World) -> bool:
    runs = world.store.runs(repository=change.repository, number=change.number, limit=500)
    return any(run.sha == change.head_sha for run in runs)
