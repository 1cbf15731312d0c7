"""The step `apply`: lets the bot start the new version beside what serves, and waits until it is ready."""

from __future__ import annotations

import time

from pipelines.steps.bot_serving import KEPT, BotServing, Standing, say_log
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.journal import Step, step
from pipelines.steps.quantities import duration

GONE_PATIENCE_S = 20.0  # until serving knows of what it was told
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


def apply_step(
    *, run_prefix: str, callback_url: str, model: str, environment: str, version: str, ready_timeout_s: float
) -> None:
    with step("apply", run_prefix) as running:
        bot = BotServing(callback_url, running.log.say)
        name = f"{model} {version}"
        running.log.say(f"Starting {name} beside what serves in {environment}.")
        began_s = time.monotonic()
        standing = _wait_until_ready(running, bot, bot.apply(), name, ready_timeout_s)
        elapsed_s = time.monotonic() - began_s
        running.log.say(f"{name} is ready after {elapsed_s:.1f} s at {standing.address}.")


def _wait_until_ready(running: Step, bot: BotServing, standing: Standing, name: str, timeout_s: float) -> Standing:
    began_s, said = bot.clock_s(), ""
    while True:
        waited_s = bot.clock_s() - began_s
        if standing.state == "ready" and standing.address:
            return standing
        if standing.state == "failed" or (standing.state == "gone" and waited_s > GONE_PATIENCE_S):
            raise _failed(running, standing, name)
        if waited_s > timeout_s:
            raise _too_slow(running, standing, name, timeout_s)
        if standing.message not in ("", said):
            said = standing.message
            running.log.say(f"{standing.state}: {said}")
        running.log.tick()
        time.sleep(min(max(waited_s / 100, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))
        standing = bot.look()


def _failed(running: Step, standing: Standing, name: str) -> StepFailed:
    say_log(standing, running.log.say)
    reason = standing.message or "it gave no reason"
    if standing.state == "gone":
        reason = standing.message or "serving knows nothing of it"
    return StepFailed(
        FailureKind.SERVING,
        f"{name} could not be served: {reason}",
        fix=KEPT,
    )


def _too_slow(running: Step, standing: Standing, name: str, timeout_s: float) -> StepFailed:
    say_log(standing, running.log.say)
    detail = f" The last that was heard of it: {standing.message}" if standing.message else ""
    return StepFailed(
        FailureKind.SERVING,
        f"{name} was not ready within {duration(timeout_s)}.{detail}",
        fix=KEPT,
    )
