"""Data on this machine, kept by its content and shared by runs: `<cache>/data/<key>/`.

An entry is built in a draft folder and renamed when it is whole, under a lock, so that two runs fetch it once. Its
files are read-only, and each use checks that none was changed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

# Below this, a copy costs less than 0.1 s and cannot be used to change the cache; above it, files are hard-linked.
COPY_LIMIT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    folder: Path
    files: int
    size_bytes: int
    facts: dict[str, Any]


class DataCache:
    def __init__(self, root: Path) -> None:
        self._root = root / "data"
        (self._root / "index").mkdir(parents=True, exist_ok=True)

    def remembered_key(self, address: str, sha: str, path: str) -> str | None:
        """A commit's content never changes: what it was found to be once, it still is."""
        try:
            key = self._index(address, sha, path).read_text()
        except FileNotFoundError:
            return None
        return key if self.entry(key) else None

    def remember_key(self, address: str, sha: str, path: str, key: str) -> None:
        index = self._index(address, sha, path)
        draft = index.with_name(f"{index.name}.{os.getpid()}")
        draft.write_text(key)
        draft.replace(index)

    def entry(self, key: str) -> Entry | None:
        """None when it is not there, or not what it was."""
        folder = self._root / key
        try:
            marker = json.loads((folder / "entry.json").read_bytes())
            whole = all(_stamp(folder / "files" / name) == stamp for name, stamp in marker["files"].items())
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
            return None
        if not whole:
            return None
        (folder / ".last-used").touch()  # what was not used for long may be removed
        size = sum(stamp[0] for stamp in marker["files"].values())
        return Entry(folder / "files", len(marker["files"]), size, marker["facts"])

    def build(self, key: str, fill: Callable[[Path], dict[str, Any]]) -> Entry:
        """`fill` writes the files into an empty folder, and gives facts that are kept beside them."""
        with _locked(self._root / f"{key}.lock"):
            if present := self.entry(key):
                return present
            draft = self._root / f"{key}.draft"
            _remove(draft)
            (draft / "files").mkdir(parents=True)
            try:
                facts = fill(draft / "files")
                files = _seal(draft / "files")
                (draft / "entry.json").write_text(json.dumps({"files": files, "facts": facts}))
                _remove(self._root / key)
                draft.rename(self._root / key)
            finally:
                _remove(draft)
        built = self.entry(key)
        if built is None:
            raise OSError(f"the cache entry {key} changed while it was written")
        return built

    def _index(self, address: str, sha: str, path: str) -> Path:
        return self._root / "index" / sha256(f"{address}\0{sha}\0{path}".encode()).hexdigest()


def hand_over(source: Path, destination: Path, *, size_bytes: int | None = None) -> None:
    """Give a step the files in a folder of its own: as copies, or as read-only hard links when they are large."""
    files = [file for file in source.rglob("*") if file.is_file()]
    total = size_bytes if size_bytes is not None else sum(file.stat().st_size for file in files)
    for file in files:
        target = destination / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if total > COPY_LIMIT_BYTES and _linked(file, target):
            continue
        shutil.copyfile(file, target)
    destination.mkdir(parents=True, exist_ok=True)


def _linked(file: Path, target: Path) -> bool:
    try:
        target.hardlink_to(file)
    except OSError:  # another file system, or too many links
        return False
    return True


def _seal(folder: Path) -> dict[str, list[int]]:
    stamps = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            file.chmod(0o444)
            stamps[file.relative_to(folder).as_posix()] = _stamp(file)
    return stamps


def _stamp(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
