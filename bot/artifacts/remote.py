"""The artifact store as a prefix in an object store: S3, GCS, Azure, and whatever else fsspec knows.

Objects appear whole or not at all, so a write needs no second step. No listing is kept: the steps of runs write, too.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import Any

from fsspec.asyn import sync
from fsspec.core import url_to_fs

from bot.artifacts.names import checked_run_id, names_of
from bot.domain.errors import TransientError
from bot.domain.masking import mask

# A row's lease is longer than the longest call (bot/worker.py). Within it, botocore and s3fs try again by themselves.
CALL_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
S3_SCHEMES = ("s3", "s3a")
LISTED_RUNS_TIMEOUT_S = 60.0  # 1,000 names a call
DOCTOR_FOLDER = ".doctor"
_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def open_filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for an address, and the path in it. Raises ValueError, or ImportError for what is not
    installed. Nothing is asked over the network."""
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if url.partition("://")[0] in S3_SCHEMES:
        options["config_kwargs"] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"max_attempts": 2},
        }
    files, root = url_to_fs(url.rstrip("/"), **options)
    return files, root


class RemoteArtifacts:
    """Thread-safe. Every call ends within a time; what is not an answer of the store's is a TransientError."""

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root

    def prefix(self, run_id: str) -> str:
        return str(self._files.unstrip_protocol(self._key(run_id)))

    def read(self, run_id: str, path: str, *, limit_bytes: int) -> bytes | None:
        return self._slice(run_id, path, offset=0, limit_bytes=limit_bytes)

    def read_from(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes:
        return self._slice(run_id, path, offset=offset, limit_bytes=limit_bytes) or b""

    def files(self, run_id: str) -> Sequence[tuple[str, int]]:
        key = self._key(run_id)
        with self._reaching():
            found: dict[str, dict[str, Any]] = self._call("find", key, detail=True)
        names = ((name.removeprefix(key).lstrip("/"), int(info["size"] or 0)) for name, info in found.items())
        return sorted((name, size) for name, size in names if name and not name.endswith("/"))

    def write(self, run_id: str, path: str, content: bytes) -> None:
        key = self._key(run_id, *names_of(path))
        with self._reaching():
            self._call("pipe_file", key, content)

    def run_ids(self) -> Sequence[str]:
        try:
            with self._reaching():
                found = self._call("ls", f"{self._root}/runs", detail=False, timeout_s=LISTED_RUNS_TIMEOUT_S)
        except FileNotFoundError:
            return []
        return sorted(name.rstrip("/").rpartition("/")[2] for name in found)

    def remove(self, run_id: str) -> int:
        found = self.files(run_id)
        key = self._key(run_id)
        with self._reaching():
            if any(name == "result.json" for name, _ in found):
                self._call("rm_file", f"{key}/result.json")
            rest = [f"{key}/{name}" for name, _ in found if name != "result.json"]
            if rest:
                self._call("rm", rest, timeout_s=LISTED_RUNS_TIMEOUT_S)
        return sum(size for _, size in found)

    def check_health(self) -> None:
        """One listing, as a probe asks every few seconds."""
        with suppress(FileNotFoundError), self._reaching("listed"):
            self._call("ls", f"{self._root}/{DOCTOR_FOLDER}")

    def check_access(self) -> str:
        key = f"{self._root}/{DOCTOR_FOLDER}/{token_hex(8)}"
        with self._reaching("written to"):
            self._call("pipe_file", key, b"?")
        try:
            with self._reaching("read from"):
                self._call("cat_file", key, start=0, end=1)
            with self._reaching("listed"):
                self._call("ls", f"{self._root}/{DOCTOR_FOLDER}")
        finally:
            with self._reaching(f"rid of files (`{key}` is left there)"):
                self._call("rm_file", key)
        return "can be written, read, listed and cleared"

    def _key(self, run_id: str, *names: str) -> str:
        return "/".join((self._root, "runs", checked_run_id(run_id), *names))

    def _slice(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes | None:
        key = self._key(run_id, *names_of(path))
        try:
            with self._reaching():
                content: bytes = self._call("cat_file", key, start=offset, end=offset + limit_bytes)
        except _NOT_THERE:
            return None
        except _EndReached:
            return b""
        return content

    def _call(self, name: str, *arguments: Any, timeout_s: float | None = None, **options: Any) -> Any:
        if not self._files.async_impl:
            return getattr(self._files, name)(*arguments, **options)
        return sync(
            self._files.loop,
            getattr(self._files, f"_{name}"),
            *arguments,
            timeout=timeout_s or CALL_TIMEOUT_S,
            **options,
        )

    @contextmanager
    def _reaching(self, what: str = "reached") -> Iterator[None]:
        """What the store answers passes; trouble on the way, and refusals, become a TransientError with words."""
        try:
            yield
        except _NOT_THERE as error:
            if _code_of(error) == "NoSuchBucket":
                raise self._trouble(what, error) from error
            raise
        except Exception as error:  # each store of fsspec has errors of its own; all mean the same here
            if isinstance(error, OSError) and error.errno == errno.EINVAL:  # s3fs of `InvalidRange`
                raise _EndReached from error
            raise self._trouble(what, error) from error

    def _trouble(self, what: str, error: Exception) -> TransientError:
        address = mask(self._files.unstrip_protocol(self._root))
        reason = mask(str(error) or type(error).__name__).rstrip(".")[:300]
        if isinstance(error, TimeoutError):
            reason = "it did not answer in time"
        if isinstance(error, PermissionError) or type(error).__name__ == "NoCredentialsError":
            reason = f"it refuses the bot's credentials, or they lack this permission ({reason})"
        return TransientError(f"The artifact store {address} can not be {what}: {reason}.")


class _EndReached(Exception):
    """A range that begins at the end of an object, or behind it."""


def _code_of(error: BaseException) -> str:
    """The store's own code, where botocore tells it."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
