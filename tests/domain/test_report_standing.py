"""Where each model stands, in the words of checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.check import Annotation, Check, CheckStatus, Conclusion
from bot.domain.feedback import Notice, Subject, Waiver
from bot.domain.links import Links
from bot.domain.report import ModelState, Report, Standing, build_report
from bot.domain.report_checks import ANNOTATION_LIMIT, checks_of
from bot.domain.report_words import overall_words
from bot.domain.result import Failure, FailureKind, Frame, Metric, Result, StepResult
from bot.domain.run import EngineRun, EngineState, Phase, Run, StepProgress

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SHA = "a" * 40
SUBJECT = Subject("plain/models", 3, "topic", SHA)
GOOD = Result("run-1", "key", "train", "v1", "plain/models", SHA, "churn", "succeeded", metrics={"auc": Metric(0.9)})


def run(phase: Phase, **changes: object) -> Run:
    whole = Run(
        id="run-1",
        key="key",
        trigger=f"push:{SHA}",
        repository="plain/models",
        number=3,
        branch="topic",
        model="churn",
        pipeline="train",
        sha=SHA,
        requested_by="alice",
        requested_at=NOW,
        phase=phase,
        params={},
        arguments={},
        gates=("auc >= 0.8",),
        result=GOOD,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the names and types are those of Run's fields


def report(*states: ModelState, waivers: tuple[Waiver, ...] = (), notice: Notice | None = None) -> Report:
    return build_report(
        SUBJECT, states, waivers=waivers, notice=notice, target_branch="main", links=Links("http://bot")
    )


def check(*states: ModelState, waivers: tuple[Waiver, ...] = ()) -> Check:
    [only] = checks_of(report(*states, waivers=waivers))
    return only


def failed(failure: Failure | None, steps: tuple[StepResult, ...] = ()) -> ModelState:
    return ModelState(run(Phase.FAILED, result=replace(GOOD, state="failed", failure=failure, steps=steps)))


PROGRESS = EngineRun(
    "run-1",
    EngineState.RUNNING,
    (
        StepProgress("fetch", "succeeded", NOW, NOW),
        StepProgress("train", "running", NOW),
        StepProgress("eval", "pending"),
    ),
)


@pytest.mark.parametrize(
    ("state", "status", "conclusion", "title"),
    [
        (ModelState(run(Phase.QUEUED), queue_place=3), CheckStatus.QUEUED, None, "Queued, place 3"),
        (ModelState(run(Phase.QUEUED)), CheckStatus.QUEUED, None, "Queued"),
        (ModelState(run(Phase.STARTING)), CheckStatus.IN_PROGRESS, None, "Starting"),
        (
            ModelState(run(Phase.RUNNING), engine=PROGRESS),
            CheckStatus.IN_PROGRESS,
            None,
            "Running train, step 2 of 3",
        ),
        (
            ModelState(run(Phase.RUNNING, cancel_requested_by="bob"), engine=PROGRESS),
            CheckStatus.IN_PROGRESS,
            None,
            "Being canceled",
        ),
        (ModelState(run(Phase.SUCCEEDED)), CheckStatus.COMPLETED, Conclusion.SUCCESS, "1 gate passed"),
        (
            ModelState(run(Phase.SUCCEEDED, gates=("auc >= 0.95", "auc > 0"))),
            CheckStatus.COMPLETED,
            Conclusion.FAILURE,
            "1 of 2 gates missed: auc >= 0.95",
        ),
        (
            ModelState(run(Phase.REUSED, reused_run="run-0")),
            CheckStatus.COMPLETED,
            Conclusion.SUCCESS,
            "1 gate passed (reused)",
        ),
        (
            ModelState(run(Phase.SUCCEEDED, gates=())),
            CheckStatus.COMPLETED,
            Conclusion.NEUTRAL,
            "No gates: nothing was required of this result",
        ),
        (
            ModelState(run(Phase.SUCCEEDED, gates=(), result=replace(GOOD, metrics={}))),
            CheckStatus.COMPLETED,
            Conclusion.NEUTRAL,
            "No metrics and no gates: nothing was measured",
        ),
        (
            ModelState(run(Phase.SUCCEEDED, result=replace(GOOD, metrics={}))),
            CheckStatus.COMPLETED,
            Conclusion.FAILURE,
            "1 of 1 gate missed: auc >= 0.8",
        ),
        (
            ModelState(run(Phase.CANCELED, cancel_requested_by="bob", result=None)),
            CheckStatus.COMPLETED,
            Conclusion.CANCELED,
            "Canceled by bob",
        ),
        (
            ModelState(run(Phase.SUPERSEDED, result=None)),
            CheckStatus.COMPLETED,
            Conclusion.CANCELED,
            "Superseded: a newer commit or request took its place",
        ),
        (
            failed(Failure("train", FailureKind.MEMORY, "killed: it used more than 2.0 GiB of memory")),
            CheckStatus.COMPLETED,
            Conclusion.FAILURE,
            "Train failed: killed: it used more than 2.0 GiB of memory",
        ),
        (failed(None), CheckStatus.COMPLETED, Conclusion.FAILURE, "Failed without a word"),
        (
            ModelState(run(Phase.SUCCEEDED, result=None)),
            CheckStatus.COMPLETED,
            Conclusion.FAILURE,
            "Failed without a word",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_a_check_says_where_its_model_stands(
    state: ModelState, status: CheckStatus, conclusion: Conclusion | None, title: str
) -> None:
    assert check(state) == Check(
        name="mlops/churn",
        sha=SHA,
        status=status,
        conclusion=conclusion,
        title=title,
        summary="",
        details_url="http://bot/runs/run-1",
    )


def test_invariant_6_empty_is_not_success() -> None:
    nothing_touched = Notice(SHA, "neutral", "Nothing to run", "- `churn`: nothing below it has changed.")

    checks = checks_of(report(notice=nothing_touched))

    assert [(one.name, one.conclusion, one.title) for one in checks] == [
        ("mlops", Conclusion.NEUTRAL, "Nothing to run")
    ]


def test_an_invalid_project_fails_with_every_error_at_its_line() -> None:
    errors = tuple(Annotation("mlops.yaml", line, "wrong") for line in range(1, 80))

    [shown] = checks_of(report(notice=Notice(SHA, "failure", "`mlops.yaml` has 79 errors", "…", errors)))

    assert (shown.name, shown.conclusion, shown.title) == ("mlops", Conclusion.FAILURE, "'mlops.yaml' has 79 errors")
    assert shown.annotations == errors[:ANNOTATION_LIMIT]
    assert shown.details_url == "http://bot/repositories/plain/models/changes/3"


def test_a_failure_is_shown_at_the_line_where_it_happened() -> None:
    frames = (Frame("a/train.py", 4, "main"), Frame("a/lib.py", 9, "load"))
    failure = Failure("train", FailureKind.EXCEPTION, "KeyError: 'age'", "Does the data have it?", frames)

    assert check(failed(failure)).annotations == (
        Annotation("a/train.py", 4, "train failed below this call", "notice"),
        Annotation("a/lib.py", 9, "train failed: KeyError: 'age'\nDoes the data have it?", "failure"),
    )


def test_a_line_outside_of_the_repository_is_not_annotated() -> None:
    frames = (Frame("/etc/passwd", 1), Frame("../x.py", 1), Frame("a.py", 0), Frame("a\nb.py", 1), Frame("", 1))

    assert check(failed(Failure("train", FailureKind.EXCEPTION, "no", "", frames))).annotations == ()


def test_a_canceled_run_annotates_nothing() -> None:
    failure = Failure("train", FailureKind.CANCELED, "The run was canceled.", "", (Frame("a.py", 1),))
    state = ModelState(run(Phase.CANCELED, result=replace(GOOD, failure=failure)))

    assert check(state).annotations == ()


def test_a_waiver_lets_the_check_pass_and_counts_for_its_own_model_only() -> None:
    missed = ModelState(run(Phase.SUCCEEDED, gates=("auc >= 0.95",)))
    waiver = Waiver("plain/models", 3, "churn", "auc>=0.95", "holiday", "bob", NOW, NOW + timedelta(days=1))

    waived = report(missed, waivers=(waiver,)).models[0]
    other = report(missed, waivers=(replace(waiver, model="other"),)).models[0]

    assert (waived.standing, waived.waivers) == (Standing.WAIVED, ())
    assert (other.standing, other.waivers) == (Standing.MISSED, ())
    assert check(missed, waivers=(waiver,)).title == "1 gate passed, 1 by a waiver until 2026-11-24"


def test_a_waiver_that_no_gate_needed_is_still_shown() -> None:
    waiver = Waiver("plain/models", 3, "churn", "auc >= 0.8", "holiday", "bob", NOW, NOW + timedelta(days=1))

    shown = report(ModelState(run(Phase.SUCCEEDED)), waivers=(waiver,)).models[0]

    assert (shown.standing, shown.waivers) == (Standing.PASSED, (waiver,))


def test_the_log_of_a_failed_step_is_its_last_lines_without_secrets() -> None:
    tail = (*(f"line {number}" for number in range(200)), "token ghp_0123456789abcdefghijABCDEFGHIJ012345")
    steps = (
        StepResult("fetch", "succeeded", NOW, NOW, log_tail=("x",)),
        StepResult("train", "failed", NOW, NOW, 1, log_tail=tail),
    )

    shown = report(failed(Failure("train", FailureKind.EXIT, "exit code 1"), steps)).models[0]

    assert shown.log == (*(f"line {number}" for number in range(171, 200)), "token ***")


def test_a_failure_that_names_no_step_shows_the_log_of_the_one_that_failed() -> None:
    steps = (StepResult("train", "failed", NOW, NOW, -9, log_tail=("last words",)),)

    shown = report(failed(Failure("engine", FailureKind.LOST, "The engine went away."), steps)).models[0]

    assert shown.log == ("last words",)


def test_a_reused_run_shows_the_other_runs_result_and_files() -> None:
    other = replace(GOOD, run_id="run-0", metrics={"auc": Metric(0.7)})

    shown = report(ModelState(run(Phase.REUSED, result=None, reused_run="run-0"), reused=other)).models[0]

    assert (shown.result, shown.files_run, shown.standing) == (other, "run-0", Standing.MISSED)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ((), "nothing has run yet"),
        ((Phase.SUCCEEDED,), "`churn`: 1 gate passed"),
        ((Phase.SUCCEEDED, Phase.SUCCEEDED), "all 2 models passed their gates"),
        ((Phase.SUCCEEDED, Phase.FAILED, Phase.QUEUED), "3 models: 1 failed, 1 queued, 1 passed"),
    ],
)
def test_the_first_line_sums_up_the_change(phases: tuple[Phase, ...], words: str) -> None:
    assert overall_words(report(*(ModelState(run(phase)) for phase in phases))) == words


def test_a_check_is_on_the_commit_that_its_run_is_of() -> None:
    assert check(ModelState(run(Phase.SUCCEEDED, sha="b" * 40))).sha == "b" * 40
