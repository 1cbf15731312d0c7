"""The artifact store in a folder of this machine, without fsspec, whose import takes 0.1 s."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from bot.artifacts.names import checked_run_id, names_of
from bot.domain.errors import TransientError


class FolderArtifacts:
    """A folder of this machine. Every step from the prefix to a file is opened without following links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prefix(self, run_id: str) -> str:
        return self._run_folder(run_id).as_uri()

    def read(self, run_id: str, path: str, *, limit_bytes: int) -> bytes | None:
        return self._slice(run_id, path, offset=0, limit_bytes=limit_bytes)

    def read_from(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes:
        return self._slice(run_id, path, offset=offset, limit_bytes=limit_bytes) or b""

    def files(self, run_id: str) -> Sequence[tuple[str, int]]:
        folder = self._run_folder(run_id)
        return sorted((path.relative_to(folder).as_posix(), size) for path, size in _regular_files(folder))

    def write(self, run_id: str, path: str, content: bytes) -> None:
        *folders, name = names_of(path)
        run_folder = self._run_folder(run_id)
        try:
            run_folder.mkdir(parents=True, exist_ok=True)
            folder = _open_folder(run_folder, folders, create=True)
            try:
                _write_atomically(folder, name, content)
            finally:
                os.close(folder)
        except OSError as error:  # a full disk, above all
            raise TransientError(f"The artifact store can not be written: {error.strerror}.") from error

    def run_ids(self) -> Sequence[str]:
        try:
            with os.scandir(self._folder / "runs") as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TransientError(f"The artifact store can not be listed: {error.strerror}.") from error

    def remove(self, run_id: str) -> int:
        folder = self._run_folder(run_id)
        size = sum(size for _, size in self.files(run_id))
        try:
            (folder / "result.json").unlink(missing_ok=True)
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
        except OSError as error:
            raise TransientError(f"Files can not be removed from the artifact store: {error.strerror}.") from error
        return size

    def check_access(self) -> str:
        self.check_health()
        return f"{self._folder} can be written"

    def check_health(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(b"?")
        except OSError as error:
            raise TransientError(f"The artifact store can not be written: {error.strerror}.") from error

    def _run_folder(self, run_id: str) -> Path:
        return self._folder / "runs" / checked_run_id(run_id)

    def _slice(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes | None:
        *folders, name = names_of(path)
        try:
            folder = _open_folder(self._run_folder(run_id), folders, create=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            # without O_NONBLOCK, a named pipe that a step left would hold us here
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:  # not there, a link, or a socket
            return None
        finally:
            os.close(folder)
        try:
            if not S_ISREG(os.fstat(file).st_mode):
                return None
            with os.fdopen(file, "rb", closefd=False) as stream:
                stream.seek(offset)
                return stream.read(limit_bytes)
        finally:
            os.close(file)


def _open_folder(start: Path, names: Sequence[str], *, create: bool) -> int:
    """A descriptor of a folder below `start`. A link on the way is a NotADirectoryError."""
    folder = os.open(start, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    for name in names:
        try:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _write_atomically(folder: int, name: str, content: bytes) -> None:
    """Whoever reads `name` meanwhile sees the old content or the new one, also after a loss of power."""
    draft = f".{name[:200]}.{os.getpid()}.{os.urandom(6).hex()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        raise


def _regular_files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Links are left out: what they point to is not the run's."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _regular_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
