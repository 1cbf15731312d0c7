"""What is desired, kept on disk: a list of manifests for each service, `desired/<environment>/<model>.json`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from bot.domain.errors import TransientError
from bot.domain.serving import DesiredService
from bot.serving.manifest import desired_service, manifests

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # as `mlops.yaml` allows
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")

log = structlog.get_logger()


def checked(desired: DesiredService) -> DesiredService:
    """Raises ValueError for names that would be paths of somebody's choice."""
    names = (desired.environment, desired.model)
    ids = [share.revision.id for share in desired.shares]
    if not all(NAME.fullmatch(name) for name in names) or not all(REVISION.fullmatch(id_) for id_ in ids):
        raise ValueError(f"not names of a service and its revisions: {names} {ids}")
    if len(set(ids)) != len(ids):
        raise ValueError(f"a revision is named twice: {ids}")
    return desired


class DesiredFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_all(self) -> Iterator[DesiredService]:
        for path in sorted(self._folder.glob("*/*.json")):
            try:
                yield checked(desired_service(json.loads(path.read_bytes())["items"]))
            except (ValueError, KeyError, IndexError, TypeError):  # not written by us; the record restores it
                log.exception("manifests_not_read", path=str(path))

    def write(self, desired: DesiredService) -> None:
        """Durable when this returns. Raises TransientError."""
        path = self._path(desired.environment, desired.model)
        content = {"apiVersion": "v1", "kind": "List", "items": manifests(desired)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, beside = tempfile.mkstemp(prefix=".", dir=path.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(descriptor)
            Path(beside).replace(path)
            _sync(path.parent)
        except OSError as error:
            raise TransientError(f"What is to serve can not be written down: {error.strerror}.") from error

    def remove(self, environment: str, model: str) -> None:
        """Durable when this returns. Raises TransientError."""
        path = self._path(environment, model)
        try:
            path.unlink()
            _sync(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise TransientError(f"What is to serve can not be written down: {error.strerror}.") from error

    def _path(self, environment: str, model: str) -> Path:
        return self._folder / environment / f"{model}.json"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
