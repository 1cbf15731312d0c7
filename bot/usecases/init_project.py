"""Plan the files that make a repository a project: an `mlops.yaml` that fits, or a whole one to start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from posixpath import basename, normpath

from bot.domain.words import quoted
from bot.project_file import load_project
from bot.usecases.init_survey import FoundModel, Read, Survey, survey
from bot.usecases.init_text import project_text
from schemas import schema_bytes

PROJECT_FILE = "mlops.yaml"
SCHEMA_FILE = "mlops.schema.json"
_GITIGNORE = "gitignore"  # without its dot, or git would take it for its own in our repository


@dataclass(frozen=True, slots=True)
class InitPlan:
    """`files` maps paths from the root to contents; all but `mlops.yaml` and its schema are left alone where they are
    there already. `found` and `hints` are sentences."""

    files: Mapping[str, bytes]
    models: tuple[str, ...]
    found: tuple[str, ...]
    hints: tuple[str, ...] = ()


def plan_project(paths: Iterable[str], read: Read, *, name: str) -> InitPlan:
    """`paths` are the files of the repository; `read` gives the content of one, `name` is the repository's."""
    known = sorted(paths)
    found = survey(known, read, name=name)
    if not found.models:
        return _starter(known)
    text = project_text(found).encode()
    project = load_project(text)  # what we write is valid, or it is our bug
    return InitPlan(
        files={PROJECT_FILE: text, SCHEMA_FILE: schema_bytes(SCHEMA_FILE)},
        models=tuple(model.name for model in project.models),
        found=tuple(_found(model) for model in found.models),
        hints=tuple(_hints(found)),
    )


def _found(model: FoundModel) -> str:
    parts = [", ".join(quoted(script) for script in model.scripts)]
    if model.stages:
        parts.append(f"DVC stages {', '.join(quoted(stage) for stage in model.stages[:8])}")
    if model.requirements:
        parts.append(quoted(normpath(f"{model.path}/{model.requirements}")))
    if model.data:
        others = f" and {len(model.data) - 1} more" if len(model.data) > 1 else ""
        parts.append(f"data {quoted(model.data[0])}{others}")
    return f"model {quoted(model.name)}: {'; '.join(parts)}"


def _hints(found: Survey) -> Iterable[str]:
    strangers = [model for model in found.models if not model.knows_the_world]
    if strangers:
        scripts = ", ".join(quoted(script) for model in strangers for script in model.scripts)
        yield (
            f"Let {scripts} read the data from $MLOPS_DATA_DIR, write the model to $MLOPS_MODEL_DIR, and metrics.json "
            'to $MLOPS_OUTPUT_DIR, for example {"accuracy": 0.97}.'
        )
    bare = [model for model in found.models if not model.requirements]
    if bare:
        names = ", ".join(quoted(model.name) for model in bare)
        yield f"Name what {names} needs in a requirements.txt, below `environment:`; without it there is only Python."


def _starter(known: list[str]) -> InitPlan:
    folder = files("bot").joinpath("demo", "templates", "starter")
    contents = {".gitignore" if path == _GITIGNORE else path: data for path, data in _walk(folder, "")}
    contents[SCHEMA_FILE] = schema_bytes(SCHEMA_FILE)
    kept = sorted(contents.keys() & set(known) - {PROJECT_FILE, SCHEMA_FILE})
    hints = [f"Left alone, because they were here: {', '.join(map(quoted, kept))}."] if kept else []
    if "requirements.txt" in kept:
        hints.append("The scripts need scikit-learn in requirements.txt.")
    project = load_project(contents[PROJECT_FILE])
    return InitPlan(
        files={path: contents[path] for path in sorted(contents) if path not in kept},
        models=tuple(model.name for model in project.models),
        found=("no training script (train.py) and no dvc.yaml, so this is a small project to start from",),
        hints=tuple(hints),
    )


def _walk(folder: Traversable, prefix: str) -> Iterable[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/") if entry.name != "__pycache__" else ()
        elif basename(path) != "__pycache__":
            yield path, entry.read_bytes()
