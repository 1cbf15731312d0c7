"""The server's policy as its file says now, and the values of the secrets that it names, read when they are needed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.domain.errors import UserError
from bot.domain.masking import SHORTEST
from bot.domain.retention import Retention
from bot.domain.server_policy import RepositoryPolicy, SecretSource, ServerPolicy
from bot.domain.words import listed, quoted
from bot.policy_file import POLICY_FILE_LIMIT_BYTES, PolicyFileError, load_policy

SETTING = "MLOPS_BOT_POLICY_FILE"
SECRET_LIMIT_BYTES = 64 * 1024  # far less than the 128 KB that a variable may hold on Linux
# a file that was changed so lately may be changed again without its time telling
UNSETTLED_S = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What told the file's state apart when it was read."""

    inode: int
    size: int
    modified_ns: int


class Policies:
    """Of the server's policy file; without a path, nothing is asked and no secret is given.

    Reads the file at once, and raises UserError with all that is wrong with it. Later it is read again whenever it has
    changed; if it is wrong then, the last good one goes on counting, and `check` says so. `on_secrets` is told every
    value that is given, before it is.
    """

    def __init__(
        self, path: Path | None, *, environ: Mapping[str, str], on_secrets: Callable[[Iterable[str]], None]
    ) -> None:
        self._path = path
        self._environ = environ
        self._on_secrets = on_secrets
        self._lock = threading.Lock()
        self._policy = ServerPolicy()
        self._has_good_one = False
        self._problem: UserError | None = None
        self._seen: _Seen | None = None
        self._content = b""
        if path is not None:
            self._look(path)
            if self._problem is not None:
                raise self._problem

    def of(self, repository: str) -> RepositoryPolicy:
        return self._now().of(repository)

    def retention(self) -> Retention | None:
        """How long what runs leave is kept; None for ever."""
        return self._now().keep

    def secrets_of(self, repository: str, names: Sequence[str]) -> Mapping[str, str]:
        """All of them, by name. Raises UserError that names those that can not be given, and why."""
        sources = self.of(repository).secrets
        ungranted = [name for name in names if name not in sources]
        if ungranted:
            raise UserError(
                f"The server's policy does not let {quoted(repository)} have {listed(ungranted)}.",
                "Ask whoever runs this bot, or order the run again: it then runs without.",
            )
        values, problems = self._values({name: sources[name] for name in names})
        if problems:
            raise UserError(
                f"A secret has no value on this server. {' '.join(problems)}",
                f"Ask whoever runs this bot ({SETTING} says where each value is); then write `/retry`.",
            )
        return values

    def check(self) -> str:
        """A few words; raises UserError when the file, as it is now, does not count."""
        policy = self._now()
        if self._problem is not None:
            raise self._problem
        count = len(policy.entries)
        return f"{count} entr{'y' if count == 1 else 'ies'} in {self._path}" if self._path else "none"

    def check_secrets(self) -> str:
        """A few words; raises UserError when values are missing."""
        sources = [source for entry in self._now().entries for source in entry.policy.secrets.items()]
        problems = [problem for source in sources for problem in self._values(dict([source]))[1]]
        if problems:
            raise UserError(" ".join(dict.fromkeys(problems)), f"Set it, or mend `secrets:` in the file of {SETTING}.")
        return f"{len(sources)} with values"

    def _now(self) -> ServerPolicy:
        if self._path is not None:
            self._look(self._path)
        return self._policy

    def _look(self, path: Path) -> None:
        with self._lock:
            try:
                seen = _seen(path)
                if seen == self._seen and time.time() - seen.modified_ns / 1e9 > UNSETTLED_S:
                    return
                content = _read(path, POLICY_FILE_LIMIT_BYTES + 1)
            except OSError as error:
                self._keep(UserError(f"{path} can not be read: {error.strerror}.", f"{SETTING} names it."))
                return
            self._seen = seen
            if content != self._content or self._problem is not None:
                self._content = content
                self._load(path, content)

    def _load(self, path: Path, content: bytes) -> None:
        try:
            self._policy = load_policy(content)
        except PolicyFileError as error:
            fix = f"`mlops-bot validate --policy {path}` shows each with its line."
            self._keep(UserError(f"{SETTING}, {path}: {error.problem}", fix))
            return
        self._problem, self._has_good_one = None, True
        log.info("policy_read", path=str(path), entries=len(self._policy.entries))

    def _keep(self, problem: UserError) -> None:
        """The last good policy, and say why, once for each thing that is wrong; at the start there is none to keep."""
        is_news = self._problem is None or self._problem.problem != problem.problem
        if is_news and self._has_good_one:
            log.error("policy_invalid_last_good_one_counts", path=str(self._path), problem=problem.problem)
        self._problem = problem

    def _values(self, sources: Mapping[str, SecretSource]) -> tuple[dict[str, str], list[str]]:
        values: dict[str, str] = {}
        problems: list[str] = []
        for name, source in sources.items():
            value, trouble = self._value(source)
            if trouble:
                problems.append(f"{quoted(name)}: {source} {trouble}.")
            else:
                values[name] = value
        self._on_secrets(_to_be_masked(values.values()))
        return values, problems

    def _value(self, source: SecretSource) -> tuple[str, str]:
        """The value, or what is wrong with where it should be."""
        if source.env:
            value = self._environ.get(source.env, "")
            return value, "is not set" if not value else _unfit(value)
        try:
            content = _read(Path(source.file), SECRET_LIMIT_BYTES + 1)
            value = content.decode("utf-8").rstrip()
        except OSError as error:
            return "", f"can not be read ({error.strerror})"
        except UnicodeDecodeError:
            return "", "is not UTF-8"
        if len(content) > SECRET_LIMIT_BYTES:
            return "", f"is larger than {SECRET_LIMIT_BYTES:,} bytes"
        return value, "is empty" if not value else _unfit(value)


def _unfit(value: str) -> str:
    if "\0" in value:
        return "holds a NUL character, which no program can be given"
    if len(value) < SHORTEST:  # would be left in logs, for masking it would blank out ordinary words
        return f"holds fewer than {SHORTEST} characters, which could not be kept out of logs"
    return ""


def _to_be_masked(values: Iterable[str]) -> Iterator[str]:
    """Each line of a value, too: logs are written line by line."""
    for value in values:
        yield value
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST)


def _seen(path: Path) -> _Seen:
    found = path.stat()
    return _Seen(found.st_ino, found.st_size, found.st_mtime_ns)


def _read(path: Path, limit_bytes: int) -> bytes:
    """Not of a pipe or a terminal, which could be waited for without end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit_bytes) or b""
