"""Answers to comments that ask for a deployment."""

from __future__ import annotations

from collections.abc import Sequence

from bot.comments.blocks import gate_table
from bot.comments.deployments import version_words
from bot.comments.escape import Markdown, code_span, link, prose
from bot.comments.facts import override_words
from bot.domain.deployment import DeploymentKind, DeploymentPhase
from bot.domain.gate import Judgement
from bot.domain.links import Links
from bot.domain.report_deployment_words import barred_words, people_words
from bot.domain.report_deployments import DeploymentLine


def render_gate_refusal(
    judgement: Judgement,
    *,
    model: str,
    environment: str,
    run_id: str = "",
    links: Links | None = None,
    overriders: Sequence[str] = (),
) -> Markdown:
    """Why a result with unmet gates is not deployed, and who may let it pass. `overriders` are users and groups, empty
    for everybody who may write."""
    run = link(Markdown(f"run {code_span(run_id)}"), links.run(run_id) if links else "") if run_id else ""
    why = f"{code_span(model)} is not deployed to {code_span(environment)}: {prose(judgement.summary)}"
    may = prose(people_words(overriders))
    next_step = (
        f"Train a better one. Or let it pass all the same, with a reason: {override_words(judgement)}, by {may}; "
        f"then {code_span(f'/deploy {environment} {model}')} again."
    )
    return Markdown("\n\n".join([f"{why} ({run})." if run else f"{why}.", gate_table(judgement), next_step]))


def render_deploy_answer(
    line: DeploymentLine, *, links: Links | None, is_new: bool = True, waits_for_run: str = "", superseded: int = 0
) -> Markdown:
    """One line of a list. `is_new` is False for what was on its way already, `waits_for_run` is the run that has to end
    well first, `superseded` counts the requests whose place this one took."""
    deployment = line.deployment
    page = link(code_span(deployment.id), links.deployment(deployment.id) if links else "")
    back = "back " if deployment.kind is DeploymentKind.ROLLBACK else ""
    what = f"{code_span(deployment.model)} {back}to {code_span(deployment.environment)}"
    pinned = f"{version_words(line)}{_pins(line)}"
    now = _what_now(line, waits_for_run, links)
    if not is_new:
        return Markdown(f"- {what} is on its way already, as {page} ({pinned}): {now}")
    others = "an earlier request" if superseded == 1 else f"{superseded} earlier requests"
    taken = f" It takes the place of {others}." if superseded else ""
    return Markdown(f"- {what} is accepted as {page}, {pinned}: {now}{taken}")


def _pins(line: DeploymentLine) -> str:
    """To what it is pinned besides the commit."""
    facts = line.candidate
    if facts is None:
        return ""
    pins = [f"model {code_span(facts.model_digest[:19])}"] if facts.model_digest else []
    if facts.data is not None and facts.data.sha:
        pins.append(f"data {code_span(facts.data.sha[:10])}")
    return "".join(f", {pin}" for pin in pins)


def _what_now(line: DeploymentLine, waits_for_run: str, links: Links | None) -> str:
    rule = line.deployment.rule
    match line.deployment.phase:
        case DeploymentPhase.WAITING_FOR_RUN:
            run = link(code_span(waits_for_run), links.run(waits_for_run) if links else "")
            shown = run if waits_for_run else "its run"
            then = f", and {_approvals(line)}" if rule.approvals else ""
            return f"it goes live when {shown} has ended well and met its gates{then}."
        case DeploymentPhase.WAITING_FOR_APPROVAL:
            barred = f", but not by {prose(barred_words(line.barred))}" if line.barred else ""
            return (
                f"it waits for {_approvals(line)}{barred}. "
                f"They write {code_span(f'/approve {line.deployment.environment}')}."
            )
        case DeploymentPhase.WAITING_FOR_TURN if line.place:
            return f"it waits for its turn, place {line.place}, and then starts by itself."
        case DeploymentPhase.WAITING_FOR_TURN | DeploymentPhase.REGISTERING:
            return "it starts now."
        case DeploymentPhase.DEPLOYING:
            return "its steps are running."
        case _:
            return f"it is {line.deployment.phase}."


def _approvals(line: DeploymentLine) -> str:
    rule = line.deployment.rule
    number = "one approval" if rule.approvals == 1 else f"{rule.approvals} approvals"
    return f"{number} by {prose(people_words(rule.approvers))}"
