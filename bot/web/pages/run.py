"""A run: its steps, log, metrics, plots and lineage, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.errors import UserError
from bot.domain.links import Links
from bot.domain.pipeline import DEPLOY
from bot.domain.report import ModelReport
from bot.domain.run import Run
from bot.ports.artifacts import Artifacts
from bot.usecases.reports import files_run, run_report
from bot.web.forms import read_own_form
from bot.web.live import Cursor, News, Update, changed, digest, encode_cursor
from bot.web.log_text import LogReader, Piece, is_plain_step_name, log_path
from bot.web.pages.answers import common, page
from bot.web.runs_view import StepView, steps_of
from bot.web.site import Site, site_of
from bot.web.states import of_run

FILES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class LogPanel:
    step: StepView
    piece: Piece
    is_open: bool


def run(request: Request) -> Response:
    return _run_page(request)


def run_events(request: Request) -> Response:
    run_or_404(request)

    def look(cursor: Cursor) -> News:
        seen = run_or_404(request)
        report = run_report(seen, site_of(request).world, with_plots=seen.phase.is_final)
        logs = _log_updates(site_of(request), seen, steps_of(seen, report), cursor)
        return News((*changed(_fragments(request, report), cursor), *logs), is_last=seen.phase.is_final)

    return site_of(request).streams.respond(request, look)


async def cancel(request: Request) -> Response:
    await read_own_form(request)
    return await anyio.to_thread.run_sync(_act, request, site_of(request).actions.cancel_run)


async def rerun(request: Request) -> Response:
    await read_own_form(request)
    return await anyio.to_thread.run_sync(_act, request, site_of(request).actions.rerun_run)


def run_or_404(request: Request) -> Run:
    seen = site_of(request).world.store.run(request.path_params["run_id"])
    if seen is None:
        raise HTTPException(404)
    return seen


def _act(request: Request, action: Callable[[str, str], str | None]) -> Response:
    seen = run_or_404(request)
    try:
        shown = action(seen.id, site_of(request).user) or seen.id
    except UserError as error:
        return _run_page(request, status=409, refusal=error)
    return RedirectResponse(Links().run(shown), 303)


def _run_page(request: Request, *, status: int = 200, refusal: UserError | None = None) -> Response:
    site, seen = site_of(request), run_or_404(request)
    report = run_report(seen, site.world, with_plots=True)
    steps = steps_of(seen, report)
    fragments = _fragments(request, report)
    panels = _log_panels(site, seen, steps)
    cursor = {name: digest(html) for name, html in fragments.items()}
    cursor |= {f"log-{panel.step.name}": str(panel.piece.end) for panel in panels}
    return page(
        request,
        "run.html",
        status=status,
        run=seen,
        change=site.world.store.change(seen.repository, seen.number) if seen.number is not None else None,
        fragments=fragments,
        panels=panels,
        files_run=files_run(seen),
        cursor=encode_cursor(cursor),
        refusal=refusal,
        state=of_run(report),
    )


def _fragments(request: Request, report: ModelReport) -> dict[str, str]:
    """The parts of the page that change while it is open, but for the logs."""
    site, run = site_of(request), report.run
    values = {
        **common(request),
        "run": run,
        "report": report,
        "state": of_run(report),
        "steps": steps_of(run, report),
        "files_run": files_run(run),
        "files": site.world.artifacts.files(files_run(run)) if run.phase.is_final else (),
        "files_shown": FILES_SHOWN,
        "deployment": site.world.store.deployment_of_run(run.id) if run.pipeline == DEPLOY else None,
    }
    names = {"head": "run_head", "steps": "steps", "outcome": "outcome", "lineage": "lineage", "files": "files"}
    return {name: site.renderer.page(f"parts/{file}.html", **values) for name, file in names.items()}


def _log_panels(site: Site, run: Run, steps: list[StepView]) -> list[LogPanel]:
    reader, panels = _reader(site), []
    sizes = dict(site.world.artifacts.files(files_run(run)))
    failed = run.result.failure.step if run.result and run.result.failure else ""
    for step in steps:
        if not is_plain_step_name(step.name):
            continue
        size = sizes.get(log_path(step.name), 0)
        piece = reader.tail(files_run(run), step.name, size=size, ended=run.phase.is_final)
        panels.append(LogPanel(step, piece, is_open=step.is_running or step.name == failed))
    return panels


def _log_updates(site: Site, run: Run, steps: list[StepView], cursor: Cursor) -> list[Update]:
    reader, updates = _reader(site), []
    for step in steps:
        name = f"log-{step.name}"
        offset = cursor.get(name, "0")
        if not is_plain_step_name(step.name) or not offset.isdecimal() or len(offset) > 18:
            continue
        updates += _log_update(site, reader, run, step.name, int(offset))
    return updates


def _log_update(site: Site, reader: LogReader, run: Run, step: str, offset: int) -> list[Update]:
    """All that is new, in pieces."""
    updates: list[Update] = []
    while True:
        size = _size(site.world.artifacts, files_run(run), step) if updates else None
        piece = reader.after(files_run(run), step, offset=offset, size=size, ended=run.phase.is_final)
        if piece.end == offset:
            return updates
        html = site.renderer.page("parts/log_piece.html", piece=piece)
        updates.append(Update(f"log-{step}", html, str(piece.end)))
        offset = piece.end


def _size(artifacts: Artifacts, run_id: str, step: str) -> int:
    return dict(artifacts.files(run_id)).get(log_path(step), 0)


def _reader(site: Site) -> LogReader:
    return LogReader(site.world.artifacts, secrets=site.settings.secret_values)
