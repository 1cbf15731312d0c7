"""A run's prefix in an object store: S3, GCS, Azure, and whatever else fsspec knows.

An object appears whole or not at all, so writes are atomic. What a run took hours for must not be lost to a moment in
which the store does not answer: each call has a time limit, is tried again for minutes, and what was uploaded is held
against what was meant.
"""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pipelines.steps import store_environment
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.masking import Masker
from pipelines.steps.prefix import READ_LIMIT_BYTES, LogSink

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0  # of one answer, or of one part of a file
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)  # between tries, besides those that botocore and s3fs make
PART_BYTES = 8 * 1024 * 1024  # of a file that is uploaded in parts; S3 wants at least 5 MiB, and at most 10,000 parts
PARTS_AT_ONCE = 4
LONGEST_PARTS = 9_000
_CHUNK_BYTES = 1024 * 1024
S3_SCHEMES = ("s3", "s3a")


class ObjectPrefix:
    def __init__(self, address: str, *, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        import fsspec

        store_environment.take()
        self.address = address.rstrip("/")
        self._is_s3 = self.address.partition("://")[0] in S3_SCHEMES
        self._pauses_s = pauses_s
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if self._is_s3:
            options["config_kwargs"] = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": READ_TIMEOUT_S}
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.address, **options)
        except (ValueError, ImportError) as error:
            raise StepFailed(
                FailureKind.UNREACHABLE,
                f"The artifact store can not be used here: {error}.",
                fix="This is not your code's fault; tell whoever runs the bot.",
            ) from error

    def write(self, path: str, content: bytes) -> None:
        self._patiently(lambda: self._put(path, content))

    def read(self, path: str) -> bytes | None:
        def get() -> bytes:
            try:
                content: bytes = self._fs.cat_file(self._full(path), start=0, end=READ_LIMIT_BYTES)
            except OSError as error:
                if error.errno != errno.EINVAL:  # s3fs of a range in an empty object
                    raise
                return b""
            return content

        try:
            return self._patiently(get)
        except (FileNotFoundError, IsADirectoryError):
            return None

    def put_file(self, source: Path, path: str) -> None:
        def put() -> None:
            self._make_folder(path)
            self._upload(source, self._full(path))
            self._check(source, self._full(path))

        self._patiently(put)

    def get_folder(self, path: str, destination: Path) -> int:
        names = self._below(path)
        for name in names:
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._patiently(partial(self._fs.get_file, f"{self._full(path)}/{name}", str(target)))
        return len(names)

    def list_files(self, path: str) -> list[str]:
        return self._below(path)

    def open_file(self, path: str) -> BinaryIO:
        file: BinaryIO = self._patiently(lambda: self._fs.open(self._full(path), "rb"))
        return file

    def open_log(self, path: str) -> LogSink:
        return _UploadedLog(self, path)

    def begin_to_write(self, path: str, content: bytes) -> Future[None] | None:
        """Without waiting for it, where the store's client can; None when it is done already. Raises what it likes."""
        if not self._fs.async_impl:
            self._put(path, content)
            return None
        import asyncio

        done: Future[None] = asyncio.run_coroutine_threadsafe(
            self._fs._pipe_file(self._full(path), content),  # noqa: SLF001 - fsspec's name of what is asynchronous
            self._fs.loop,
        )
        return done

    def _put(self, path: str, content: bytes) -> None:
        self._make_folder(path)
        self._fs.pipe_file(self._full(path), content)

    def _make_folder(self, path: str) -> None:
        """Object stores have none, and s3fs would make the bucket."""
        if not self._fs.async_impl:
            self._fs.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)

    def _below(self, path: str) -> list[str]:
        root = self._full(path)
        found = self._patiently(lambda: self._fs.find(root))
        names = (name.removeprefix(root).lstrip("/") for name in found)
        return sorted(name for name in names if not {"", ".", ".."} & set(name.split("/")))

    def _upload(self, source: Path, key: str) -> None:
        """In parts, so that a file of any size takes little memory."""
        parts = {"chunksize": _part_bytes(source), "max_concurrency": PARTS_AT_ONCE} if self._is_s3 else {}
        self._fs.put_file(str(source), key, **parts)

    def _check(self, source: Path, key: str) -> None:
        """Raises OSError unless the object holds what the file does: by the store's own digest where it tells one of
        the content (an encrypted object's is of something else), else by reading it back."""
        found = self._fs.info(key)
        if int(found["size"]) != source.stat().st_size:
            raise OSError(f"{key} holds {found['size']} bytes instead of {source.stat().st_size}")
        told = str(found.get("ETag", "")).strip('"')
        if told and told in _etags(source):
            return
        if self._digest_of(key) != _digest(_chunks(source.open("rb"))):
            raise OSError(f"{key} does not hold what was uploaded")

    def _digest_of(self, key: str) -> str:
        return _digest(_chunks(self._fs.open(key, "rb", cache_type="readahead")))

    def _patiently(self, do: Callable[[], T]) -> T:
        """Again after a while for all that may pass. Who waited in vain once, does not wait as long again."""
        for pause_s in self._pauses_s:
            try:
                return self._at_once(do)
            except _MayPass:
                time.sleep(pause_s)
        try:
            return self._at_once(do)
        except _MayPass as passed_not:
            self._pauses_s = self._pauses_s[:1]
            error = passed_not.error
            raise self._unreachable(error) from error

    def _at_once(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except (FileNotFoundError, IsADirectoryError) as error:
            if not _is_bucket_missing(error):
                raise
            raise self._unreachable(error) from error
        except Exception as error:  # each store of fsspec has errors of its own
            if isinstance(error, PermissionError) or type(error).__name__ == "NoCredentialsError":
                raise self._unreachable(error) from error
            raise _MayPass(error) from error

    def _unreachable(self, error: Exception) -> StepFailed:
        reason = Masker()(str(error) or type(error).__name__).rstrip(".")[:300]
        return StepFailed(
            FailureKind.UNREACHABLE,
            f"The artifact store {Masker()(self.address)} can not be used: {reason}.",
            fix="This is not your code's fault. Try `/retry`; if it stays, tell whoever runs the bot.",
        )

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"


class _MayPass(Exception):
    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _UploadedLog:
    """Objects can not grow, so the whole log is written anew: every 2 s at first, later less often. While the command
    runs, nobody waits for that, and what does not arrive comes with the next."""

    def __init__(self, prefix: ObjectPrefix, path: str) -> None:
        self._prefix = prefix
        self._path = path
        self._content = bytearray()
        self._uploaded = 0
        self._under_way: Future[None] | None = None
        self._next_upload_s = 0.0
        self._pause_s = 2.0

    def write(self, content: bytes) -> None:
        self._content += content

    def tick(self, now_s: float) -> None:
        if self._under_way is not None and not self._under_way.done():
            return
        if now_s < self._next_upload_s or self._uploaded == len(self._content):
            return
        self._uploaded = len(self._content)
        try:
            self._under_way = self._prefix.begin_to_write(self._path, bytes(self._content))
        except Exception:  # noqa: BLE001 - each store has errors of its own; `close` says what stays wrong
            self._uploaded = 0
        self._next_upload_s = now_s + self._pause_s
        self._pause_s = min(30.0, self._pause_s * 1.5)

    def close(self) -> None:
        """The older content must not arrive after the whole."""
        if self._under_way is not None:
            try:
                self._under_way.result(timeout=READ_TIMEOUT_S)
            except Exception:  # noqa: BLE001 - whatever became of it, the whole is written now
                self._under_way.cancel()
        self._prefix.write(self._path, bytes(self._content))


def _part_bytes(source: Path) -> int:
    return max(PART_BYTES, -(-source.stat().st_size // LONGEST_PARTS))


def _etags(source: Path) -> tuple[str, str]:
    """What S3 calls an object with this content: uploaded in one piece, or in parts of our size.

    Source: Amazon S3, "Checking object integrity": the MD5, or the MD5 of the parts' MD5s and their number.
    """
    whole, parts = hashlib.md5(usedforsecurity=False), []
    part_bytes = _part_bytes(source)
    with source.open("rb") as file:
        while part := file.read(part_bytes):
            whole.update(part)
            parts.append(hashlib.md5(part, usedforsecurity=False).digest())
    in_parts = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return whole.hexdigest(), f"{in_parts}-{len(parts)}"


def _digest(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _is_bucket_missing(error: BaseException) -> bool:
    """As s3fs has it from botocore."""
    response = getattr(error.__cause__, "response", None)
    return isinstance(response, dict) and response.get("Error", {}).get("Code") == "NoSuchBucket"
