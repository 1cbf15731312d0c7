"""The forges that journeys are made on, each with as many repositories as there are tests on it, or a few more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.journeys.forge_place import Town
from tests.journeys.github_place import GitHubTown
from tests.journeys.gitlab_place import GitLabTown

TOWNS: dict[str, Callable[..., Town]] = {
    "github": partial(GitHubTown, is_app=True, places=24),
    "github-token": partial(GitHubTown, is_app=False, places=3),
    "gitlab": partial(GitLabTown, places=22),
}
