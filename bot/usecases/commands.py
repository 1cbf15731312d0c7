"""A comment: read its commands, see who may, and carry them out in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from bot.comments.escape import prose
from bot.domain.change import Change, ChangeSeen, ChangeState, Comment, CommentCreated
from bot.domain.command import (
    Approve,
    Cancel,
    Command,
    CommandProblem,
    Deploy,
    Evaluate,
    Help,
    OkToTest,
    Override,
    Reject,
    Retry,
    Rollback,
    Status,
    Train,
    help_text,
    parse_commands,
)
from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry, Reaction, Reply, Waiver, reply_id
from bot.domain.gate import find_gate, parse_gate
from bot.domain.run import Phase, Run
from bot.domain.server_rules import refusal_of_override, waiver_lasts
from bot.domain.words import listed, quoted
from bot.markdown import command_lines
from bot.usecases import ordering
from bot.usecases.changes import FORK_HEAD_SEEN, change_seen, plan_head, subject_of
from bot.usecases.deployments import commands as deployments
from bot.usecases.deployments.lines import deployment_lines
from bot.usecases.situation import Answer, Situation, newest_runs
from bot.usecases.status import status_text
from bot.usecases.world import World
from bot.usecases.writes import Cancel as CancelRun
from bot.usecases.writes import Writes

log = structlog.get_logger()

ON_MERGED = (Deploy, Approve, Reject, Rollback, Cancel, Override, Status, Help)  # what is merged can be deployed
MOST_LEDGER_ENTRIES = 2000  # that are looked through for when a fork's head was seen


def comment_created(event: CommentCreated, world: World) -> Writes:
    comment = event.comment
    commands = parse_commands(command_lines(comment.body))
    if not commands or world.store.reply(reply_id(comment.repository, comment.id)) is not None:
        return Writes(repositories=[event.repository])
    change, writes = _change_of(event, world)
    if change is None:
        log.warning("comment_on_unknown_change", repository=comment.repository, change=comment.number)
        return writes
    forge = world.forge_of(comment.repository)
    forge.react(comment.repository, comment.number, comment.id, Reaction.SEEN)
    refusal = refusal_of(change, comment, world)
    if refusal is not None:
        answers = [refusal]
    else:
        situation = Situation(event.repository, change, comment, world)
        answers = [_answer(command, situation, writes) for command in commands]
    writes.replies.append(_reply(comment, answers))
    log.info("comment_answered", repository=comment.repository, change=comment.number, commands=len(commands))
    return writes


def _change_of(event: CommentCreated, world: World) -> tuple[Change | None, Writes]:
    """The change as it is stored; one that was not seen yet is asked for, and seen first."""
    number, repository = event.comment.number, event.repository
    known = world.store.change(repository.key, number)
    if known is not None:
        return known, Writes(repositories=[repository])
    changes = world.forge_of(repository.key).changes(repository)
    change = next((change for change in changes if change.number == number), None)
    if change is None:
        return None, Writes(repositories=[repository])
    return change, change_seen(ChangeSeen(repository, change), world)


def mend_reaction(comment: Comment, world: World) -> None:
    """Whoever answered a comment second has put "seen" in the place of the first one's reaction."""
    reply = world.store.reply(reply_id(comment.repository, comment.id))
    if reply is not None:
        world.forge_of(comment.repository).react(comment.repository, comment.number, comment.id, reply.reaction)


def refusal_of(change: Change, comment: Comment, world: World) -> Answer | None:
    if change.state is ChangeState.CLOSED:
        return Answer(f"This change is {change.state}, so commands are no longer carried out on it.", is_refusal=True)
    if not world.forge_of(change.repository).permission(change.repository, comment.author).may_write:
        return Answer(
            f"{quoted(comment.author)} may not do this: commands need write permission to the repository. "
            "Somebody who has it can write the same comment.",
            is_refusal=True,
        )
    return None


def _reply(comment: Comment, answers: list[Answer]) -> Reply:
    refused = any(answer.is_refusal for answer in answers)
    return Reply(
        id=reply_id(comment.repository, comment.id),
        repository=comment.repository,
        number=comment.number,
        comment_id=comment.id,
        reaction=Reaction.REFUSED if refused else Reaction.DONE,
        body="\n\n".join(answer.body for answer in answers if answer.body),
    )


def _answer(command: Command | CommandProblem, situation: Situation, writes: Writes) -> Answer:
    if isinstance(command, CommandProblem):
        return Answer(f"{command.problem} {command.fix}".strip(), is_refusal=True)
    change = situation.change
    if change.state is not ChangeState.OPEN and not isinstance(command, ON_MERGED):
        words = "This change is merged: only deployments and `/status` are carried out on it now."
        return Answer(words, is_refusal=True)
    try:
        answer = CARRY_OUT[type(command)](command, situation, writes)
    except UserError as error:
        return Answer(prose(f"{error.problem} {error.fix}".strip()), is_refusal=True)
    name = type(command).__name__.lower()
    writes.ledger.append(
        LedgerEntry(
            at=situation.world.clock(),
            actor=situation.author,
            action=name,
            repository=change.repository,
            subject=f"#{change.number}",
            details={"comment": situation.comment.id, "head": change.head_sha},
        )
    )
    return answer


def _train(command: Train, situation: Situation, writes: Writes) -> Answer:
    _check_trust(situation)
    runs = ordering.order_training(
        situation.repository,
        situation.change,
        situation.world,
        model_name=command.model,
        given_params=command.params,
        data_rev=command.data_rev or "",
        force=command.force,
        trigger=situation.trigger(command),
        requested_by=situation.author,
    )
    return _ordered(runs, situation, writes)


def _evaluate(command: Evaluate, situation: Situation, writes: Writes) -> Answer:
    _check_trust(situation)
    runs = ordering.order_evaluation(
        situation.repository,
        situation.change,
        situation.world,
        model_name=command.model,
        trigger=situation.trigger(command),
        requested_by=situation.author,
    )
    return _ordered(runs, situation, writes)


def _retry(command: Retry, situation: Situation, writes: Writes) -> Answer:
    _check_trust(situation)
    ended_early = (Phase.FAILED, Phase.CANCELED, Phase.SUPERSEDED)
    failed = [run for run in newest_runs(situation, command.model) if run.phase in ended_early]
    if not failed:
        return Answer("Nothing to retry: no newest run of this change has failed. `/train --force` runs one again.")
    runs = [
        ordering.order_again(
            situation.repository,
            situation.change,
            run,
            situation.world,
            trigger=situation.trigger(command),
            requested_by=situation.author,
        )
        for run in failed
    ]
    return _ordered(runs, situation, writes)


def _ordered(runs: list[Run], situation: Situation, writes: Writes) -> Answer:
    """Everything is pinned, and the answer shows to what."""
    writes.runs += runs
    writes.show(subject_of(situation.change))
    return Answer("\n".join(_order_line(run, situation.world) for run in runs))


def _order_line(run: Run, world: World) -> str:
    data = run.arguments.get("data_sha")
    pinned = f"at `{run.sha[:10]}`" + (f" with data `{str(data)[:10]}`" if data else "")
    link = f"[`{run.id}`]({world.links.run(run.id)})"
    if run.phase is Phase.REUSED:
        reused = f"[`{run.reused_run}`]({world.links.run(run.reused_run or '')})"
        return f"- `{run.model}`: reused run {reused} {pinned}; nothing it depends on has changed"
    if run.phase is Phase.FAILED and run.result is not None and run.result.failure is not None:
        return f"- `{run.model}`: {prose(f'{run.result.failure.message} {run.result.failure.fix}'.strip())}"
    return f"- `{run.model}`: {run.pipeline} {pinned} as {link}"


def _cancel(command: Cancel, situation: Situation, writes: Writes) -> Answer:
    change = situation.change
    active = situation.world.store.runs(
        repository=change.repository, number=change.number, model=command.model, active=True
    )
    given_up = deployments.cancel(command.model, situation, writes)
    if not active and not given_up:
        return Answer("Nothing is active here.")
    writes.cancels += [CancelRun(run.id, by=situation.author) for run in active]
    lines = [f"Ending {listed(sorted({run.model for run in active}))}."] if active else []
    lines += [f"Giving up {quoted(one.model)} to {quoted(one.environment)}." for one in given_up]
    return Answer(" ".join(lines))


def _status(_command: Status, situation: Situation, _writes: Writes) -> Answer:
    lines = deployment_lines(subject_of(situation.change), situation.world)
    return Answer(status_text(newest_runs(situation, None), lines, situation.world))


def _help(_command: Help, _situation: Situation, _writes: Writes) -> Answer:
    return Answer(help_text())


def _override(command: Override, situation: Situation, writes: Writes) -> Answer:
    change, world, now = situation.change, situation.world, situation.world.clock()
    policy = world.policy_of(change.repository)
    refusal = refusal_of_override(situation.author, policy, is_member=world.forge_of(change.repository).is_member)
    if refusal is not None:
        raise refusal
    runs = newest_runs(situation, None)
    gates = {text: parse_gate(text) for run in runs for text in run.gates}
    gate = find_gate(list(gates.values()), command.gate)
    expires = now + waiver_lasts(policy)
    models = [run.model for run in runs if gate.text in run.gates]
    writes.waivers += [
        Waiver(change.repository, change.number, model, gate.text, command.reason, situation.author, now, expires)
        for model in models
    ]
    writes.woken_feedback.append(subject_of(change).id)
    return Answer(
        f"{quoted(gate.text)} may be missed by {listed(models)} on this change until {expires.date().isoformat()}. "
        "The report shows who allowed it and why."
    )


def _ok_to_test(command: OkToTest, situation: Situation, writes: Writes) -> Answer:
    """For the head that stood when this was written: whoever wrote it has looked at no other."""
    change, world = situation.change, situation.world
    if not change.from_fork:
        return Answer("This change does not come from a fork: it is run already.")
    entries = world.store.ledger(repository=change.repository, limit=MOST_LEDGER_ENTRIES)
    seen = [entry.at for entry in entries if (entry.action, entry.subject) == (FORK_HEAD_SEEN, change.head_sha)]
    if seen and max(seen).replace(microsecond=0) > situation.comment.created_at:  # forges tell whole seconds
        raise UserError(
            f"The head is now `{change.head_sha[:10]}`, which came after this comment was written.",
            "Look at it, and write `/ok-to-test` again.",
        )
    plan_head(
        situation.repository, change, world, writes, trigger=situation.trigger(command), requested_by=situation.author
    )
    lines = [_order_line(run, world) for run in writes.runs]
    return Answer("\n".join([f"`{change.head_sha[:10]}` may run, without secrets.", "", *lines]))


def _check_trust(situation: Situation) -> None:
    """Of a fork, only a head that somebody allowed is run, whoever asks. Raises UserError."""
    change = situation.change
    if not change.from_fork:
        return
    runs = situation.world.store.runs(repository=change.repository, number=change.number, limit=500)
    if not any(run.sha == change.head_sha for run in runs):
        raise UserError(
            "This head comes from a fork, and nobody has allowed it yet.", "Look at it, then write `/ok-to-test`."
        )


CARRY_OUT: Mapping[type[Command], Callable[[Any, Situation, Writes], Answer]] = {
    Train: _train,
    Evaluate: _evaluate,
    Retry: _retry,
    Cancel: _cancel,
    Status: _status,
    Help: _help,
    Override: _override,
    OkToTest: _ok_to_test,
    Deploy: deployments.deploy,
    Approve: deployments.approve,
    Reject: deployments.reject,
    Rollback: deployments.rollback,
}
