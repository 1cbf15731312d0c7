"""Read the project at a commit, through git."""

from __future__ import annotations

from bot.domain.plan import PROJECT_FILE
from bot.domain.project import Project
from bot.project_file import PROJECT_FILE_LIMIT_BYTES, load_project
from bot.usecases.world import World


def read_project(address: str, sha: str, world: World) -> Project | None:
    """None where there is no `mlops.yaml`. Raises ProjectFileError with all that is wrong with it."""
    content = world.git.read(address, sha, PROJECT_FILE, limit_bytes=PROJECT_FILE_LIMIT_BYTES)
    return None if content is None else load_project(content)
