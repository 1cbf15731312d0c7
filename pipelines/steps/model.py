"""The model's files: their digest, and their way into the run's prefix and back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.prefix import open_prefix

_CHUNK_BYTES = 1024 * 1024
MODEL_FILES_LIMIT = 10_000


def model_files(folder: Path) -> list[Path]:
    """All files, sorted by name. A link counts as the file it leads to, and must stay within the folder."""
    root = folder.resolve()
    files = []
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise StepFailed(
                FailureKind.NO_MODEL,
                f"`{path.relative_to(folder)}` in the model's folder is a link that leads out of it.",
                fix="Copy the file into MLOPS_MODEL_DIR instead of linking it.",
            )
        if path.is_file():
            files.append(path)
    if len(files) > MODEL_FILES_LIMIT:
        raise StepFailed(
            FailureKind.NO_MODEL,
            f"The model has {len(files)} files; at most {MODEL_FILES_LIMIT} are kept.",
            fix="Write only what is needed to predict into MLOPS_MODEL_DIR, or pack it.",
        )
    return files


def digest_of(folder: Path, files: list[Path]) -> str:
    """`sha256:` and a hash over each file's name and content, in the order of the names.

    Hashed is, for each file, its path in UTF-8, a zero byte, and the 32 bytes of its content's sha256.
    """
    return digest_of_contents((file.relative_to(folder).as_posix(), _hash(file)) for file in files)


def digest_of_contents(contents: Iterable[tuple[str, bytes]]) -> str:
    """The same of names and their contents' sha256, in the order of the names."""
    total = hashlib.sha256()
    for name, content in contents:
        total.update(name.encode("utf-8", "surrogateescape") + b"\0")
        total.update(content)
    return f"sha256:{total.hexdigest()}"


def keep_model(folder: Path, put: Callable[[Path, str], None]) -> dict[str, Any]:
    """Puts the files at `model/` of the prefix. Raises StepFailed when there are none."""
    files = model_files(folder)
    if not files:
        raise StepFailed(
            FailureKind.NO_MODEL,
            "The command ended well, but left no model.",
            fix="Write the model into the folder that the variable MLOPS_MODEL_DIR names.",
        )
    for file in files:
        put(file, f"model/{file.relative_to(folder).as_posix()}")
    size = sum(file.stat().st_size for file in files)
    return {"model_digest": digest_of(folder, files), "model_size_bytes": size}


def fetch_model(model_prefix: str, expected_digest: str, folder: Path) -> dict[str, Any]:
    """The model of an earlier run. Raises StepFailed when it is not there, or not the one that was meant."""
    folder.mkdir(parents=True, exist_ok=True)
    if not open_prefix(model_prefix).get_folder("model", folder):
        raise StepFailed(
            FailureKind.NO_MODEL,
            "The model of the earlier run is not in the artifact store any more.",
            fix="Train it again with `/train --force`.",
        )
    files = model_files(folder)
    found = digest_of(folder, files)
    if expected_digest and found != expected_digest:
        raise StepFailed(
            FailureKind.NO_MODEL,
            f"The model in the artifact store is not the one that was trained: its digest is {found}, "
            f"and should be {expected_digest}.",
            fix="Train it again with `/train --force`, and find out who writes to the artifact store.",
        )
    return {"model_digest": found, "model_size_bytes": sum(file.stat().st_size for file in files)}


def _hash(file: Path) -> bytes:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
