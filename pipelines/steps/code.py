"""The commit's code: fetched once, handed from step to step as one tar file.

A tar, because a folder loses the executable bits, links and empty folders on its way through an object store; with its
`.git`, because `dvc repro` and version tools need one. So every step starts from a clean checkout.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.git import Checkout, GitFailed
from pipelines.steps.masking import mask_address


def fetch_code(address: str, sha: str, model_path: str, *, folder: Path, code_file: Path) -> Checkout:
    checkout = Checkout(folder)
    try:
        checkout.fetch(address, sha)
        checkout.check_out(sha)
    except GitFailed as failed:
        raise _code_failed(address, sha, failed) from failed
    model_folder(folder, model_path)
    code_file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-cf", str(code_file), "-C", str(folder), "."], check=True)
    return checkout


def unpack_code(code_file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xf", str(code_file), "--no-same-owner", "-C", str(folder)], check=True)


def model_folder(checkout: Path, model_path: str) -> Path:
    """Where the model's commands start. A link or `..` that leads out of the checkout is refused."""
    root = checkout.resolve()
    folder = (root / model_path).resolve()
    if not folder.is_relative_to(root) or ".git" in folder.relative_to(root).parts:
        raise StepFailed(
            FailureKind.CODE,
            f"The model's path `{model_path}` leads out of the repository.",
            fix="Let `path:` in mlops.yaml name a folder of this repository.",
        )
    if not folder.is_dir():
        raise StepFailed(
            FailureKind.CODE,
            f"The model's path `{model_path}` is not a folder at this commit.",
            fix="Let `path:` in mlops.yaml name a folder of this repository.",
        )
    return folder


def _code_failed(address: str, sha: str, failed: GitFailed) -> StepFailed:
    if failed.unknown_commit:
        return StepFailed(
            FailureKind.CODE,
            f"The commit {sha[:12]} is not in {mask_address(address)} any more.",
            fix="It may have been removed by a force push; push again.",
        )
    return StepFailed(FailureKind.CODE, f"The code could not be fetched from {mask_address(address)}: {failed.reason}")
