"""The text of a new project file: what was found, and what more could be said, in comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bot.usecases.init_survey import FoundModel, Survey
from bot.yaml_file import is_plain_text

HEADER = """\
# yaml-language-server: $schema=./mlops.schema.json
# What mlops-bot trains, evaluates and deploys from this repository. Check it with `mlops-bot validate`.
version: 1

# Without `on:`, pushes to the default branch train, and so does each change (pull request, merge request, branch).
# on:
#   push: [main, "release/*"]
#   change: true

models:
"""
_SIMPLE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z0-9_./]")
_MOST_OTHERS = 5


def project_text(found: Survey) -> str:
    """What more could be said stands as comments at the first model only."""
    blocks = [_model(model, found.python) for model in found.models]
    shown = [
        blocks[0],
        *([line for line in block if not line.lstrip().startswith("#")] for block in map(list, blocks[1:])),
    ]
    return HEADER + "\n\n".join("\n".join(block) for block in shown) + "\n"


def scalar(text: str) -> str:
    """The text as YAML: plain where that is the same, else in double quotes."""
    return text if _SIMPLE.fullmatch(text) and is_plain_text(text) else json.dumps(text, ensure_ascii=False)


def _model(model: FoundModel, python: str) -> Iterator[str]:
    yield f"  {scalar(model.name)}:"
    yield f"    path: {scalar(model.path)}  # only changes below it train this model"
    yield '    # watch: ["libs/**"]  # and changes here'
    yield from _data(model)
    yield "    # split: {test: 0.25, seed: 7}  # $MLOPS_SPLIT_TEST and $MLOPS_SPLIT_SEED"
    yield from _environment(model, python)
    if model.env:
        pairs = ", ".join(f"{name}: {scalar(value)}" for name, value in model.env)
        yield f"    env: {{{pairs}}}"
    yield f"    # params:  # what a comment may set, as in `/train {model.name} n_estimators=400`"
    yield "    #   n_estimators: {type: integer, default: 200, minimum: 10, maximum: 2000}"
    yield from _train(model)
    yield from _evaluate(model)


def _data(model: FoundModel) -> Iterator[str]:
    if not model.data:
        yield "    # data: {path: data/train.csv}  # tracked by DVC or committed; in $MLOPS_DATA_DIR"
        return
    first, *others = model.data
    yield "    data:"
    yield f"      path: {scalar(first)}  # in $MLOPS_DATA_DIR"
    for other in others[:_MOST_OTHERS]:
        yield f"      # path: {scalar(other)}"
    yield "      # repo: ../datasets.git  # when it is in another repository"
    yield "      # rev: v1"


def _environment(model: FoundModel, python: str) -> Iterator[str]:
    if not python and not model.requirements:
        yield "    # environment: {requirements: requirements.txt}"
        return
    yield "    environment:"
    yield f'      python: "{python}"' if python else '      # python: "3.11"'
    if model.requirements:
        yield f"      requirements: {scalar(model.requirements)}"


def _train(model: FoundModel) -> Iterator[str]:
    yield "    train:"
    if model.stages:
        yield "      # its stages write the model to $MLOPS_MODEL_DIR and metrics.json to $MLOPS_OUTPUT_DIR"
        yield f"      run: {scalar(model.train)}"
    else:
        yield f"      run: {scalar(model.train)}  # writes the model to $MLOPS_MODEL_DIR"
    yield "      timeout: 1h"
    yield '      # resources: {cpu: "2", memory: 4Gi}'


def _evaluate(model: FoundModel) -> Iterator[str]:
    gates = ("gates:  # what a result has to reach", "  - accuracy >= 0.9", "  - accuracy >= base - 0.01")
    if model.evaluate:
        yield "    evaluate:"
        yield f"      run: {scalar(model.evaluate)}  # writes metrics.json and plots/ to $MLOPS_OUTPUT_DIR"
        yield from (f"      # {line}" for line in gates)
        return
    yield "    # evaluate:  # when the training writes metrics.json itself, gates are enough"
    yield "    #   run: python evaluate.py  # writes metrics.json and plots/ to $MLOPS_OUTPUT_DIR"
    yield from (f"    #   {line}" for line in gates)
