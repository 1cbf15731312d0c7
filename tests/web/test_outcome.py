"""What a run's page says of its result: against base and production, and what was let pass, until when."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.feedback import Subject, Waiver
from bot.domain.report import ModelReport, ModelState, build_report
from bot.domain.report_versions import VersionFacts
from bot.domain.result import Metric
from bot.domain.run import Phase
from bot.web.rendering import Renderer
from bot.web.states import of_run
from tests.web.seed import NOW, a_result, a_run
from tests.web.test_pages import words

SERVED = VersionFacts("v1.2.0", "production", "b" * 40, metrics={"auc": Metric(0.9, 0.01), "f1": Metric(0.5)})
RUN = a_run("run-1", number=1, gates=("auc >= 0.95", "auc >= production - 0.01"), base_run="run-0")
RESULT = a_result("run-1", metrics={"auc": Metric(0.92), "rows": Metric(400.0)}, plots=())


def waiver(gate: str) -> Waiver:
    return Waiver(RUN.repository, 1, RUN.model, gate, "a <b>holiday</b>", "bob", NOW, NOW + timedelta(days=30))


def report(*waivers: Waiver, **state: Any) -> ModelReport:
    run = replace(RUN, phase=Phase.SUCCEEDED, result=RESULT)
    subject = Subject(run.repository, 1, run.branch, run.sha)
    return build_report(subject, [ModelState(run, **state)], waivers=waivers).models[0]


def shown(report: ModelReport) -> str:
    renderer = Renderer(lambda: NOW, own_address="http://bot")
    return renderer.page("parts/outcome.html", run=report.run, report=report, files_run=report.run.id)


def test_a_run_is_compared_with_base_and_with_the_version_in_production() -> None:
    base = replace(RUN, id="run-0", branch="main", sha="c" * 40, result=a_result("run-0", metrics={"auc": Metric(0.9)}))

    page = shown(report(base=base, production=SERVED))

    assert "Metrics against main at cccccccc and v1.2.0 in production" in words(page)
    assert "Metric This Base Δ Production v1.2.0 Δ" in words(page)
    row = "auc 0.92 0.9 +0.02 ▲ better 0.9 ± 0.01 +0.02 ▲ better"
    assert f"{row} f1 — — — 0.5 — rows 400 — — — —" in words(page)
    assert f'href="/repositories/{RUN.repository}/models/{RUN.model}">v1.2.0 in production</a>' in page


def test_without_a_base_production_is_still_compared_with() -> None:
    page = words(shown(report(production=SERVED)))

    assert "Metrics against v1.2.0 in production Metric This Production v1.2.0 Δ" in page
    assert "auc >= production - 0.01 0.92 >= 0.89 (production 0.9 - 0.01) passed" in page


def test_where_nothing_serves_the_page_says_so() -> None:
    page = words(shown(report()))

    assert "passes no incumbent: nothing serves in production yet" in page
    assert "Metrics nothing to compare with yet Metric This auc 0.92" in page


def test_what_was_let_pass_is_shown_with_the_day_on_which_that_ends() -> None:
    waived = report(waiver("auc >= 0.95"))
    day = f"{NOW + timedelta(days=30):%Y-%m-%d}"

    page = words(re.sub("&lt;b&gt;|&lt;/b&gt;", "*", shown(waived)))

    assert f"Gates 2 gates passed, 1 without an incumbent, 1 by a waiver until {day}" in page
    assert f"waived 0.92 is not >= 0.95; waived by bob until {day}: a *holiday*" in page
    assert (of_run(waived).look, of_run(waived).words) == ("warned", f"Passed by waiver until {day}")


def test_a_waiver_that_no_gate_needed_is_shown_too() -> None:
    not_needed = report(waiver("auc >= production - 0.01"), production=SERVED)

    page = words(re.sub("&lt;b&gt;|&lt;/b&gt;", "*", shown(not_needed)))

    day = f"{NOW + timedelta(days=30):%Y-%m-%d}"
    assert f"bob waived auc >= production - 0.01 until {day} (a *holiday*); the waiver is not needed." in page
