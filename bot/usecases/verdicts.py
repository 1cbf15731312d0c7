"""The verdict on a run: its gates, held against what it and its incumbents measured."""

from __future__ import annotations

from bot.domain.feedback import Waiver
from bot.domain.gate import Judgement, judge, parse_gate
from bot.domain.result import Result
from bot.domain.run import Run
from bot.usecases.world import World


def verdict_of(run: Run, world: World) -> Judgement:
    base = world.store.run(run.base_run) if run.base_run is not None else None
    return judge(
        [parse_gate(text) for text in run.gates],
        metrics=metric_values(run.result),
        base=None if base is None else metric_values(base.result),
        production=None,
        waivers=waivers_of(run, world),
    )


def waivers_of(run: Run, world: World) -> list[Waiver]:
    if run.number is None:
        return []
    waivers = world.store.waivers(run.repository, run.number, now=world.clock())
    return [waiver for waiver in waivers if waiver.model == run.model]


def metric_values(result: Result | None) -> dict[str, float]:
    return {} if result is None else {name: metric.value for name, metric in result.metrics.items()}
