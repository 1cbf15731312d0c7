"""A model: its versions, what serves where since when, its metrics over versions, and what made the chosen version."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.comments.charts import version_chart
from bot.domain.change import Repository
from bot.domain.links import Links
from bot.domain.version import Version
from bot.usecases.deployments.overview import seen_lines, served_places
from bot.web.deployments_view import deployment_row
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.models_view import (
    chart_points,
    charted_metrics,
    model_card,
    passages,
    stays,
    version_name,
    version_rows,
)
from bot.web.pages.answers import common, page, repository_or_404
from bot.web.pages.environments import place_row
from bot.web.pages.files import SANDBOX
from bot.web.runs_view import run_lines
from bot.web.site import site_of

CHARTS_SHOWN = 4
STAYS_SHOWN = 30
DEPLOYMENTS_SHOWN = 15
RUNS_SHOWN = 10


def model(request: Request) -> Response:
    here, name = _model_or_404(request)
    world = site_of(request).world
    versions = world.store.versions(repository=here.key, model=name)
    chosen = _chosen(request, versions)
    fragments = _fragments(request, here, name)
    return page(
        request,
        "model.html",
        repository=here,
        name=name,
        fragments=fragments,
        cursor=encode_cursor({part: digest(html) for part, html in fragments.items()}),
        chosen=chosen,
        chosen_name=version_name(chosen) if chosen is not None else "",
        run=world.store.run(chosen.lock.run_id) if chosen is not None else None,
        passages=passages(chosen, world) if chosen is not None else [],
        card=model_card(chosen, world) if chosen is not None else "",
        own=world.links,
    )


def model_events(request: Request) -> Response:
    here, name = _model_or_404(request)

    def look(cursor: Cursor) -> News:
        return News(changed(_fragments(request, here, name), cursor))

    return site_of(request).streams.respond(request, look)


def chart(request: Request) -> Response:
    """A metric over versions, as a picture."""
    here, name = _model_or_404(request)
    world = site_of(request).world
    metric: str = request.path_params["metric"]
    versions = world.store.versions(repository=here.key, model=name)
    points = chart_points(versions, metric)
    if not points:
        raise HTTPException(404)
    places = served_places(world, repository=here.key, model=name)
    picture = version_chart(metric, points, {place.version_name for place in places})
    return Response(picture, media_type="image/svg+xml", headers=SANDBOX)


def _model_or_404(request: Request) -> tuple[Repository, str]:
    here = repository_or_404(request)
    name: str = request.path_params["model"]
    store = site_of(request).world.store
    is_known = (
        store.runs(repository=here.key, model=name, limit=1)
        or store.versions(repository=here.key, model=name, limit=1)
        or store.deployments(repository=here.key, model=name, limit=1)
    )
    if not is_known:
        raise HTTPException(404)
    return here, name


def _chosen(request: Request, versions: Sequence[Version]) -> Version | None:
    """The one that the address names, else the newest that is registered."""
    registered = sorted((one for one in versions if one.commit_sha), key=lambda one: one.lock.number)
    asked = request.query_params.get("version", "")
    if asked:
        found = next((one for one in registered if str(one.lock.number) == asked), None)
        if found is None:
            raise HTTPException(404)
        return found
    return registered[-1] if registered else None


def _fragments(request: Request, here: Repository, name: str) -> dict[str, str]:
    """The parts of the page that change while it is open."""
    site = site_of(request)
    store, world = site.world.store, site.world
    versions = store.versions(repository=here.key, model=name)
    places = served_places(world, repository=here.key, model=name)
    found = store.deployments(repository=here.key, model=name, limit=DEPLOYMENTS_SHOWN)
    assignments = store.assignments(repository=here.key, model=name)
    values = {
        **common(request),
        "repository": here,
        "name": name,
        "rows": version_rows(versions, places),
        "places": [place_row(place) for place in places],
        "stays": stays(assignments, versions)[:STAYS_SHOWN],
        "metrics": charted_metrics(versions)[:CHARTS_SHOWN],
        "newest": versions[0].id if versions else "",
        "here": Links().model(here.key, name),
    }
    rows = [deployment_row(line) for line in seen_lines(found, world)]
    empty = f"None yet. Write `/deploy staging {name}` on a change."
    lines = run_lines(store.runs(repository=here.key, model=name, limit=RUNS_SHOWN), world)
    render = site.renderer.page
    return {
        "places": render("parts/model_places.html", **values),
        "versions": render("parts/model_versions.html", **values),
        "deployments": render("parts/deployments.html", **{**values, "rows": rows, "empty": empty}),
        "runs": render("parts/model_runs.html", **{**values, "lines": lines}),
    }
