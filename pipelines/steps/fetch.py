"""The step `fetch`: code and data at their commits, and for an evaluation the model of an earlier run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pipelines.steps import workplace
from pipelines.steps.code import fetch_code
from pipelines.steps.data import DataAt, fetch_data
from pipelines.steps.data_cache import hand_over
from pipelines.steps.journal import Step, step
from pipelines.steps.masking import mask_address


def fetch_step(
    *,
    run_prefix: str,
    clone_address: str,
    sha: str,
    model_path: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    code_file: str,
    data_folder: str,
) -> dict[str, Any]:
    """Gives the metadata that Kubeflow shows with the data."""
    with step("fetch", run_prefix) as running:
        where = DataAt(data_address, data_sha, data_path)
        return _fetch(running, clone_address, sha, model_path, where, Path(code_file), Path(data_folder))


def fetch_with_model_step(
    *,
    run_prefix: str,
    clone_address: str,
    sha: str,
    model_path: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    code_file: str,
    data_folder: str,
    model_prefix: str,
    model_digest: str,
    model_folder: str,
) -> dict[str, Any]:
    from pipelines.steps.model import fetch_model

    with step("fetch", run_prefix) as running:
        where = DataAt(data_address, data_sha, data_path)
        metadata = _fetch(running, clone_address, sha, model_path, where, Path(code_file), Path(data_folder))
        running.outputs |= fetch_model(model_prefix, model_digest, Path(model_folder))
        running.log.say(f"Fetched the model {model_digest[:19]} from an earlier run.")
        return metadata


def _fetch(
    running: Step, clone_address: str, sha: str, model_path: str, where: DataAt, code_file: Path, data_folder: Path
) -> dict[str, Any]:
    began_s = time.monotonic()
    checkout = fetch_code(clone_address, sha, model_path, folder=running.folder / "code", code_file=code_file)
    running.log.say(f"Fetched {mask_address(clone_address)} at {sha} in {time.monotonic() - began_s:.2f} s.")
    data_folder.mkdir(parents=True, exist_ok=True)
    if not where.address:
        return {}
    same = (where.address, where.sha) == (clone_address, sha)
    fetched = fetch_data(
        where,
        cache=workplace.cache(),
        scratch=running.folder,
        code=checkout if same else None,
        say=running.log.say,
    )
    hand_over(fetched["folder"], data_folder, size_bytes=fetched["size_bytes"])
    running.outputs["data"] = fetched["summary"]
    summary = fetched["summary"]
    own_path = where.path if same else ""
    return {name: summary[name] for name in ("sha", "path", "digest", "files", "size_bytes")} | {"own_path": own_path}
