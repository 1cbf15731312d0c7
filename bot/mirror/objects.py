"""Reading objects through one long-lived `git cat-file --batch` per repository, in tens of microseconds each."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

from bot.domain.errors import TransientError
from bot.domain.masking import mask
from bot.mirror.command import COMMAND_TIMEOUT_S, GitRunner, kill_group

TREE_MODE = "040000"
LINK_MODE = "120000"
SUBMODULE_MODE = "160000"
# what is left of a longer object is not read to its end: a new process is quicker
_DRAINED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """`mode` has six octal digits. `name` is as git keeps it: bytes of any kind but `/` and NUL."""

    mode: str
    name: bytes
    id: str

    @property
    def is_tree(self) -> bool:
        return self.mode == TREE_MODE


class Objects:
    """The objects of one repository. Thread-safe: one question at a time, each within `COMMAND_TIMEOUT_S`."""

    def __init__(self, runner: GitRunner) -> None:
        self._runner = runner
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_watched = False
        self._is_late = False

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                kill_group(self._process)
                self._process = None

    def find(self, name: str) -> tuple[str, str, int] | None:
        """Id, type and size of what `name` (an id, or `refs/…^{commit}`) stands for; None when it is not here."""
        found = self._ask(name, limit_bytes=0)
        return found[:3] if found else None

    def read(self, name: str, *, limit_bytes: int) -> tuple[str, bytes] | None:
        """Type and the first `limit_bytes` of an object."""
        found = self._ask(name, limit_bytes=limit_bytes)
        return (found[1], found[3]) if found else None

    def tree(self, tree_id: str) -> list[TreeEntry] | None:
        found = self.read(f"{tree_id}^{{tree}}", limit_bytes=1 << 28)
        return None if found is None else list(_entries(found[1], len(tree_id) // 2))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Many reads that follow each other, under one deadline."""
        with self._lock:
            if self._is_watched:
                yield
                return
            timer = threading.Timer(COMMAND_TIMEOUT_S, self._kill)
            timer.daemon = True
            self._is_watched, self._is_late = True, False
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                self._is_watched = False

    def _ask(self, name: str, *, limit_bytes: int) -> tuple[str, str, int, bytes] | None:
        if "\n" in name or "\0" in name:
            return None
        with self.batch():
            reason = ""
            for _ in range(2):  # a process that somebody ended is started again, once
                try:
                    return self._answer(name, limit_bytes)
                except (BrokenPipeError, EOFError):
                    reason = self._last_words()
                    self.close()
                    if self._is_late:
                        raise TransientError(f"git cat-file took longer than {COMMAND_TIMEOUT_S:g} s.") from None
            raise TransientError(f"git cat-file ended before it answered: {reason or 'no reason given'}")

    def _answer(self, name: str, limit_bytes: int) -> tuple[str, str, int, bytes] | None:
        process = self._process = self._process or self._runner.start(["cat-file", "--batch"], stdin=True)
        to_git, from_git = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        to_git.write(name.encode("utf-8", "surrogateescape") + b"\n")
        to_git.flush()
        header = from_git.readline()
        if not header.endswith(b"\n"):
            raise EOFError
        words = header.split()
        if len(words) != 3 or words[1] not in (b"commit", b"tree", b"blob", b"tag"):
            return None  # `<name> missing`, `<name> ambiguous`
        size = int(words[2])
        content = _exactly(from_git, min(size, limit_bytes))
        rest = size - len(content) + 1  # a line feed follows the object
        if rest > _DRAINED_BYTES:
            self.close()
        else:
            _exactly(from_git, rest)
        return words[0].decode(), words[1].decode(), size, content

    def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return ""
        process.kill()
        return mask(process.stderr.read(1000).decode("utf-8", "replace").strip())

    def _kill(self) -> None:
        self._is_late = True
        process = self._process
        if process is not None:
            process.kill()  # the reader sees the end of its pipe


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError
    return content


def _entries(tree: bytes, id_bytes: int) -> Iterator[TreeEntry]:
    """A tree object is a row of `<mode> <name>NUL<id>` (gitformat, "tree objects")."""
    position = 0
    while position < len(tree):
        end = tree.index(b"\0", position)
        mode, _, name = tree[position:end].partition(b" ")
        position = end + 1 + id_bytes
        yield TreeEntry(mode.decode("ascii").zfill(6), name, tree[end + 1 : position].hex())


def find_entry(objects: Objects, tree_id: str, path: Sequence[bytes]) -> TreeEntry | None:
    """The entry at a path. Links and submodules are not entered."""
    entry = TreeEntry(TREE_MODE, b"", tree_id)
    for name in path:
        if not entry.is_tree:
            return None
        entries = objects.tree(entry.id) or []
        found = next((candidate for candidate in entries if candidate.name == name), None)
        if found is None:
            return None
        entry = found
    return entry
