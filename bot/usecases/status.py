"""What `/status` answers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.comments.escape import prose
from bot.domain.feedback import Subject
from bot.domain.report import build_report
from bot.domain.report_words import model_words
from bot.domain.run import Run
from bot.usecases.reports import model_state
from bot.usecases.verdicts import waivers_of
from bot.usecases.world import World


def status_text(runs: Sequence[Run], world: World) -> str:
    if not runs:
        return "Nothing has run at this head yet. Start it with `/train`."
    rows = []
    for run in runs:
        subject = Subject(run.repository, run.number, run.branch, run.sha)
        report = build_report(subject, [model_state(run, world)], waivers=waivers_of(run, world))
        rows.append(
            f"| `{run.model}` | {prose(model_words(report.models[0]))} | [`{run.id}`]({world.links.run(run.id)}) |"
        )
    return "\n".join(["| Model | State | Run |", "| --- | --- | --- |", *rows])
