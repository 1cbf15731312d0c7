"""The run key: equal for two requests exactly when they would train and evaluate the same thing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

from bot.domain.project import Environment, JsonValue, Split

KEY_VERSION = 1  # raise it when what is hashed changes its meaning: old results are then not reused


def run_key(
    *,
    repository: str,
    model: str,
    pipeline: str,
    pipeline_version: str,
    tree_digest: str,
    data_address: str = "",
    data_sha: str = "",
    data_path: str = "",
    params: Mapping[str, JsonValue],
    split: Split | None = None,
    env: Mapping[str, str],
    secret_names: Sequence[str] = (),
    environment: Environment,
    requirements_digest: str = "",
    commands: Mapping[str, str],
    model_digest: str = "",
) -> str:
    """64 hex digits. `tree_digest` covers the files of `watched_paths(model)` at the commit.

    Data of this very commit is covered by that, so its `data_sha` is "": else no commit could reuse another's run.
    `requirements_digest` is for a requirements file outside of these; `commands` maps a step's name to its `run:`;
    `model_digest` is that of the model which an evaluate run takes. Timeouts and resources are left out: they decide
    whether a run ends, not what it gives. Neither the order of names nor 1 against 1.0 makes a difference, for JSON
    has one kind of number.
    """
    facts = {
        "key_version": KEY_VERSION,
        "repository": repository,
        "model": model,
        "pipeline": [pipeline, pipeline_version],
        "tree": tree_digest,
        "data": [data_address, data_sha, data_path],
        "params": params,
        "split": None if split is None else {"test": split.test, "seed": split.seed},
        "env": env,
        "secret_names": sorted(set(secret_names)),
        "environment": [environment.python, environment.requirements, environment.image, requirements_digest],
        "commands": commands,
        "model_digest": model_digest,
    }
    return sha256(canonical_json(facts).encode("ascii")).hexdigest()


def canonical_json(value: JsonValue) -> str:
    """One text for equal values. Raises ValueError for NaN and infinity, TypeError for what JSON does not have."""
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _canonical(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("names in JSON are text")
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value
