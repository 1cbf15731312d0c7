"""The step `verify`: are the model's files in the artifact store still those that were trained and approved?"""

from __future__ import annotations

import hashlib
from typing import Any

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.journal import step
from pipelines.steps.model import digest_of_contents
from pipelines.steps.prefix import Prefix, open_prefix
from pipelines.steps.quantities import count, size

_CHUNK_BYTES = 1024 * 1024
_FIX = "Nothing was deployed. Find out who writes to the artifact store, then train again with `/train --force`."


def verify_step(*, run_prefix: str, model_prefix: str, model_digest: str) -> None:
    with step("verify", run_prefix) as running:
        running.outputs |= verified(open_prefix(model_prefix), model_digest)
        files = running.outputs.pop("files")
        running.log.say(
            f"The model is the one that was trained: {count(files, 'file')}, "
            f"{size(running.outputs['model_size_bytes'])}, {model_digest}."
        )


def verified(prefix: Prefix, expected: str) -> dict[str, Any]:
    """Reads every file where it lies. Raises StepFailed when they are not what they were."""
    contents: list[tuple[str, bytes]] = []
    size_bytes = 0
    for name in _names(prefix):
        digest = hashlib.sha256()
        with prefix.open_file(f"model/{name}") as content:
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
        contents.append((name, digest.digest()))
    if not contents:
        raise StepFailed(
            FailureKind.DIGEST,
            f"There is no model below {prefix.address} any more.",
            fix="Nothing was deployed. Train it again with `/train --force`.",
        )
    found = digest_of_contents(contents)
    if found != expected:
        raise StepFailed(
            FailureKind.DIGEST,
            f"The model in the artifact store was changed after it had been trained: its digest is {found}, "
            f"and must be {expected or '(none was given)'}.",
            fix=_FIX,
        )
    return {"model_digest": found, "model_size_bytes": size_bytes, "files": len(contents)}


def _names(prefix: Prefix) -> list[str]:
    try:
        return prefix.list_files("model")
    except ValueError as odd:
        raise StepFailed(
            FailureKind.DIGEST,
            f"`model/{odd}` in the artifact store is a link or something else that no training left there.",
            fix=_FIX,
        ) from odd
