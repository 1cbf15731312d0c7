"""Text from outside is data, in every field of every page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bot.domain.check import Annotation, Check, CheckStatus, Conclusion
from bot.domain.result import Failure, FailureKind, Frame, Metric, Plot, PlotKind, StepResult
from bot.domain.run import Phase
from tests.web.kit import Workplace, client
from tests.web.seed import HEAD_SHA, NOW, REPOSITORY, a_change, a_result, a_run
from tests.web.test_pages import CHANGE, words

pytestmark = pytest.mark.anyio

XSS = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'`"


class Dangers(HTMLParser):
    """Collects what could act: elements and attributes that no page of ours has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and not (values.get("src") or "").startswith("/static/"):
            self.found.append(f"<{tag}>")
        if tag in ("iframe", "object", "embed", "style", "base"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            is_foreign = name in ("src", "href", "action") and not (value or "").startswith(("/", "#"))
            if name.startswith("on") or name == "style" or is_foreign:
                self.found.append(f"{tag} {name}={value}")


async def test_invariant_7_text_from_outside_is_shown_and_never_acts(place: Workplace) -> None:
    _seed_hostile_rows(place)
    paths = ("/", "/repositories/plain/models", CHANGE, "/runs/evil", "/runs/evil-now",
             f"/repositories/plain/models/commits/{HEAD_SHA}")  # fmt: skip
    async with client(place, headers=place.bearer) as http:
        for path in paths:
            answer = await http.get(path)
            dangers = Dangers()
            dangers.feed(answer.text)

            assert answer.status_code == 200, path
            assert dangers.found == [], path
            assert "49" not in words(answer.text), path
            assert "&lt;script&gt;alert(1)" in answer.text, path


def _seed_hostile_rows(place: Workplace) -> None:
    result = a_result(
        "evil",
        model=XSS,
        params={XSS: XSS, "nested": {"a": [XSS]}},
        split={XSS: XSS},
        metrics={XSS: Metric(1.5)},
        plots=(
            Plot("plots/matrix.csv", PlotKind.CONFUSION_MATRIX, XSS),
            Plot("plots/bad.csv", PlotKind.CURVE, XSS),
            Plot("../escape.svg", PlotKind.IMAGE, XSS),
            Plot(f"plots/{XSS}.json", PlotKind.VEGA_LITE, XSS),
        ),
        steps=(StepResult(XSS, "failed", NOW, NOW, 1, 5, 1.0, (XSS,)), StepResult("../../etc", "failed", NOW, NOW, 1)),
        model_digest=XSS,
        pipeline_version=XSS,
        failure=Failure(XSS, FailureKind.EXCEPTION, XSS, XSS, (Frame(XSS, 1, XSS),)),
    )
    result = replace(result, data=replace(result.data, path=XSS, sha=XSS)) if result.data else result
    mean = {"requested_by": XSS, "branch": XSS, "model": XSS, "trigger": XSS, "notes": (XSS,), "params": {XSS: XSS}}
    runs = [
        a_run("evil", phase=Phase.FAILED, result=result, started_at=NOW, ended_at=NOW, **mean),
        a_run("evil-now", phase=Phase.RUNNING, cancel_requested_by=XSS, arguments={"data_sha": XSS}, **mean),
        a_run("evil-main", number=None, phase=Phase.SUCCEEDED, gates=("accuracy >= 1",),
              result=a_result("evil-main", metrics={XSS: Metric(1.0)}), **(mean | {"branch": "main"})),
    ]  # fmt: skip
    change = a_change(1, title=XSS, author=XSS, source_branch=XSS)
    with place.store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.save_change(change)
        for run in runs:
            tx.add_run(run, now=NOW)
    place.records.add_change(change)
    post = place.records.add_post(REPOSITORY.key, 1, author=XSS, body=f"{XSS}\n\n[x](javascript:alert(1)) ![p](//e/p)",
                                  is_bot=False, now=NOW)  # fmt: skip
    place.records.set_reactions(post.id, [XSS])
    place.records.save_check(REPOSITORY.key, Check(
        XSS, HEAD_SHA, CheckStatus.COMPLETED, Conclusion.FAILURE, XSS, XSS, f"javascript:{XSS}",
        (Annotation(XSS, 1, XSS),),
    ))  # fmt: skip
    place.write("evil", "plots/matrix.csv", b"actual,predicted\n<script>alert(1)</script>,b\n")
    place.write("evil", "plots/bad.csv", f"{XSS},y\n1,2\n".encode())
    place.write("evil", "logs/train.log", XSS.encode() + b"\n")
    place.write("evil-now", "logs/train.log", XSS.encode() + b"\n")
