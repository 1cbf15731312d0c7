"""The checks of a report: one per model, `mlops/<model>`, and `mlops` for what is said besides."""

from __future__ import annotations

from pathlib import PurePosixPath

from bot.domain.check import Annotation, Check, CheckAction, CheckStatus, Conclusion
from bot.domain.feedback import Notice
from bot.domain.report import ModelReport, Report, Standing
from bot.domain.report_words import TITLE_LIMIT, model_words
from bot.domain.result import Failure
from bot.domain.words import plain

NOTICE_CHECK = "mlops"
ANNOTATION_LIMIT = 50  # GitHub takes as many in one request

_CONCLUSIONS = {
    Standing.FAILED: Conclusion.FAILURE,
    Standing.MISSED: Conclusion.FAILURE,
    Standing.RUNNING: None,
    Standing.QUEUED: None,
    Standing.CANCELED: Conclusion.CANCELED,
    Standing.SUPERSEDED: Conclusion.CANCELED,
    Standing.UNMEASURED: Conclusion.NEUTRAL,
    Standing.UNGATED: Conclusion.NEUTRAL,
    Standing.WAIVED: Conclusion.SUCCESS,
    Standing.PASSED: Conclusion.SUCCESS,
}


RETRAIN, CANCEL = "retrain", "cancel"


def actions_of(check: Check) -> tuple[CheckAction, ...]:
    """The buttons for a model's check, where the forge has any."""
    if check.name == NOTICE_CHECK:
        return ()
    if check.status is CheckStatus.COMPLETED:
        return (CheckAction(RETRAIN, "Retrain", "Run it again, reusing nothing"),)
    return (CheckAction(CANCEL, "Cancel", "End this run"),)


def check_name(model: str) -> str:
    return f"{NOTICE_CHECK}/{model}"


def checks_of(report: Report) -> list[Check]:
    """`summary` is left empty, and is Markdown: `bot.comments.render_checks` fills it.

    A model's check is on the commit that its run is of, which is older than the subject's when the run is.
    """
    checks = [_model_check(model, report) for model in report.models]
    return [*checks, _notice_check(report.notice, report)] if report.notice else checks


def _model_check(model: ModelReport, report: Report) -> Check:
    words = model_words(model)
    status = {Standing.QUEUED: CheckStatus.QUEUED, Standing.RUNNING: CheckStatus.IN_PROGRESS}
    failure = model.result.failure if model.result and model.standing is Standing.FAILED else None
    return Check(
        name=check_name(model.name),
        sha=model.run.sha,
        status=status.get(model.standing, CheckStatus.COMPLETED),
        conclusion=_CONCLUSIONS[model.standing],
        title=plain(words[:1].upper() + words[1:], limit=TITLE_LIMIT),
        summary="",
        details_url=report.links.run(model.run.id) if report.links else "",
        annotations=_annotations(failure) if failure else (),
    )


def _notice_check(notice: Notice, report: Report) -> Check:
    return Check(
        name=NOTICE_CHECK,
        sha=notice.sha,
        status=CheckStatus.COMPLETED,
        conclusion=Conclusion(notice.conclusion),
        title=plain(notice.title, limit=TITLE_LIMIT),
        summary="",
        details_url=report.page,
        annotations=notice.annotations[:ANNOTATION_LIMIT],
    )


def _annotations(failure: Failure) -> tuple[Annotation, ...]:
    """The innermost frame, which is the last, carries the message; the others tell how it was reached."""
    frames = [frame for frame in failure.frames if frame.line >= 1 and _is_in_repository(frame.file)]
    if not frames:
        return ()
    *callers, innermost = frames[-ANNOTATION_LIMIT:]
    message = f"{failure.step} failed: {failure.message}" + (f"\n{failure.fix}" if failure.fix else "")
    return (
        *(Annotation(frame.file, frame.line, f"{failure.step} failed below this call", "notice") for frame in callers),
        Annotation(innermost.file, innermost.line, message),
    )


def _is_in_repository(file: str) -> bool:
    path = PurePosixPath(file)
    return bool(file) and not path.is_absolute() and ".." not in path.parts and file.isprintable()
