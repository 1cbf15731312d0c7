"""Which models a push or a change's head trains, and in words why each does or does not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from posixpath import dirname, join, normpath

from bot.domain.glob import cost, glob_matches, literal_folder
from bot.domain.project import Model, Project
from bot.domain.words import listed, quoted

PROJECT_FILE = "mlops.yaml"
# The first four are GitHub's and GitLab's own (their documentation, "Skipping workflow runs", "Skip a pipeline").
SKIP_MARKERS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip-ci]", "[skip mlops]", "[mlops skip]", "[no mlops]")
LONGEST_MESSAGE = 65_536  # characters of a commit message that are searched
MATCH_BUDGET = 1_000_000  # comparisons of names, about a second; beyond it everything runs


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """`reason` is Markdown that follows the model's name: "`train.py` changed"."""

    model: Model
    runs: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """In the file's order. `note` says why nothing runs, for a neutral check; "" when something does."""

    models: tuple[ModelPlan, ...] = ()
    note: str = ""

    @property
    def to_run(self) -> tuple[Model, ...]:
        return tuple(plan.model for plan in self.models if plan.runs)


def plan_push(
    project: Project,
    *,
    branch: str,
    default_branch: str,
    message: str,
    changed_paths: Sequence[str] | None,
    base: Project | None = None,
) -> Plan:
    """`message` is the head commit's; for the rest see `plan_models`."""
    patterns = project.push_branches or (default_branch,)
    if not any(glob_matches(pattern, branch) for pattern in patterns):
        return Plan(note=f"Pushes to {quoted(branch)} do not train: `on.push` names {listed(list(patterns))}.")
    return _plan_head(project, message, changed_paths, base)


def plan_change(
    project: Project, *, message: str, changed_paths: Sequence[str] | None, base: Project | None = None
) -> Plan:
    """`message` is the head commit's; for the rest see `plan_models`."""
    if not project.on_change:
        return Plan(note="Changes do not train here: `on.change` is false. Comment `/train` to run it.")
    return _plan_head(project, message, changed_paths, base)


def plan_models(
    project: Project, *, changed_paths: Sequence[str] | None, base: Project | None = None
) -> tuple[ModelPlan, ...]:
    """What a difference between two commits touches.

    `changed_paths` are relative to the repository's root; None when they are not known, and then every model runs.
    `base` is the project at the earlier commit: a changed `mlops.yaml` then runs only the models whose own definition
    differs. Without it, it runs all.
    """
    if changed_paths is None:
        return tuple(ModelPlan(model, True, "what changed is not known") for model in project.models)
    paths = _Paths(changed_paths)
    return tuple(_plan_model(model, paths, base) for model in project.models)


def skip_marker(message: str) -> str | None:
    """The marker in a commit's message that asks for no runs."""
    folded = message[:LONGEST_MESSAGE].casefold()
    return next((marker for marker in SKIP_MARKERS if marker in folded), None)


def watched_paths(model: Model) -> tuple[str, ...]:
    """Paths and patterns whose files the model depends on, relative to the repository's root; for its tree's digest."""
    patterns = [normpath(model.path), *model.watch]
    if model.environment.requirements:
        patterns.append(normpath(f"{model.path}/{model.environment.requirements}"))
    if model.data is not None and not model.data.repo:
        patterns += _dvc_paths(normpath(model.data.path))
    return tuple(dict.fromkeys(patterns))


def _dvc_paths(path: str) -> list[str]:
    """Where DVC may keep a path's digest: `<path>.dvc` or `dvc.lock`, its own or a folder's above it."""
    folders = [path]
    while folders[-1] not in ("", ".", "/", ".."):
        folders.append(dirname(folders[-1]))
    return [path, *(f"{name}.dvc" for name in folders[:-1]), *(join(name, "dvc.lock") for name in folders[1:])]


def _plan_head(project: Project, message: str, changed_paths: Sequence[str] | None, base: Project | None) -> Plan:
    marker = skip_marker(message)
    if marker is not None:
        return Plan(note=f"Skipped, because the commit's message says `{marker}`. Comment `/train` to run it.")
    if not project.models:
        return Plan(note=f"`{PROJECT_FILE}` has no models.")
    plans = plan_models(project, changed_paths=changed_paths, base=base)
    if any(plan.runs for plan in plans):
        return Plan(plans)
    return Plan(plans, "No model is touched by what changed. Comment `/train <model>` to run one.")


def _plan_model(model: Model, paths: _Paths, base: Project | None) -> ModelPlan:
    if PROJECT_FILE in paths:
        reason = _definition_reason(model, base)
        if reason:
            return ModelPlan(model, True, reason)
    for pattern in watched_paths(model):
        found = paths.first_covered(pattern)
        if found is None and paths.budget < 0:
            return ModelPlan(model, True, "too much changed to be compared with what it watches")
        if found is not None:
            return ModelPlan(model, True, f"{quoted(found)} changed")
    return ModelPlan(model, False, f"nothing changed in {listed(list(watched_paths(model)), limit=4)}")


def _definition_reason(model: Model, base: Project | None) -> str:
    if base is None:
        return f"`{PROJECT_FILE}` changed"
    before = base.model(model.name)
    if before is None:
        return f"new in `{PROJECT_FILE}`"
    names = [one.name for one in fields(Model) if getattr(model, one.name) != getattr(before, one.name)]
    return f"{listed(names)} changed in `{PROJECT_FILE}`" if names else ""


class _Paths:
    """Changed paths, sorted, so that those in a folder lie together."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._sorted = sorted(set(paths))
        self.budget = MATCH_BUDGET
        self._found: dict[str, str | None] = {}

    def __contains__(self, path: str) -> bool:
        return next(self._beginning_with(path), None) == path

    def first_covered(self, pattern: str) -> str | None:
        """The first path that the pattern covers. `mlops.yaml` is left out: what it says is compared instead."""
        if pattern not in self._found:
            covered = self._matching(pattern) if "*" in pattern else self._at_or_below(normpath(pattern))
            self._found[pattern] = next((path for path in covered if path != PROJECT_FILE), None)
        return self._found[pattern]

    def _matching(self, pattern: str) -> Iterator[str]:
        for path in self._beginning_with(literal_folder(pattern)):
            self.budget -= cost(pattern, path)
            if self.budget < 0:
                return
            if glob_matches(pattern, path):
                yield path

    def _at_or_below(self, path: str) -> Iterator[str]:
        if path == ".":
            yield from self._sorted
        if path in self:
            yield path
        yield from self._beginning_with(f"{path}/")

    def _beginning_with(self, prefix: str) -> Iterator[str]:
        for i in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                return
            yield self._sorted[i]
