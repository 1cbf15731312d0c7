"""What `/status` answers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.comments.escape import prose
from bot.domain.report_deployment_words import deployment_words
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_words import model_words
from bot.domain.run import Run
from bot.usecases.reports import run_report
from bot.usecases.world import World


def status_text(runs: Sequence[Run], deployments: Sequence[DeploymentLine], world: World) -> str:
    if not runs and not deployments:
        return "Nothing has run at this head yet. Start it with `/train`."
    tables = [_run_table(runs, world)] if runs else []
    tables += [_deployment_table(deployments, world)] if deployments else []
    return "\n\n".join(tables)


def _run_table(runs: Sequence[Run], world: World) -> str:
    rows = []
    for run in runs:
        words = prose(model_words(run_report(run, world)))
        rows.append(f"| `{run.model}` | {words} | [`{run.id}`]({world.links.run(run.id)}) |")
    return "\n".join(["| Model | State | Run |", "| --- | --- | --- |", *rows])


def _deployment_table(deployments: Sequence[DeploymentLine], world: World) -> str:
    rows = []
    for line in deployments:
        one = line.deployment
        link = f"[`{one.id}`]({world.links.deployment(one.id)})"
        rows.append(f"| `{one.model}` to `{one.environment}` | {prose(deployment_words(line))} | {link} |")
    return "\n".join(["| Deployment | State | Page |", "| --- | --- | --- |", *rows])
