"""The run's own prefix in the artifact store. A plain folder is written without fsspec, whose import takes 0.1 s."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit


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
        """None when there is no such file."""

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
    return FsspecPrefix(address)


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
            return (self.root / path).read_bytes()
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


class FsspecPrefix:
    """S3, GCS, Azure, and whatever else fsspec knows. An object appears whole or not at all, so writes are atomic."""

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(self.address)

    def write(self, path: str, content: bytes) -> None:
        self._fs.makedirs(self._parent(path), exist_ok=True)
        self._fs.pipe_file(self._full(path), content)

    def read(self, path: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(self._full(path))
        except FileNotFoundError:
            return None
        return content

    def put_file(self, source: Path, path: str) -> None:
        self._fs.makedirs(self._parent(path), exist_ok=True)
        self._fs.put_file(str(source), self._full(path))

    def get_folder(self, path: str, destination: Path) -> int:
        root = self._full(path)
        names = [name for name in self._fs.find(root) if ".." not in name.removeprefix(root).split("/")]
        for name in names:
            target = destination / name.removeprefix(root).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._fs.get_file(name, str(target))
        return len(names)

    def list_files(self, path: str) -> list[str]:
        root = self._full(path)
        return sorted(name.removeprefix(root).lstrip("/") for name in self._fs.find(root))

    def open_file(self, path: str) -> BinaryIO:
        file: BinaryIO = self._fs.open(self._full(path), "rb")
        return file

    def open_log(self, path: str) -> LogSink:
        return _UploadedLog(self, path)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _parent(self, path: str) -> str:
        return self._full(path).rpartition("/")[0]


class _UploadedLog:
    """Objects can not grow, so the whole log is written anew: every 2 s at first, later less often."""

    def __init__(self, prefix: FsspecPrefix, path: str) -> None:
        self._prefix = prefix
        self._path = path
        self._content = bytearray()
        self._uploaded = 0
        self._next_upload_s = 0.0
        self._pause_s = 2.0

    def write(self, content: bytes) -> None:
        self._content += content

    def tick(self, now_s: float) -> None:
        if now_s < self._next_upload_s or self._uploaded == len(self._content):
            return
        self._upload()
        self._next_upload_s = now_s + self._pause_s
        self._pause_s = min(30.0, self._pause_s * 1.5)

    def close(self) -> None:
        self._upload()

    def _upload(self) -> None:
        self._prefix.write(self._path, bytes(self._content))
        self._uploaded = len(self._content)
