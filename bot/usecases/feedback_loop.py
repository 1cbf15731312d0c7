"""Make a forge show what should be shown: one living comment, a check per model, answers to comments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256

import structlog

from bot.comments.render import MARKER, render_checks, render_comment
from bot.domain.check import Check
from bot.domain.feedback import Reply, Shown, SubjectFeedback
from bot.domain.report import Report
from bot.ports.store import Claim
from bot.usecases.reports import subject_report
from bot.usecases.world import World

log = structlog.get_logger()


def feedback_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_converge, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Nothing more is sent until something new happens, which wakes the row."""
    log.error("feedback_given_up", row=claim.id, problem=error)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


def _converge(claim: Claim, world: World) -> None:
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
    shown = _put_checks(report, feedback, world)
    if feedback.subject.number is not None:
        shown = _put_comment(report, feedback, shown, world)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_feedback(replace(feedback, shown=shown))


def _put_checks(report: Report, feedback: SubjectFeedback, world: World) -> Shown:
    forge = world.forge_of(feedback.subject.repository)
    checks = dict(feedback.shown.checks)
    for check in render_checks(report, limit=forge.capabilities.check_text_limit):
        place = f"{check.sha}/{check.name}"
        known_id, known_digest = checks.get(place, (None, ""))
        digest = _digest(check)
        if digest != known_digest:
            checks[place] = (forge.put_check(feedback.subject.repository, check, known_id=known_id), digest)
    current = {place: sent for place, sent in checks.items() if place.startswith(f"{feedback.subject.sha}/")}
    return replace(feedback.shown, checks=current)


def _put_comment(report: Report, feedback: SubjectFeedback, shown: Shown, world: World) -> Shown:
    subject = feedback.subject
    assert subject.number is not None
    change = world.store.change(subject.repository, subject.number)
    is_said_by_check = not report.models and (report.notice is None or report.notice.conclusion == "neutral")
    if change is None or (is_said_by_check and shown.comment_id is None):
        return shown
    forge = world.forge_of(subject.repository)
    body = render_comment(report, limit=forge.capabilities.comment_limit)
    digest = sha256(body.encode()).hexdigest()
    if digest == shown.comment_digest:
        return shown
    comment_id = forge.put_comment(change, marker=MARKER, body=body, known_id=shown.comment_id)
    return replace(shown, comment_id=comment_id, comment_digest=digest)


def _digest(check: Check) -> str:
    return sha256(repr(check).encode()).hexdigest()
