"""What a project means, in a few lines for the terminal: which models there are, and what runs when."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.project import Model, Project, Step
from bot.domain.words import plain
from bot.yaml_file.quantities import duration_text, size_text


def describe_project(project: Project) -> str:
    """A paragraph per model. Commands and names are as in the file, without control characters."""
    paragraphs = []
    for model in project.models:
        facts = [(label, plain(words, limit=200)) for label, words in _facts(model, project)]
        paragraphs.append("\n".join([model.name, *(f"  {label:<10} {words}" for label, words in facts)]))
    return "\n\n".join(paragraphs) + "\n"


def _facts(model: Model, project: Project) -> Iterator[tuple[str, str]]:
    yield "trains on", f"{_when(project)}, when {_watched(model)} changed"
    if model.data is not None:
        yield "data", model.data.path + _data_origin(model.data.repo, model.data.rev)
    yield "train", _step(model.train)
    if model.evaluate is not None:
        yield "evaluate", _step(model.evaluate)
    yield "gates", "; ".join(gate.text for gate in model.gates) or "none: the metrics are shown, and not judged"
    if model.params:
        name = next(iter(model.params))
        default = model.params[name]["default"]
        yield "comments", f"/train {model.name} {name}={default} (may set {', '.join(model.params)})"
    if model.secrets:
        yield "secrets", f"{', '.join(model.secrets)}, where the server allows them"
    if model.deploy is not None:
        yield (
            "deploys to",
            ", ".join(
                name + _approvals(environment.approvals) for name, environment in model.deploy.environments.items()
            ),
        )
    if model.monitor_schedule:
        yield "monitors", f"at {model.monitor_schedule} (UTC)"


def _when(project: Project) -> str:
    pushes = f"pushes to {', '.join(project.push_branches) or 'the default branch'}"
    return f"{pushes} and each change" if project.on_change else pushes


def _watched(model: Model) -> str:
    own = "anything" if model.path == "." else model.path
    return " or ".join([", ".join((own, *model.watch[:-1])), *model.watch[-1:]])


def _data_origin(repo: str, rev: str) -> str:
    revision = f" at {rev}" if rev else ""
    return f" of {repo}{revision}" if repo else f" of this repository{revision}"


def _step(step: Step) -> str:
    limits = [f"at most {duration_text(step.timeout_s)}"]
    if step.resources.cpu:
        limits.append(f"{step.resources.cpu:g} core{'s' * (step.resources.cpu != 1)}")
    if step.resources.memory_bytes:
        limits.append(size_text(step.resources.memory_bytes))
    if step.resources.gpu:
        limits.append(f"{step.resources.gpu} GPU")
    job = step.sagemaker
    if job is not None:
        limits.append(f"on SageMaker, {job.count} × {job.instance}{', spot' * job.spot}")
    first, *more = step.run.splitlines()
    return f"{first}{' …' if more else ''} ({', '.join(limits)})"


def _approvals(count: int) -> str:
    return f" after {count} approval{'s' * (count != 1)}" if count else ""
