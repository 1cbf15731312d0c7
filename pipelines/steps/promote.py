"""The step `promote`: gives the new version its share of the requests, first a small one where a canary is declared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.arguments import unpack
from pipelines.steps.bot_serving import KEPT, BotServing, Standing, say_log
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.journal import Step, step
from pipelines.steps.quantities import count, duration, milliseconds, share

ENOUGH_REQUESTS = 20  # fewer are not judged before the hold has passed
CLEARLY = 3.0  # standard deviations over what the limit would let happen
PATIENCE_S = 60.0  # for one that is being started again, and until a share that was asked for is shown
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
_FIX = "The former version has all requests again. Compare the two with its predictions and logs before you try again."


@dataclass(frozen=True, slots=True)
class Canary:
    """`percents` are the shares before the whole; None is no limit."""

    percents: tuple[int, ...]
    hold_s: float
    max_error_rate: float | None
    max_latency_ms: float | None


def promote_step(
    *, run_prefix: str, callback_url: str, model: str, environment: str, version: str, canary: object
) -> None:
    with step("promote", run_prefix) as running:
        bot = BotServing(callback_url, running.log.say)
        trial = read_canary(unpack(canary))
        name = f"{model} {version}"
        for percent in trial.percents:
            _give(running, bot, percent, name)
            _hold(running, bot, percent, trial, name)
        _give(running, bot, 100, name)
        running.log.say(f"{name} answers all requests in {environment}.")


def read_canary(fields: Mapping[str, Any]) -> Canary:
    percents = tuple(int(percent) for percent in fields.get("percents") or ())
    if not all(1 <= percent <= 100 for percent in percents):
        raise StepFailed(FailureKind.INTERNAL, f"The canary's shares are {list(percents)}; they must be 1 to 100.")
    rate, latency_ms = fields.get("max_error_rate"), fields.get("max_latency_ms")
    return Canary(
        percents=tuple(percent for percent in percents if percent < 100),
        hold_s=float(fields.get("hold_s") or 0.0),
        max_error_rate=None if rate is None else float(rate),
        max_latency_ms=None if latency_ms is None else float(latency_ms),
    )


def is_clearly_over(requests: int, errors: int, max_error_rate: float) -> bool:
    """Whether so many errors can no longer be chance, so that nobody has to wait for the end of the hold."""
    expected = requests * max_error_rate
    spread = (expected * (1 - max_error_rate)) ** 0.5
    return requests >= ENOUGH_REQUESTS and errors > expected + CLEARLY * spread


def _give(running: Step, bot: BotServing, percent: int, name: str) -> None:
    """Ask for the share, and wait until it is shown. Only what is ready gets one."""
    standing = bot.look()
    _until(running, bot, standing, name, f"get {percent} % of the requests", lambda now: now.state == "ready")
    standing = bot.promote(percent)
    _until(running, bot, standing, name, f"have {percent} % of the requests", lambda now: now.percent == percent)


def _until(
    running: Step, bot: BotServing, standing: Standing, name: str, aim: str, reached: Callable[[Standing], bool]
) -> None:
    began_s = bot.clock_s()
    _must_not_have_ended(running, standing, name)
    while not reached(standing):
        if bot.clock_s() - began_s > PATIENCE_S:
            say_log(standing, running.log.say)
            raise StepFailed(
                FailureKind.SERVING,
                f"{name} was to {aim}; after {duration(PATIENCE_S)} it is {standing.state} and has "
                f"{standing.percent} %. {standing.message}".rstrip(),
                fix=KEPT,
            )
        time.sleep(SHORTEST_PAUSE_S)
        standing = bot.look()
        _must_not_have_ended(running, standing, name)


def _hold(running: Step, bot: BotServing, percent: int, trial: Canary, name: str) -> None:
    """Let it answer its share for a while, and judge it. Ends at once when it has clearly failed."""
    running.log.say(f"{percent} % of the requests go to {name}, for {duration(trial.hold_s)}.")
    began_s = bot.clock_s()
    while True:
        left_s = trial.hold_s - (bot.clock_s() - began_s)
        if left_s <= 0:
            break
        time.sleep(min(left_s, LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, (trial.hold_s - left_s) / 10)))
        running.log.tick()
        standing = bot.look()
        _must_not_have_ended(running, standing, name)
        limit = trial.max_error_rate
        if limit is not None and is_clearly_over(standing.requests, standing.errors, limit):
            raise _too_many_errors(percent, standing, limit)
    standing = bot.look()
    _must_not_have_ended(running, standing, name)
    _judge(running, percent, standing, trial)


def _judge(running: Step, percent: int, standing: Standing, trial: Canary) -> None:
    told = f"{percent} % for {duration(trial.hold_s)}: "
    if not standing.is_measured:
        running.log.say(f"{told}serving does not count requests here, so its limits were not looked at.")
        return
    if standing.requests == 0:
        running.log.say(f"{told}no requests came, so there is nothing to judge it by.")
        return
    p99 = "" if standing.p99_ms is None else f", p99 {milliseconds(standing.p99_ms)}"
    running.log.say(f"{told}{count(standing.requests, 'request')}, {count(standing.errors, 'error')}{p99}.")
    if trial.max_error_rate is not None and standing.errors > standing.requests * trial.max_error_rate:
        raise _too_many_errors(percent, standing, trial.max_error_rate)
    if trial.max_latency_ms is not None and standing.p99_ms is not None and standing.p99_ms > trial.max_latency_ms:
        raise StepFailed(
            FailureKind.CANARY,
            f"With {percent} % of the requests, its 99th percentile was {milliseconds(standing.p99_ms)}; "
            f"at most {milliseconds(trial.max_latency_ms)} are allowed.",
            fix=_FIX,
        )


def _too_many_errors(percent: int, standing: Standing, limit: float) -> StepFailed:
    rate = share(standing.errors / standing.requests)
    return StepFailed(
        FailureKind.CANARY,
        f"With {percent} % of the requests, {standing.errors:,} of {standing.requests:,} were answered with an error "
        f"({rate}); at most {share(limit)} are allowed.",
        fix=_FIX,
    )


def _must_not_have_ended(running: Step, standing: Standing, name: str) -> None:
    """One that is being started again has a chance to: its errors are counted."""
    if standing.state not in ("failed", "gone"):
        return
    say_log(standing, running.log.say)
    reason = f": {standing.message}" if standing.message else ""
    raise StepFailed(
        FailureKind.SERVING,
        f"{name} stopped serving while it was taking over{reason}",
        fix=KEPT,
    )
