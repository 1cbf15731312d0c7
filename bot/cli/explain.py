"""`mlops-bot explain`: what would run, why, as what, who may say so, and what is missing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from bot.cli.asking import ask, repository_key

if TYPE_CHECKING:
    from bot.settings import Settings

PAYLOAD_LIMIT_BYTES = 25 * 1024 * 1024  # GitHub's own limit


@click.command
@click.argument("repository", required=False)
@click.argument("change", type=click.IntRange(min=1), required=False)
@click.option("--payload", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A webhook's body.")
@click.option("--event", default="", help="The payload's event, as GitHub names it; guessed without it.")
@click.option("--user", default="", help="Whose permission to look at; by default the author's.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    repository: str | None, change: int | None, payload: Path | None, event: str, user: str, as_json: bool
) -> None:
    """Say what would run for CHANGE of REPOSITORY, or for what a webhook tells (--payload FILE). Nothing is started.

    For each model: whether it runs and why, to what it is pinned, whose gates count, and what is missing. The running
    service is asked.
    """
    from bot.settings import load_settings

    if (payload is None) == (repository is None or change is None):
        raise click.UsageError("Name a REPOSITORY and a CHANGE, or a --payload FILE.")
    settings = load_settings(os.environ)
    if payload is not None:
        explanations = _of_payload(settings, payload, event, user)
    else:
        place = f"/api/v1/repositories/{quote(repository_key(str(repository)))}/changes/{change}/explanation"
        explanations = [ask(settings, "GET", place, params={"user": user} if user else {})]
    if as_json:
        click.echo(json.dumps(explanations if payload is not None else explanations[0], indent=2))
    else:
        click.echo("\n\n".join(_text(one) for one in explanations) or "Nothing would come of it.")


def _of_payload(settings: Settings, file: Path, event: str, user: str) -> list[dict[str, Any]]:
    from bot.domain.errors import UserError

    with file.open("rb") as stream:
        body = stream.read(PAYLOAD_LIMIT_BYTES + 1)
    if len(body) > PAYLOAD_LIMIT_BYTES:
        raise UserError(f"{file} is longer than any webhook's body.")
    sent = {"event": event, "user": user, "body": body.decode("utf-8", "replace")}
    explanations: list[dict[str, Any]] = ask(settings, "POST", "/api/v1/explanations", json=sent)
    return explanations


def _text(explanation: dict[str, Any]) -> str:
    lines = [explanation["subject"]]
    lines += [f"  {name}: {explanation[key]}" for name, key in _LINES if explanation[key]]
    lines += [f"  server: {asked}" for asked in explanation["server"]]
    lines += [f"  missing: {problem}" for problem in _indented(explanation["missing"])]
    for model in explanation["models"]:
        lines += ["", *_model_lines(model)]
    return "\n".join(lines)


_LINES = (("head", "sha"), ("author", "author"), ("policy", "policy"), ("who may", "who"), ("note", "note"))


def _model_lines(model: dict[str, Any]) -> list[str]:
    lines = [f"  {'RUNS' if model['runs'] else 'no  '}  {model['name']}: {model['reason']}"]
    params = ", ".join(f"{name}={value}" for name, value in (model["params"] or {}).items())
    shown = (
        ("outcome", model["outcome"]),
        ("commit", model["sha"]),
        ("data", model["data"]),
        ("params", params),
        ("gates", "; ".join(model["gates"])),
    )
    lines += [f"        {name}: {value}" for name, value in shown if value]
    lines += [f"        deploy to {rule}" for rule in model["deploys"]]
    lines += [f"        note: {note}" for note in model["notes"]]
    return lines + [f"        missing: {problem}" for problem in _indented(model["missing"])]


def _indented(problems: list[str]) -> list[str]:
    return [problem.replace("\n", "\n    ") for problem in problems]
