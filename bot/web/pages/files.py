"""A run's files and plots. They come from somebody's training code: never served as a page of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bot.comments.charts import curve_svg
from bot.domain.masking import mask
from bot.domain.plots import PLOT_LIMIT_BYTES, Curve, parse_plot
from bot.domain.result import Plot, PlotKind
from bot.domain.run import Run
from bot.ports.artifacts import Artifacts
from bot.usecases.reports import files_run, read_plot
from bot.usecases.world import World
from bot.web.log_text import whole_lines
from bot.web.pages.run import run_or_404
from bot.web.site import site_of

TEXT_SUFFIXES = frozenset({".csv", ".json", ".log", ".md", ".txt", ".yaml", ".yml"})
IMAGE_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
SLICE_BYTES = 1024 * 1024
# no script, no origin of ours; an SVG may style itself
SANDBOX = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
# a forge's image proxy asks once and keeps it; a run's plots never change once it has ended
KEEP = {"Cache-Control": "private, max-age=3600"}


def file(request: Request) -> Response:
    """As plain text where it is text, else as a download."""
    site, run = site_of(request), run_or_404(request)
    path: str = request.path_params["path"]
    size = _size(site.world.artifacts, files_run(run), path)
    if size is None:
        raise HTTPException(404)
    suffix = PurePosixPath(path).suffix.lower()
    is_text = suffix in TEXT_SUFFIXES
    content_type = IMAGE_TYPES.get(suffix) or ("text/plain" if is_text else "application/octet-stream")
    headers = dict(SANDBOX)
    if content_type == "application/octet-stream":
        headers["Content-Disposition"] = f"attachment; filename*=utf-8''{quote(PurePosixPath(path).name, safe='')}"
    slices = _slices(site.world.artifacts, files_run(run), path)
    if path.startswith("logs/"):
        slices = _masked(slices, site.settings.secret_values)
    return StreamingResponse(slices, media_type=content_type, headers=headers)


def plot(request: Request) -> Response:
    """A picture as it is, or a curve drawn by us."""
    run, path = run_or_404(request), request.path_params["path"]
    found = next((one for one in run.result.plots if one.path == path), None) if run.result else None
    content = read_plot(run, path, site_of(request).world) if found is not None else None
    if found is None or content is None or len(content) > PLOT_LIMIT_BYTES:
        raise HTTPException(404)
    if found.kind is PlotKind.IMAGE:
        content_type = IMAGE_TYPES.get(PurePosixPath(path).suffix.lower())
        if content_type is None:
            raise HTTPException(404)
        return Response(content, media_type=content_type, headers=SANDBOX | KEEP)
    parsed = parse_plot(found, content)
    if not isinstance(parsed, Curve):
        raise HTTPException(404)
    base, base_name = _base_curve(run, found, site_of(request).world)
    picture = curve_svg(parsed, title=found.title, base=base, base_name=base_name)
    return Response(picture, media_type="image/svg+xml", headers=SANDBOX | KEEP)


def _base_curve(run: Run, plot: Plot, world: World) -> tuple[Curve | None, str]:
    """The same plot of the incumbent, to be drawn below the run's own; and the branch that it is of."""
    base = world.store.run(run.base_run) if run.base_run is not None else None
    content = read_plot(base, plot.path, world) if base is not None else None
    if base is None or content is None or len(content) > PLOT_LIMIT_BYTES:
        return None, ""
    parsed = parse_plot(plot, content)
    return (parsed if isinstance(parsed, Curve) else None), base.branch


def _size(artifacts: Artifacts, run_id: str, path: str) -> int | None:
    """None for what is not one of the run's files; so a path can not lead elsewhere."""
    return dict(artifacts.files(run_id)).get(path)


def _slices(artifacts: Artifacts, run_id: str, path: str) -> Iterator[bytes]:
    offset = 0
    while piece := artifacts.read_from(run_id, path, offset=offset, limit_bytes=SLICE_BYTES):
        yield piece
        offset += len(piece)


def _masked(slices: Iterator[bytes], secrets: tuple[str, ...]) -> Iterator[bytes]:
    """Line by line, so that no secret is cut in two."""
    rest = b""
    for piece in slices:
        lines = whole_lines(rest + piece)
        rest = (rest + piece)[len(lines) :]
        yield mask(lines.decode("utf-8", errors="replace"), secrets).encode()
    yield mask(rest.decode("utf-8", errors="replace"), secrets).encode()
