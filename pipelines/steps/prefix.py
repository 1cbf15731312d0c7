"""The run's own prefix in the artifact store. A plain folder is written without fsspec, whose import takes 0.1 s."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

READ_LIMIT_BYTES = 32 * 1024 * 1024


class LogSink(Protocol):
    """A file that grows while a step runs."""

    def write(self, content: bytes) -> None: ...

    def tick(self, now_s: float) -> None:
        """Called a few times a second, also while nothing is written."""

    def close(self) -> None: ...


class Prefix(Protocol):
    address: str

    def write(self, path: str, content: bytes) -> None:
        """All of it, or nothing."""

    def read(self, path: str) -> bytes | None:
        """None when there is no such file. At most `READ_LIMIT_BYTES` of it: our own records are far smaller."""

    def put_file(self, source: Path, path: str) -> None: ...

    def get_folder(self, path: str, destination: Path) -> int:
        """Copy all files below a path; gives their number, 0 when there are none."""

    def list_files(self, path: str) -> list[str]:
        """The names below a path, sorted. Raises ValueError, with its name, for what is neither file nor folder."""

    def open_file(self, path: str) -> BinaryIO: ...

    def open_log(self, path: str) -> LogSink: ...


def open_prefix(address: str) -> Prefix:
    if address.startswith("file://"):
        return FolderPrefix(address)
    from pipelines.steps.object_store import ObjectPrefix

    return ObjectPrefix(address)


class FolderPrefix:
    def __init__(self, address: str) -> None:
        self.address = address
        self.root = Path(unquote(urlsplit(address).path))

    def write(self, path: str, content: bytes) -> None:
        target = self._target(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_bytes(content)
        draft.replace(target)

    def read(self, path: str) -> bytes | None:
        try:
            with (self.root / path).open("rb") as file:
                return file.read(READ_LIMIT_BYTES)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def put_file(self, source: Path, path: str) -> None:
        shutil.copyfile(source, self._target(path))

    def get_folder(self, path: str, destination: Path) -> int:
        source = self.root / path
        files = [file for file in sorted(source.rglob("*")) if file.is_file() and not file.is_symlink()]
        for file in files:
            target = destination / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        return len(files)

    def list_files(self, path: str) -> list[str]:
        root = self.root / path
        names = []
        for file in root.rglob("*"):
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise ValueError(file.relative_to(root).as_posix())
            if file.is_file():
                names.append(file.relative_to(root).as_posix())
        return sorted(names)

    def open_file(self, path: str) -> BinaryIO:
        return (self.root / path).open("rb")

    def open_log(self, path: str) -> LogSink:
        return _FileLog(self._target(path))

    def _target(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


class _FileLog:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def write(self, content: bytes) -> None:
        self._file.write(content)

    def tick(self, now_s: float) -> None: ...

    def close(self) -> None:
        self._file.close()
