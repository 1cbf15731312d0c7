"""Converge a run: queued, starting, running, ended. Each step may be repeated at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry, Subject
from bot.domain.pipeline import DEPLOY
from bot.domain.result import Failure, FailureKind, Result
from bot.domain.run import EngineRun, EngineState, Phase, Run
from bot.ports.engine import Submission
from bot.ports.store import Claim, Kind, Transaction
from bot.usecases.clone_credentials import clone_credentials
from bot.usecases.deployments.incumbents import PRODUCTION, serving_version
from bot.usecases.deployments.versions import version_of_merged
from bot.usecases.orders import reusable_run
from bot.usecases.results import collect_result, failed_result
from bot.usecases.world import World

LOOK_SOON_S = 2.0
LOOK_ENDING_S = 0.5
ENDING_FOR_S = 60.0
LOOK_LATE_S = 30.0
EQUAL_RUN_LOOK_S = 60.0  # a safety net, too: it is woken when the equal one ends
LONGEST_LOOK = 1000  # queued runs that are looked through for those that may start
MOVED_UP = 5
PARKED_GRID_S = 15.0
REPORT = "report"  # the last step of every pipeline
PARKED_LOOK_S = 6 * 3600.0  # a safety net only: a queued run is woken when a place becomes free


def run_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    """One task per claim; the engine is asked once for all of them."""
    runs = [world.store.run(claim.id) for claim in claims]
    asked = [run.id for run in runs if run is not None and run.phase in (Phase.STARTING, Phase.RUNNING)]
    seen = world.engine.observe(asked) if asked else {}
    return [partial(_converge, claim, run, seen, world) for claim, run in zip(claims, runs, strict=True)]


def _converge(claim: Claim, run: Run | None, seen: Mapping[str, EngineRun], world: World) -> None:
    if run is None or run.phase.is_final:
        with world.store.transaction() as tx:
            tx.settle(claim, next_check_at=None)
    elif run.phase is Phase.QUEUED:
        _leave_queue(claim, run, world)
    elif run.phase is Phase.STARTING:
        _start(claim, run, seen[run.id], world)
    else:
        _follow(claim, run, seen[run.id], world)


def give_up(claim: Claim, error: str, world: World) -> None:
    """End a run that failed too often to converge, with a word to its author."""
    run = world.store.run(claim.id)
    if run is None or run.phase.is_final:
        return
    failure = Failure(
        step="engine",
        kind=FailureKind.INTERNAL,
        message=f"mlops-bot could not drive this run: {error}",
        fix="This is not your fault. Try `/retry`; if it stays, tell whoever runs this bot.",
    )
    world.engine.cancel(run.id)
    _end(claim, run, Phase.FAILED, failed_result(run, failure), world)


def _leave_queue(claim: Claim, run: Run, world: World) -> None:
    now = world.clock()
    if run.cancel_requested_by is not None:
        _end(claim, run, _canceled_phase(run), None, world)
        return
    earlier = None if run.force else reusable_run(run.key, world)
    if earlier is not None:
        reused = replace(run, reused_run=earlier.id)
        _end(claim, reused, Phase.REUSED, earlier.result, world)
        return
    with world.admission, world.store.transaction() as tx:
        if not run.force and world.store.is_started(run.key):
            tx.settle(claim, next_check_at=now + timedelta(seconds=EQUAL_RUN_LOOK_S))
        elif _has_place(run, world):
            tx.settle(claim, next_check_at=now)
            tx.save_run(replace(run, phase=Phase.STARTING, started_at=now))
            _wake_those_behind(run, tx, world, now)
        else:
            tx.settle(claim, next_check_at=parked_until(now))


def _wake_those_behind(run: Run, tx: Transaction, world: World, now: datetime) -> None:
    """The next in the queue have moved up, and show it; those far behind are left alone: forges count calls."""
    for run_id in world.store.oldest_queued(limit=MOVED_UP + 1):
        behind = world.store.run(run_id)
        if behind is not None and behind.id != run.id:
            _wake_feedback(behind, tx, now)


def parked_until(now: datetime) -> datetime:
    """At a full `PARKED_GRID_S`, so that of thousands many are looked at in one go."""
    at_s = (now.timestamp() + PARKED_LOOK_S) // PARKED_GRID_S * PARKED_GRID_S
    return datetime.fromtimestamp(at_s, now.tzinfo)


def _has_place(run: Run, world: World) -> bool:
    """A deployment takes none: it must not wait behind training."""
    if run.pipeline == DEPLOY:
        return True
    return world.engine.places is None or run.id in _next_to_start(world.engine.places, world)


def _next_to_start(places: int, world: World) -> list[str]:
    """Ids of the queued runs for which there is a place. One that waits for an equal run is in nobody's way."""
    store = world.store
    started = store.started_run_ids()
    free = places - len(started)
    keys = {run.key for run_id in started if free > 0 and (run := store.run(run_id)) is not None}
    chosen: list[str] = []
    for run_id in store.oldest_queued(limit=LONGEST_LOOK) if free > 0 else ():
        run = store.run(run_id)
        if run is None or (run.key in keys and not run.force):
            continue
        chosen.append(run_id)
        keys.add(run.key)  # of equal ones, one starts
        if len(chosen) == free:
            break
    return chosen


def _start(claim: Claim, run: Run, seen: EngineRun, world: World) -> None:
    now = world.clock()
    is_known = seen.state not in (EngineState.UNKNOWN, EngineState.PENDING)  # submitted before a crash
    if run.cancel_requested_by is not None and seen.state is EngineState.UNKNOWN:
        _end(claim, run, _canceled_phase(run), None, world)
        return
    if run.cancel_requested_by is None and not is_known:
        try:
            world.engine.submit(_submission(run, world))
        except UserError as error:
            failure = Failure("engine", FailureKind.COMMAND, error.problem, error.fix)
            _end(claim, run, Phase.FAILED, failed_result(run, failure), world)
            return
    pause_s = 0.0 if is_known or run.cancel_requested_by is not None else LOOK_SOON_S
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=now + timedelta(seconds=pause_s))
        tx.save_run(replace(run, phase=Phase.RUNNING))
        _wake_feedback(run, tx, now)


def _submission(run: Run, world: World) -> Submission:
    declared = run.arguments.get("secrets") or ()
    return Submission(
        run_id=run.id,
        pipeline=run.pipeline,
        arguments=run.arguments,
        secrets={
            **world.secrets_of(run.repository, tuple(declared)),
            **_git_credentials(run, world),
            "MLOPS_BOT_CALLBACK_TOKEN": world.callback_token(run.id),
        },
    )


def _git_credentials(run: Run, world: World) -> dict[str, str]:
    """The fetch step takes them off the disk, or exchanges its own token for them."""
    credentials = clone_credentials(run, world)
    return {"MLOPS_BOT_GIT_CREDENTIALS": json.dumps(credentials)} if credentials else {}


def _follow(claim: Claim, run: Run, seen: EngineRun, world: World) -> None:
    now = world.clock()
    if seen.state in (EngineState.PENDING, EngineState.RUNNING):
        next_look = _next_look(run, seen, now)
        if run.cancel_requested_by is not None:
            world.engine.cancel(run.id)
            next_look = now + timedelta(seconds=LOOK_SOON_S)
        with world.store.transaction() as tx:
            tx.settle(claim, next_check_at=next_look)
            _wake_feedback(run, tx, now)
        return
    result = collect_result(run, seen, world)
    if result.state == "succeeded":
        phase = Phase.SUCCEEDED
    elif run.cancel_requested_by is not None:
        phase = _canceled_phase(run)
    else:
        phase = Phase.FAILED
    _end(claim, run, phase, result, world)


def _next_look(run: Run, seen: EngineRun, now: datetime) -> datetime:
    """Often while it is young, then rarely: the engine's hints and the callback make the end quick. The callback comes
    from the last step, a moment before the engine itself says that the run has ended."""
    report_began = next((step.started_at for step in seen.steps if step.name == REPORT), None)
    if report_began is not None and (now - report_began).total_seconds() < ENDING_FOR_S:
        return now + timedelta(seconds=LOOK_ENDING_S)
    age_s = (now - (run.started_at or now)).total_seconds()
    return now + timedelta(seconds=min(max(age_s / 10, LOOK_SOON_S), LOOK_LATE_S))


def _canceled_phase(run: Run) -> Phase:
    return Phase.SUPERSEDED if run.superseded_by is not None else Phase.CANCELED


def _end(claim: Claim, run: Run, phase: Phase, result: Result | None, world: World) -> None:
    now = world.clock()
    incumbent = _incumbent(run, world)
    production = serving_version(run.repository, run.model, PRODUCTION, world)
    ended = replace(
        run,
        phase=phase,
        ended_at=now,
        result=result,
        base_run=incumbent.id if incumbent else None,
        production_version=production.id if production else None,
    )
    version = version_of_merged(ended, world)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_run(ended)
        if version is not None:
            tx.add_version(version, now=now)
        _wake_deployments(ended, tx, world)
        _wake_feedback(run, tx, now)
        for equal in world.store.queued_equals(run.key):  # they waited for what this one gives, or start in its stead
            tx.wake(Kind.RUN, equal, now=now)
        tx.append_ledger(
            LedgerEntry(now, run.requested_by, f"run_{phase}", run.repository, run.id, {"model": run.model})
        )
    wake_queue(world)


def wake_queue(world: World) -> None:
    """Let those that may start now look for a place."""
    places = world.engine.places
    waiting = _next_to_start(places, world) if places is not None else []
    if waiting:
        with world.store.transaction() as tx:
            for run_id in waiting:
                tx.wake(Kind.RUN, run_id, now=world.clock())


def _incumbent(run: Run, world: World) -> Run | None:
    branch = run.branch
    if run.number is not None:
        change = world.store.change(run.repository, run.number)
        if change is None:
            return None
        branch = change.target_branch
    return world.store.newest_result(run.repository, branch=branch, model=run.model)


def _wake_deployments(run: Run, tx: Transaction, world: World) -> None:
    """Those that this run carries out, and those that wait for its result or follow it."""
    now = world.clock()
    for deployment in world.store.deployments(repository=run.repository, model=run.model, active=True):
        tx.wake(Kind.DEPLOYMENT, deployment.id, now=now)


def _wake_feedback(run: Run, tx: Transaction, now: datetime) -> None:
    tx.wake(Kind.FEEDBACK, Subject(run.repository, run.number, run.branch, run.sha).id, now=now)
