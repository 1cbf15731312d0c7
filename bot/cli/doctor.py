"""`mlops-bot doctor`: what works, what does not, and the remedy."""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING, Any

import click

from bot.cli.asking import ask, is_running

if TYPE_CHECKING:
    from bot.settings import Settings

NARROWEST_WORDS = 30  # characters


@click.command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Say of store, engine, artifact store, forges, git, uv, disk and hooks what works and what does not.

    A running service is asked; without one, each part is opened and looked at here. Ends with 0 when all works, with 1
    when something does not.
    """
    import shutil

    from bot.domain.errors import UserError
    from bot.settings import load_settings

    if shutil.which("git") is None:  # nothing of ours can even be imported then
        raise UserError("git is not installed.", "Install git 2.34 or newer. On Debian or Ubuntu: apt install git")
    settings = load_settings(os.environ)
    running = is_running(settings)
    findings = _asked(settings) if running else _looked_at(settings)
    if as_json:
        click.echo(json.dumps({"service": "running" if running else "not running", "findings": findings}, indent=2))
    else:
        click.echo(_table(findings, width=shutil.get_terminal_size((100, 24)).columns))
        click.echo(_summary(findings, running=running))
    context.exit(0 if all(finding["works"] for finding in findings) else 1)


def _asked(settings: Settings) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = ask(settings, "GET", "/api/v1/doctor")["findings"]
    return findings


def _looked_at(settings: Settings) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from bot import logs
    from bot.usecases.doctor import examine
    from bot.wiring.doctor import machine_checks, resting_checks

    logs.configure(json_lines=settings.log_json, secrets=settings.secret_values)
    checks = {**resting_checks(settings), **machine_checks(settings)}
    return [asdict(finding) for finding in examine(checks, secrets=settings.secret_values)]


def _table(findings: list[dict[str, Any]], *, width: int) -> str:
    """State is told by a word and a sign, not by colour alone."""
    column = max(len(finding["part"]) for finding in findings) + 2
    room = max(width - column - 4, NARROWEST_WORDS)
    lines = []
    for finding in findings:
        sign = click.style("ok", fg="green") if finding["works"] else click.style("NO", fg="red", bold=True)
        first, *rest = textwrap.wrap(finding["words"], room) or [""]
        lines.append(f"{sign}  {finding['part']:{column}}{first}")
        fix = textwrap.wrap(f"fix: {finding['fix']}", room) if finding["fix"] else []
        lines += [" " * (column + 4) + line for line in (*rest, *fix)]
    return "\n".join(lines)


def _summary(findings: list[dict[str, Any]], *, running: bool) -> str:
    failing = [finding["part"] for finding in findings if not finding["works"]]
    said = f"Does not work: {', '.join(failing)}." if failing else "All works."
    return said if running else f"{said} The service is not running; start it: mlops-bot serve"
