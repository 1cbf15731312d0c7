"""What a visitor of the demo may do next, with lines to be copied into another terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from bot.demo import build
from bot.demo.predictions import terminal_line
from bot.demo.serving_story import APPROVER, Deployed
from bot.demo.stage import DEPLOYED, REPOSITORY, Stage
from bot.domain.deployment import DeploymentPhase


def show_how_to_go_on(number: int, deployed: Deployed | None, made: build.DemoRepositories, stage: Stage) -> None:
    settings, command = stage.service.settings, _command(stage)
    page = stage.service.bot.world.links.change(REPOSITORY, number)
    stage.show(
        f"""
The change, with its checks, metrics, gates, plots and deployments:

    {page}?token={settings.access_token}
{_served(deployed, command, stage) if deployed else ""}
Go on from here:
  - write `/train breast-cancer n_estimators=400` into the page's comment box, or
        {command} comment {REPOSITORY} {number} "/train breast-cancer n_estimators=400"
  - change something and push it:
        git clone {made.models} my-models && cd my-models && git switch {build.BRANCH}
        # edit mlops.yaml or models/*/train.py
        git commit -am "Try something" && git push
  - `/rollback staging {DEPLOYED}` serves the version before; `/help` in a comment lists what else can be asked for

Ctrl-C stops, and ends the model servers; everything is kept in {settings.home}
"""
    )


def _served(deployed: Deployed, command: str, stage: Stage) -> str:
    live = [one for one in (deployed.staging, deployed.production) if one.phase is DeploymentPhase.LIVE]
    told = "".join(
        f"""
A prediction from {one.environment}, for a row that evaluation has kept:

    {terminal_line(one, stage)}
"""
        for one in live
    )
    if deployed.production.phase is not DeploymentPhase.WAITING_FOR_APPROVAL:
        return told
    change = deployed.change
    return f"""{told}
Production waits for an approval, which {change.author} can not give: it is their own change. In another terminal:

    {command} comment {REPOSITORY} {change.number} --author {APPROVER} "/approve production"
"""


def _command(stage: Stage) -> str:
    """How to call `mlops-bot` from any folder of another terminal."""
    beside = Path(sys.executable).with_name("mlops-bot")
    command = "mlops-bot" if shutil.which("mlops-bot") or not beside.exists() else shlex.quote(str(beside))
    is_default = "MLOPS_BOT_HOME" not in os.environ
    home = shlex.quote(str(stage.service.settings.home))
    return command if is_default else f"MLOPS_BOT_HOME={home} {command}"
