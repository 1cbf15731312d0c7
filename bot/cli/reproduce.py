"""`mlops-bot reproduce`: a version once more, from its lock."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command
@click.argument("version", metavar="MODEL@VERSION")
@click.option(
    "--repository",
    "-C",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="A clone of the model's repository (default: here).",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(version: str, folder: Path, as_json: bool) -> None:
    """Train MODEL@VERSION again from what its tag locks, and compare metrics and model.

    The tag's `mlops.lock` says at which commit, with which data and params it was trained; what is checked out does not
    matter, and no service is needed.

    \b
    mlops-bot reproduce churn@v1.2.0
    mlops-bot reproduce churn@v1.2.0 --repository ~/clones/models

    \b
    Exit codes: 0 equal metrics (within 1e-9), 1 different ones, 2 something to mend in what was asked,
    3 a step failed, 130 Ctrl-C.
    """
    from bot.local_reproduce import reproduce_here
    from bot.settings import load_settings

    sys.exit(reproduce_here(folder, version, load_settings(os.environ), as_json=as_json))
