"""What `/status` answers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.comments.escape import prose
from bot.domain.report_words import model_words
from bot.domain.run import Run
from bot.usecases.reports import run_report
from bot.usecases.world import World


def status_text(runs: Sequence[Run], world: World) -> str:
    if not runs:
        return "Nothing has run at this head yet. Start it with `/train`."
    rows = []
    for run in runs:
        words = prose(model_words(run_report(run, world)))
        rows.append(f"| `{run.model}` | {words} | [`{run.id}`]({world.links.run(run.id)}) |")
    return "\n".join(["| Model | State | Run |", "| --- | --- | --- |", *rows])
