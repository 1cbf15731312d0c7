"""Deployments in a report: a table of all, and for each what it needs, or what came of it."""

from __future__ import annotations

from bot.comments.escape import Markdown, code_span, link, md_escape, prose, url
from bot.comments.fit import Block
from bot.comments.prediction import curl_line
from bot.comments.templating import StepSymbols, render
from bot.comments.versions import comparison_rows
from bot.domain.deployment import DeploymentKind, DeploymentPhase
from bot.domain.links import Links
from bot.domain.report_deployment_words import (
    SYMBOLS,
    barred_words,
    deployment_words,
    expires_at,
    next_step,
    people_words,
    served_words,
)
from bot.domain.report_deployments import DeploymentLine

SHOWN_ROWS = 30
SHOWN_COMPARED = 40
SHOWN_PEOPLE = 20
WORDS_LIMIT = 600  # characters
_TOLD_BY_THE_TABLE = (DeploymentPhase.REPLACED, DeploymentPhase.SUPERSEDED)
_DOES_NOT_SERVE = (
    DeploymentPhase.REPLACED,
    DeploymentPhase.FAILED,
    DeploymentPhase.REJECTED,
    DeploymentPhase.EXPIRED,
    DeploymentPhase.CANCELED,
)
_IMPORTANCE = {DeploymentPhase.WAITING_FOR_APPROVAL: 93, DeploymentPhase.FAILED: 92}


def deployment_blocks(lines: tuple[DeploymentLine, ...], links: Links | None) -> list[Block]:
    if not lines:
        return []
    rows = [_row(line, links) for line in lines[:SHOWN_ROWS]]
    table = render("deployments", rows=rows, more=max(0, len(lines) - SHOWN_ROWS))
    told = [line for line in lines[:SHOWN_ROWS] if line.deployment.phase not in _TOLD_BY_THE_TABLE]
    return [Block("the table of deployments", 94, (table,)), *(deployment_block(line, links) for line in told)]


def deployment_block(line: DeploymentLine, links: Links | None, *, heading: bool = True) -> Block:
    deployment = line.deployment
    name = f"deployment of {code_span(deployment.model)} to {code_span(deployment.environment)}"
    variants = (_details(line, links, heading=heading), _details(line, links, heading=heading, is_short=True))
    return Block(name, _IMPORTANCE.get(deployment.phase, 78), variants)


def state_words(line: DeploymentLine) -> Markdown:
    return Markdown(f"{SYMBOLS[line.deployment.phase]} {prose(deployment_words(line))}")


def version_words(line: DeploymentLine) -> Markdown:
    """What is deployed: a version, or what is to become one."""
    deployment = line.deployment
    if deployment.version:
        return code_span(deployment.version)
    return Markdown(f"commit {code_span(deployment.sha[:10])}")


def _row(line: DeploymentLine, links: Links | None) -> dict[str, object]:
    deployment = line.deployment
    address = links.deployment(deployment.id) if links else ""
    is_rollback = deployment.kind is DeploymentKind.ROLLBACK
    return {
        "environment": code_span(deployment.environment),
        "model": code_span(deployment.model),
        "version": Markdown(f"back to {version_words(line)}") if is_rollback else version_words(line),
        "state": link(state_words(line), address),
        "by": md_escape(deployment.requested_by, limit=60),
    }


def _details(line: DeploymentLine, links: Links | None, *, heading: bool, is_short: bool = False) -> Markdown:
    phase = line.deployment.phase
    waits = phase is DeploymentPhase.WAITING_FOR_APPROVAL
    rows = comparison_rows(line) if waits and not is_short else []
    return render(
        "deployment",
        heading=heading,
        deployment=line.deployment,
        state=state_words(line),
        approved_by=Markdown(", ".join(md_escape(name, limit=60) for name in line.approved_by[:SHOWN_PEOPLE])),
        words=prose(line.deployment.words, limit=WORDS_LIMIT),
        voided=prose(line.deployment.voided, limit=WORDS_LIMIT),
        rows=rows[:SHOWN_COMPARED],
        more=max(0, len(rows) - SHOWN_COMPARED),
        live=line.live,
        gates=_gates(line) if waits else [],
        approval=_approval(line) if waits else None,
        steps=line.progress if phase is DeploymentPhase.DEPLOYING else (),
        step_symbols=StepSymbols(),
        run_address=_run_address(line, links),
        served=prose(served_words(line)) if phase in _DOES_NOT_SERVE else "",
        address=_address(line, links),
        curl=[curl_line(line, links)] if links else [],
        next_step=prose(next_step(line)),
    )


def _approval(line: DeploymentLine) -> dict[str, object]:
    return {
        "people": prose(people_words(line.deployment.rule.approvers), limit=WORDS_LIMIT),
        "barred": prose(barred_words(line.barred), limit=WORDS_LIMIT),
        "expires_on": Markdown(f"{expires_at(line.deployment):%Y-%m-%d}"),
    }


def _gates(line: DeploymentLine) -> list[Markdown]:
    """Whether they are met, and what was let pass, by whom, until when."""
    if line.judgement is None:
        return []
    waivers = [one.waiver for one in line.judgement.outcomes if one.waiver is not None]
    summary = line.judgement.summary
    return [
        prose(f"{summary[:1].upper()}{summary[1:]}."),
        *(
            Markdown(
                f"{md_escape(waiver.granted_by, limit=60)} waived {code_span(waiver.gate)} until "
                f"{waiver.expires_at:%Y-%m-%d}: {md_escape(waiver.reason)}"
            )
            for waiver in waivers
        ),
    ]


def _run_address(line: DeploymentLine, links: Links | None) -> str:
    run = line.deployment.pipeline_run
    shown = line.deployment.phase in (DeploymentPhase.DEPLOYING, DeploymentPhase.FAILED)
    return links.run(run) if links and run and shown else ""


def _address(line: DeploymentLine, links: Links | None) -> Markdown:
    """Where predictions are asked for, while it is live."""
    if links is None or line.deployment.phase is not DeploymentPhase.LIVE:
        return Markdown("")
    return Markdown(url(links.served(line.deployment.environment, line.deployment.model)))
