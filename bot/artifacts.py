"""The artifact store: a local folder, or whatever fsspec reaches. The only home of fsspec."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.domain.words import quoted
from bot.ports.artifacts import Artifacts

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FIX = "Set MLOPS_BOT_ARTIFACTS_URL to `file:///path/of/a/folder`, `s3://bucket/prefix`, or another address of fsspec."


def open_artifacts(url: str) -> Artifacts:
    """`url` is a `file://` address, a folder's absolute path, or an address of fsspec such as `s3://bucket/prefix`."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path))
        if not path.is_absolute() or parts.netloc not in ("", "localhost"):
            raise UserError(f"The artifact store {quoted(mask(url), limit=200)} is not an absolute path.", _FIX)
        return FolderArtifacts(path)
    return RemoteArtifacts(url)


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
        *folders, name = _names(path)
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

    def check_health(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(b"?")
        except OSError as error:
            raise TransientError(f"The artifact store can not be written: {error.strerror}.") from error

    def _run_folder(self, run_id: str) -> Path:
        return self._folder / "runs" / _checked(run_id)

    def _slice(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes | None:
        *folders, name = _names(path)
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


class RemoteArtifacts:
    """A prefix in an object store. Objects appear whole or not at all, so a write needs no second step."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs  # 0.1 s, and only this store needs it

        try:
            self._files, self._root = url_to_fs(url.rstrip("/"))
        except (ValueError, ImportError) as error:
            raise UserError(
                f"The artifact store {quoted(mask(url), limit=200)} is not usable: {error}.", _FIX
            ) from error

    def prefix(self, run_id: str) -> str:
        return str(self._files.unstrip_protocol(self._key(run_id)))

    def read(self, run_id: str, path: str, *, limit_bytes: int) -> bytes | None:
        return self._slice(run_id, path, offset=0, limit_bytes=limit_bytes)

    def read_from(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes:
        return self._slice(run_id, path, offset=offset, limit_bytes=limit_bytes) or b""

    def files(self, run_id: str) -> Sequence[tuple[str, int]]:
        key = self._key(run_id)
        try:
            self._files.invalidate_cache(key)
            found: dict[str, dict[str, Any]] = self._files.find(key, detail=True)
        except OSError as error:
            raise self._unreachable(error) from error
        return sorted((name.removeprefix(key).lstrip("/"), int(info["size"] or 0)) for name, info in found.items())

    def write(self, run_id: str, path: str, content: bytes) -> None:
        try:
            self._files.pipe_file(self._key(run_id, *_names(path)), content)
        except OSError as error:
            raise self._unreachable(error) from error

    def check_health(self) -> None:
        try:
            self._files.invalidate_cache()
            self._files.exists(self._root)
        except Exception as error:  # each store of fsspec has errors of its own; all mean "not healthy"
            raise self._unreachable(error) from error

    def _key(self, run_id: str, *names: str) -> str:
        return "/".join((self._root, "runs", _checked(run_id), *names))

    def _slice(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes | None:
        key = self._key(run_id, *_names(path))
        try:
            if offset and offset >= int(self._files.info(key)["size"] or 0):
                return b""  # S3 refuses a range that begins at the end
            content: bytes = self._files.cat_file(key, start=offset, end=offset + limit_bytes)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            raise self._unreachable(error) from error
        return content

    def _unreachable(self, error: Exception) -> TransientError:
        return TransientError(f"The artifact store can not be reached: {mask(str(error))[:300]}.")


def _checked(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"not a run's id: {run_id!r}")
    return run_id


def _names(path: str) -> list[str]:
    """The names of a relative path. ValueError for a path that leaves the prefix, or that no file can have."""
    names = path.split("/")
    if any(name in ("", ".", "..") or "\0" in name or "\\" in name for name in names):
        raise ValueError(f"not a path below the run's prefix: {path!r}")
    return names


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
