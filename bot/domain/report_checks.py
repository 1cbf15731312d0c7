"""The checks of a report: one per model, `mlops/<model>`, one per deployment, `mlops/<model>/<environment>`, and
`mlops` for what is said besides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from bot.domain.check import Annotation, Check, CheckAction, CheckStatus, Conclusion
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import Notice
from bot.domain.links import Links
from bot.domain.report import ModelReport, Report, Standing
from bot.domain.report_deployment_words import deployment_words
from bot.domain.report_deployments import DeploymentLine
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
_STATUSES = {
    DeploymentPhase.WAITING_FOR_RUN: CheckStatus.QUEUED,
    DeploymentPhase.WAITING_FOR_TURN: CheckStatus.QUEUED,
    DeploymentPhase.REGISTERING: CheckStatus.IN_PROGRESS,
    DeploymentPhase.DEPLOYING: CheckStatus.IN_PROGRESS,
}
_DEPLOYMENT_CONCLUSIONS = {
    DeploymentPhase.WAITING_FOR_APPROVAL: Conclusion.ACTION_REQUIRED,
    DeploymentPhase.LIVE: Conclusion.SUCCESS,
    DeploymentPhase.FAILED: Conclusion.FAILURE,
    DeploymentPhase.REPLACED: Conclusion.NEUTRAL,
    DeploymentPhase.REJECTED: Conclusion.NEUTRAL,
    DeploymentPhase.SUPERSEDED: Conclusion.CANCELED,
    DeploymentPhase.EXPIRED: Conclusion.CANCELED,
    DeploymentPhase.CANCELED: Conclusion.CANCELED,
}

RETRAIN, CANCEL = "retrain", "cancel"
APPROVE, REJECT = "approve", "reject"  # which deployment the check's name and commit tell


def actions_of(check: Check) -> tuple[CheckAction, ...]:
    """The buttons for a check, where the forge has any."""
    if check.name == NOTICE_CHECK:
        return ()
    if is_deployment_check(check.name):
        if check.conclusion is not Conclusion.ACTION_REQUIRED:
            return ()
        return (
            CheckAction(APPROVE, "Approve", "Let this model go live"),
            CheckAction(REJECT, "Reject", "Turn this deployment down"),
        )
    if check.status is CheckStatus.COMPLETED:
        return (CheckAction(RETRAIN, "Retrain", "Run it again, reusing nothing"),)
    return (CheckAction(CANCEL, "Cancel", "End this run"),)


def check_name(model: str) -> str:
    return f"{NOTICE_CHECK}/{model}"


def deployment_check_name(deployment: Deployment) -> str:
    return f"{check_name(deployment.model)}/{deployment.environment}"


def is_deployment_check(name: str) -> bool:
    """Names of models and environments hold no `/`."""
    return name.startswith(f"{NOTICE_CHECK}/") and name.count("/") == 2


def checks_of(report: Report) -> list[Check]:
    """`summary` is left empty, and is Markdown: `bot.comments.render_checks` fills it.

    A model's check is on the commit that its run is of, which is older than the subject's when the run is; so is that
    of a deployment.
    """
    checks = [_model_check(model, report) for model in report.models]
    checks += [approval_check(line, report.links) for line in checked_deployments(report)]
    return [*checks, _notice_check(report.notice, report)] if report.notice else checks


def checked_deployments(report: Report) -> list[DeploymentLine]:
    """Of several into the same place from the same commit, the newest."""
    newest: dict[tuple[str, str], DeploymentLine] = {}
    for line in sorted(report.deployments, key=lambda one: one.deployment.requested_at):
        newest[deployment_check_name(line.deployment), line.deployment.sha] = line
    return list(newest.values())


def approval_check(line: DeploymentLine, links: Links | None) -> Check:
    """While it waits for approval it needs action, and has *Approve* and *Reject* where the forge has buttons."""
    deployment = line.deployment
    words = deployment_words(line)
    check = Check(
        name=deployment_check_name(deployment),
        sha=deployment.sha,
        status=_STATUSES.get(deployment.phase, CheckStatus.COMPLETED),
        conclusion=_DEPLOYMENT_CONCLUSIONS.get(deployment.phase),
        title=plain(words[:1].upper() + words[1:], limit=TITLE_LIMIT),
        summary="",
        details_url=links.deployment(deployment.id) if links else "",
    )
    return replace(check, actions=actions_of(check))


def moved_check(name: str, sha: str, links: Links | None, deployment: Deployment | None = None) -> Check:
    """For a commit that a deployment has left, so that it neither waits nor keeps its buttons. `deployment` is the one
    that is about another commit now, None where there is none any more."""
    if deployment is None:
        return Check(name, sha, CheckStatus.COMPLETED, Conclusion.NEUTRAL, "Nothing is deployed from here", "", "")
    title = f"Follows the change: it is now about {deployment.sha[:10]}"
    address = links.deployment(deployment.id) if links else ""
    words = f"What would be deployed has changed; its check is on `{deployment.sha[:10]}`."
    return Check(name, sha, CheckStatus.COMPLETED, Conclusion.NEUTRAL, title, words, address)


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
