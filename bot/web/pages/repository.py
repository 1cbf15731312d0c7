"""A repository: its models as they stand on the default branch, its changes, its branches' runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.domain.change import ChangeState, Repository
from bot.domain.run import Run
from bot.usecases.deployments.overview import ServedPlace, served_places
from bot.usecases.world import World
from bot.web.pages.answers import page, repository_or_404
from bot.web.pages.home import change_lines
from bot.web.runs_view import newest_by_model, run_line, run_lines
from bot.web.site import site_of
from bot.web.states import State

RUNS_READ = 300
BRANCH_RUNS_SHOWN = 20
CLOSED_SHOWN = 30


@dataclass(frozen=True, slots=True)
class ModelCard:
    """`newest` is the newest run on the default branch, `best` the newest there that has metrics. `places` are those
    where a version serves."""

    name: str
    newest: Run
    state: State
    best: Run | None
    places: Sequence[ServedPlace]


def repository(request: Request) -> Response:
    site, world = site_of(request), site_of(request).world
    here = repository_or_404(request)
    runs = world.store.runs(repository=here.key, limit=RUNS_READ)
    changes = world.store.changes(here.key, limit=200)
    open_changes = [change for change in changes if change.state is ChangeState.OPEN]
    closed = [change for change in changes if change.state is not ChangeState.OPEN][:CLOSED_SHOWN]
    of_branches = [run for run in runs if run.number is None]
    return page(
        request,
        "repository.html",
        repository=here,
        open_changes=change_lines(open_changes, runs, site),
        closed_changes=change_lines(closed, runs, site),
        models=_models(here, world),
        branch_lines=run_lines(of_branches[:BRANCH_RUNS_SHOWN], world),
    )


def _models(here: Repository, world: World) -> list[ModelCard]:
    runs = world.store.runs(repository=here.key, branch=here.default_branch, limit=RUNS_READ)
    newest = newest_by_model([run for run in runs if run.number is None])
    served = [place for place in served_places(world, repository=here.key) if place.assignment is not None]
    return [
        ModelCard(
            name=run.model,
            newest=run,
            state=run_line(run, world).state,
            best=world.store.newest_result(here.key, branch=here.default_branch, model=run.model),
            places=[place for place in served if place.model == run.model],
        )
        for run in newest
    ]
