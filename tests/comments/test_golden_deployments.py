"""Each state of a deployment as the whole comment and its check. `UPDATE_GOLDEN=1` writes the files anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.comments import render_checks, render_comment
from bot.domain.report import Report
from tests.comments.deployment_samples import STORIES

GOLDEN = Path(__file__).parents[1] / "golden" / "deployments"
GITHUB_LIMIT = 65_536


def as_file(report: Report) -> str:
    shown = [render_comment(report, limit=GITHUB_LIMIT)]
    for check in render_checks(report, limit=GITHUB_LIMIT):
        if check.name.count("/") == 2:
            shown.append(f"\n<!-- check {check.name}: {check.status}, {check.conclusion}: {check.title} -->\n")
            shown += [f"<!-- button {one.id}: {one.label}: {one.description} -->\n" for one in check.actions]
            shown.append(f"{check.details_url}\n\n{check.summary}")
    return "".join(shown)


@pytest.mark.parametrize(("name", "report"), STORIES.items(), ids=list(STORIES))
def test_a_deployment_reads_as_it_was_agreed(name: str, report: Report) -> None:
    path = GOLDEN / f"{name}.md"
    shown = as_file(report)
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")

    assert shown == path.read_text(encoding="utf-8")
