"""Each story of a change as its whole comment and checks. `UPDATE_GOLDEN=1` writes the files anew: read the diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.comments import MARKER, render_checks, render_comment
from bot.domain.report import Report
from bot.markdown import to_html
from tests.comments.report_samples import HUGE, LARGE, STORIES

GOLDEN = Path(__file__).parents[1] / "golden"
GITHUB_LIMIT = 65_536


def as_file(report: Report, *, limit: int) -> str:
    shown = [render_comment(report, limit=limit), "\n<!-- checks -->\n"]
    for check in render_checks(report, limit=limit):
        shown.append(f"- {check.name}, {check.status}, {check.conclusion}: {check.title}\n  {check.details_url}\n")
        shown += [f"  - {a.level} at {a.path}:{a.line}: {a.message!r}\n" for a in check.annotations]
    return "".join(shown)


@pytest.mark.parametrize(
    ("name", "report", "limit"),
    [*((name, report, GITHUB_LIMIT) for name, report in STORIES.items()), ("cut_to_limit", LARGE, 16_000)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_story_reads_as_it_was_agreed(name: str, report: Report, limit: int) -> None:
    path = GOLDEN / f"{name}.md"
    shown = as_file(report, limit=limit)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")

    assert shown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", [8_000, 9_000, 12_000, 20_000, 40_000, 65_536, 1_000_000])
def test_a_huge_report_fits_any_limit_and_stays_whole(limit: int) -> None:
    comment = render_comment(HUGE, limit=limit)

    assert len(comment) <= limit
    assert comment.startswith(MARKER)
    assert comment.count("<details") == comment.count("</details>")
    assert comment.count("\n```text\n") * 2 == comment.count("\n```")
    if limit < 65_536:
        assert "Cut to fit into one comment:" in comment
        assert "[See the whole report](https://bot.example.com/" in comment


def test_what_matters_least_goes_first() -> None:
    comment = render_comment(HUGE, limit=60_000)

    assert "Pinned: what made this result" not in comment
    assert "Confusion matrix" not in comment
    assert comment.count("The last 10 lines of the failed step's log") == 1
    assert comment.count("ValueError: could not convert") > 20
    assert comment.count("### ") == len(HUGE.models)


def test_the_table_of_models_shows_what_went_wrong_first() -> None:
    comment = render_comment(STORIES["missed"], limit=GITHUB_LIMIT)

    assert comment.index("| `diabetes` | ✗ 2 of 2 gates missed") < comment.index("| `breast-cancer` | ✓ 4 gates passed")


def test_every_check_of_a_huge_report_fits_its_own_limit() -> None:
    checks = render_checks(HUGE, limit=8_000)

    assert len(checks) == len(HUGE.models)
    assert max(len(check.summary) for check in checks) <= 8_000


def test_the_page_shows_the_comment_as_html() -> None:
    html = to_html(render_comment(STORIES["passed"], limit=GITHUB_LIMIT), own_address="https://bot.example.com")

    assert '<td style="text-align:left"><code>accuracy</code></td>' in html
    assert '<img src="https://bot.example.com/runs/run-1a2b3c4d5e6f7081/plots/plots/roc.csv"' in html
    assert "<summary>Confusion matrix: 137 of 143 right</summary>" in html
    assert "mlops-bot:change" not in html


def test_nothing_is_linked_where_nobody_serves_pages() -> None:
    report = STORIES["passed"]
    alone = Report(report.subject, report.models, target_branch="main", links=None)

    comment = render_comment(alone, limit=GITHUB_LIMIT)

    assert "](" not in comment
    assert "run `run-1a2b3c4d5e6f7081`" in comment
    assert "- ROC curve (area 0.982)" in comment
