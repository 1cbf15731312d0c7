"""Make a forge show what should be shown: one living comment, a check per model, answers to comments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

import structlog

from bot.comments.render import MARKER, render_checks, render_comment
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.domain.feedback import Reply, Shown, SubjectFeedback
from bot.domain.report import Report
from bot.domain.report_checks import (
    NOTICE_CHECK,
    actions_of,
    deployment_check_name,
    is_deployment_check,
    moved_check,
)
from bot.ports.store import Claim
from bot.usecases.deployments.on_forge import show_on_forge
from bot.usecases.reports import subject_report
from bot.usecases.world import World

log = structlog.get_logger()

_OPEN = (None, Conclusion.ACTION_REQUIRED)  # conclusions of checks that will change
Sent = Mapping[str, tuple[str, str]]


def feedback_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_converge, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Nothing more is sent until something new happens, which wakes the row."""
    log.error("feedback_given_up", row=claim.id, problem=error)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


def _converge(claim: Claim, world: World) -> None:
    """A wake-up ends a claim, so another thread may take the row while this one still posts: one after the other."""
    with world.turn_of(claim.id):
        reply = world.store.reply(claim.id) if claim.id.startswith("reply:") else None
        feedback = world.store.feedback(claim.id) if reply is None else None
        if reply is not None:
            _answer(claim, reply, world)
        elif feedback is not None:
            _show(claim, feedback, world)


def _answer(claim: Claim, reply: Reply, world: World) -> None:
    forge = world.forge_of(reply.repository)
    change = world.store.change(reply.repository, reply.number)
    if reply.shown_reaction is not reply.reaction:
        forge.react(reply.repository, reply.number, reply.comment_id, reply.reaction)
    posted_id = reply.posted_id
    if posted_id is None and reply.body and change is not None:
        marker = f"<!-- mlops-bot:{reply.id} -->"
        posted_id = forge.put_comment(change, marker=marker, body=f"{reply.body}\n\n{marker}", known_id=None)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_reply(replace(reply, shown_reaction=reply.reaction, posted_id=posted_id))


def _show(claim: Claim, feedback: SubjectFeedback, world: World) -> None:
    report = subject_report(feedback, world)
    pause_until = _pause_until(report, feedback, world)
    if pause_until is not None:
        with world.store.transaction() as tx:
            tx.settle(claim, next_check_at=pause_until)
        return
    checked = _put_checks(report, feedback, world)
    _remember(claim, feedback.shown, checked, world)
    waits_until = _comment_waits_until(report, checked, world)
    if feedback.subject.number is not None and waits_until is None:
        _remember(claim, checked, _put_comment(report, feedback, checked, world), world)
    show_on_forge(feedback.subject, world)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=waits_until)


def _comment_waits_until(report: Report, shown: Shown, world: World) -> datetime | None:
    """While little is left of a forge's quota, a comment is sent only when something has ended since the last one."""
    subject = report.subject
    is_on_its_way = any(not model.run.phase.is_final for model in report.models)
    if subject.number is None or not is_on_its_way or _ends(report) not in ("", shown.comment_digest.partition(".")[2]):
        return None
    return world.forge_of(subject.repository).saves_quota_until(subject.repository)


def _ends(report: Report) -> str:
    """A digest of what will not change any more; "" for nothing."""
    ended = [f"{model.run.id}: {model.run.phase}" for model in report.models if model.run.phase.is_final]
    said = [*ended, *([repr(report.notice)] if report.notice is not None else [])]
    return sha256("\n".join(said).encode()).hexdigest()[:16] if said else ""


def _pause_until(report: Report, feedback: SubjectFeedback, world: World) -> datetime | None:
    """When progress may be sent again, where a forge counts calls; an end is sent at once. What a comment asked for was
    just told by the answer to it."""
    every_s = world.forge_of(feedback.subject.repository).capabilities.progress_every_s
    sent_at = feedback.shown.sent_at
    on_their_way = [model.run for model in report.models if not model.run.phase.is_final]
    is_deploying = any(line.deployment.phase.holds_turn for line in report.deployments)
    if not every_s or sent_at is None or not (on_their_way or is_deploying):
        return None
    told_at = max([sent_at, *(run.requested_at for run in on_their_way if run.trigger.startswith("comment:"))])
    again_at = told_at + timedelta(seconds=every_s)
    return again_at if world.clock() < again_at else None


def _remember(claim: Claim, before: Shown, now: Shown, world: World) -> None:
    """At once, though the claim may be lost: what was sent must not be sent again."""
    if now != before:
        with world.store.transaction() as tx:
            tx.save_shown(claim.id, replace(now, sent_at=world.clock()))


def _put_checks(report: Report, feedback: SubjectFeedback, world: World) -> Shown:
    """Those of older heads are followed until they are completed: a commit must not wait for ever."""
    subject = feedback.subject
    known = feedback.shown.checks
    current = _rendered(report, world)
    if report.notice is None and f"{subject.sha}/{NOTICE_CHECK}" in known:
        current.append(_taken_back(subject.sha, report.page))
    shown = _put_each(current, subject.repository, known, world)
    for sha in sorted({place.partition("/")[0] for place in known} - {subject.sha}):
        older = replace(feedback, subject=replace(subject, sha=sha), notice=None)
        checks = [check for check in _rendered(subject_report(older, world), world) if _place(check) in known]
        sent = _put_each(checks, subject.repository, known, world)
        shown.update((_place(check), sent[_place(check)]) for check in checks if check.conclusion in _OPEN)
    _put_each(_left_behind(known, shown, report), subject.repository, known, world)
    return replace(feedback.shown, checks=shown)


def _left_behind(known: Sent, shown: Sent, report: Report) -> list[Check]:
    """Checks of deployments that are about another commit now: they must neither wait nor keep their buttons."""
    checks = []
    for place in sorted(known.keys() - shown.keys()):
        sha, _, name = place.partition("/")
        if is_deployment_check(name):
            lines = [line for line in report.deployments if deployment_check_name(line.deployment) == name]
            deployment = lines[0].deployment if lines and lines[0].deployment.sha != sha else None
            checks.append(moved_check(name, sha, report.links, deployment))
    return checks


def _taken_back(sha: str, page: str) -> Check:
    words = "What was said here does not hold any more."
    return Check(NOTICE_CHECK, sha, CheckStatus.COMPLETED, Conclusion.NEUTRAL, "Taken back", words, page)


def _rendered(report: Report, world: World) -> list[Check]:
    can = world.forge_of(report.subject.repository).capabilities
    checks = render_checks(report, limit=can.check_text_limit)
    return [replace(check, actions=actions_of(check)) for check in checks] if can.buttons else checks


def _put_each(checks: Sequence[Check], repository: str, known: Sent, world: World) -> dict[str, tuple[str, str]]:
    sent = {}
    for check in checks:
        known_id, known_digest = known.get(_place(check), (None, ""))
        digest = _digest(check)
        if digest != known_digest:
            known_id = world.forge_of(repository).put_check(repository, check, known_id=known_id)
        sent[_place(check)] = (known_id or "", digest)
    return sent


def _place(check: Check) -> str:
    return f"{check.sha}/{check.name}"


def _put_comment(report: Report, feedback: SubjectFeedback, shown: Shown, world: World) -> Shown:
    subject = feedback.subject
    assert subject.number is not None
    change = world.store.change(subject.repository, subject.number)
    forge = world.forge_of(subject.repository)
    has_words = (
        report.models or report.deployments or (report.notice is not None and report.notice.conclusion != "neutral")
    )
    if change is None:
        return shown
    is_said_by_check = not has_words and (forge.capabilities.checks_on_forks or not change.from_fork)
    if is_said_by_check and shown.comment_id is None:
        return shown
    body = render_comment(report, limit=forge.capabilities.comment_limit)
    digest = f"{sha256(body.encode()).hexdigest()}.{_ends(report)}"
    if digest == shown.comment_digest:
        return shown
    comment_id = forge.put_comment(change, marker=MARKER, body=body, known_id=shown.comment_id)
    return replace(shown, comment_id=comment_id, comment_digest=digest)


def _digest(check: Check) -> str:
    return sha256(repr(check).encode()).hexdigest()
