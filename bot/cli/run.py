"""`mlops-bot run`: the models of this working tree, without a service."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pipeline", type=click.Choice(["train", "evaluate"]))
@click.argument("words", nargs=-1, metavar="[MODEL] [NAME=VALUE]…")
@click.option("--force", is_flag=True, help="Run even if an equal run has succeeded.")
@click.option(
    "--data", "data_rev", default="", metavar="REV", help="Revision of the data, instead of the declared one."
)
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The working tree (default: here).",
)
def command(pipeline: str, words: tuple[str, ...], force: bool, data_rev: str, folder: Path) -> None:
    """Run the standard pipeline on this working tree, uncommitted changes included, and print the report.

    \b
    mlops-bot run train                       all models
    mlops-bot run train churn max_depth=4     one model, with a value for a param
    mlops-bot run evaluate churn              evaluate the newest trained model again

    \b
    Exit codes: 0 good, 1 a gate was missed, 2 something to mend in what was asked, 3 a step failed, 130 Ctrl-C.
    """
    from bot.local_run import Request, run_here
    from bot.settings import load_settings

    models = [word for word in words if "=" not in word]
    params = dict(word.split("=", 1) for word in words if "=" in word)
    if len(models) > 1:
        raise click.UsageError(f"One model at a time, or none for all; found {', '.join(models)}.")
    request = Request(pipeline, next(iter(models), None), params, data_rev=data_rev, force=force)
    sys.exit(run_here(folder, request, load_settings(os.environ)))
