"""Unpack what a training job left. The model's code wrote it, so nothing in it may lead out of the folder."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.model import MODEL_FILES_LIMIT

UNPACKED_LIMIT_BYTES = 50 * 1024**3


def unpack(archive: Path, folder: Path, *, limit_bytes: int = UNPACKED_LIMIT_BYTES) -> None:
    """Only plain files and folders. Raises StepFailed."""
    left_bytes, files = limit_bytes, 0
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                target = folder / _inside(member, archive.name)
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                left_bytes, files = left_bytes - member.size, files + 1
                if left_bytes < 0 or files > MODEL_FILES_LIMIT:
                    raise _unfit(archive.name, "is larger than what is kept, in bytes or in files")
                content = packed.extractfile(member)
                assert content is not None  # a plain file
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, zlib.error, EOFError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _unfit(archive.name, f"can not be read: {error}") from error


def _inside(member: tarfile.TarInfo, archive: str) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()):
        raise _unfit(archive, f"has `{member.name}`, which is neither a file nor a folder")
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise _unfit(archive, f"has `{member.name}`, which leads out of it")
    return path


def _unfit(archive: str, what: str) -> StepFailed:
    return StepFailed(
        FailureKind.NO_MODEL,
        f"The training job's {archive} {what}.",
        fix="Write only plain files into MLOPS_MODEL_DIR and MLOPS_OUTPUT_DIR: copies instead of links.",
    )
