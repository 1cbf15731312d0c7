"""Whether what a file names is there, where somebody can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from posixpath import basename, dirname, join, normpath

from bot.domain.nearest import nearest
from bot.domain.project import Project
from bot.domain.words import quoted
from bot.yaml_file.places import Path, node_at, where
from bot.yaml_file.problems import Findings
from bot.yaml_file.tree import Node

PathExists = Callable[[str], bool]
NamesIn = Callable[[str], Iterable[str]]


def report_missing(
    root: Node, project: Project, findings: Findings, *, path_exists: PathExists, names_in: NamesIn | None
) -> None:
    """Add a problem for each folder and requirements file that is not there, with the nearest name that is."""
    for model in project.models:
        place: Path = ("models", model.name)
        if not path_exists(model.path):
            _report(root, (*place, "path"), "folder", model.path, ".", findings, names_in)
        elif model.environment.requirements:
            path = normpath(join(model.path, model.environment.requirements))
            if not path_exists(path):
                _report(root, (*place, "environment", "requirements"), "file", path, model.path, findings, names_in)


def _report(
    root: Node, place: Path, kind: str, path: str, below: str, findings: Findings, names_in: NamesIn | None
) -> None:
    node = node_at(root, place)
    if node is None:
        return
    folder, name = dirname(path), basename(path)
    meant = nearest(name, names_in(folder or ".")) if names_in is not None else None
    written = node.value if isinstance(node.value, str) else path
    fix = f"Write {quoted(join(dirname(written), meant))}." if meant else f"Create it, or name another {kind}."
    origin = "" if below == "." else f" (from {quoted(below)})"
    findings.add(node.start, f"There is no {kind} {quoted(written)}{origin} here.", fix, where=where(place))
