"""One git folder to read from: a local repository as it is, or our blobless mirror of a remote one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.domain.errors import TransientError, UserError
from bot.domain.words import quoted
from bot.mirror.address import Address, origin_of
from bot.mirror.command import NETWORK_TIMEOUT_S, Finished, GitRunner, safe_variables
from bot.mirror.names import is_sha
from bot.mirror.objects import Objects

LOCK_TIMEOUT_S = 50.0
FETCHED = "refs/mlops-bot/fetched/"
# each fetch leaves a pack; git's own limit before it repacks is 50 (git-config, "gc.autoPackLimit")
PACK_LIMIT = 50
# with these, git knows that the blobs are left out on purpose. They are not in the mirror's own configuration, so that
# no question ever fetches by itself
_PARTIAL = {
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
    "extensions.partialClone": "origin",
}
_NOT_THERE = ("not our ref", "couldn't find remote ref", "unadvertised object", "no such remote ref")
_REFUSED = (
    "authentication failed",
    "could not read username",
    "permission denied",
    "not found",
    "does not appear to be a git repository",
    "returned error: 403",
    "returned error: 401",
    "host key verification failed",
)


class LocalRepository:
    """Read in place: nothing is copied, and there is nothing to fetch."""

    def __init__(self, address: Address, variables: Mapping[str, str]) -> None:
        assert address.local_path is not None
        self.address = address
        self.git_dir = git_folder(address.local_path)
        self.runner = GitRunner(self.git_dir, variables)
        self.objects = Objects(self.runner)

    def references(self, patterns: Sequence[str]) -> dict[str, str]:
        """Full name to id of the references below a name, or of just this name; tags of commits are peeled."""
        done = self.runner.run("for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", "--", *patterns)
        _raise_unless_done(done, self.address)
        lines = (line.split(" ", 2) for line in _lines(done.output))
        return {name: peeled or sha for sha, peeled, name in lines}

    def head_reference(self) -> str:
        """ "" where HEAD names no branch."""
        text = (self.git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        if text.startswith("ref: ") and not text.endswith("/.invalid"):  # reftable keeps HEAD elsewhere
            return text.removeprefix("ref: ")
        return next(iter(_lines(self.runner.run("symbolic-ref", "--quiet", "HEAD").output)), "")

    def head_sha(self) -> str | None:
        found = self.objects.find("HEAD^{commit}")
        return found[0] if found else None

    def fetch(self, shas: Sequence[str]) -> None:
        for sha in shas:
            if self.objects.find(f"{sha}^{{commit}}") is None:
                raise _unknown_commit(self.address, sha)

    def fetch_blob(self, _blob_id: str) -> None:
        raise UserError(f"The repository {self.address.shown} is damaged: a file's content is missing.")


class RemoteMirror:
    """A bare repository of ours with the commits and trees of a remote one; files' contents come when they are read."""

    def __init__(
        self, address: Address, variables: Mapping[str, str], folder: Path, authorization: Callable[[], str]
    ) -> None:
        self.address = address
        self._authorization = authorization
        self.git_dir = folder / f"{hashlib.sha256(address.url.encode()).hexdigest()[:24]}.git"
        self.runner = GitRunner(self.git_dir, variables)
        self._create()
        self.objects = Objects(self.runner)

    @property
    def _remote(self) -> dict[str, str]:
        """Configuration for one command: tokens are short-lived, and go to their own origin alone."""
        header = self.address.authorization or self._authorization()
        config = {"remote.origin.url": self.address.url}
        if header:
            config |= {f"http.{origin_of(self.address.url)}/.extraHeader": header, "http.followRedirects": "false"}
        return config

    def references(self, patterns: Sequence[str]) -> dict[str, str]:
        peeled = [f"{pattern}^{{}}" for pattern in patterns]
        done = self._ask_remote("ls-remote", "--quiet", "--", "origin", *patterns, *peeled)
        found = {name: sha for sha, _, name in (line.partition("\t") for line in _lines(done.output))}
        return {name: found.get(f"{name}^{{}}", sha) for name, sha in found.items() if not name.endswith("^{}")}

    def head_reference(self) -> str:
        done = self._ask_remote("ls-remote", "--quiet", "--symref", "--", "origin", "HEAD")
        symbolic = [line for line in _lines(done.output) if line.startswith("ref: ")]
        return symbolic[0].removeprefix("ref: ").partition("\t")[0] if symbolic else ""

    def head_sha(self) -> str | None:
        done = self._ask_remote("ls-remote", "--quiet", "--", "origin", "HEAD")
        lines = [line.split("\t", 1) for line in _lines(done.output)]
        return next((sha for sha, name in lines if name == "HEAD"), None)

    def fetch(self, shas: Sequence[str]) -> None:
        if not self._missing(shas):
            return
        with self._locked():
            missing = self._missing(shas)
            if not missing:
                return
            refspecs = [f"+{sha}:{FETCHED}{sha}" for sha in missing]
            done = self._fetch(*refspecs)
            if done.status and _says(done, _NOT_THERE):  # a server that gives no commits by their id
                self._fetch("+refs/heads/*:refs/mlops-bot/heads/*", "+refs/tags/*:refs/mlops-bot/tags/*")
            elif done.status:
                _raise_unless_done(done, self.address)
            for sha in self._missing(shas):
                raise _unknown_commit(self.address, sha)
            self._tidy()

    def fetch_all(self) -> None:
        with self._locked():
            done = self._fetch("+refs/heads/*:refs/mlops-bot/heads/*", "+refs/tags/*:refs/mlops-bot/tags/*")
            _raise_unless_done(done, self.address)

    def fetch_blob(self, blob_id: str) -> None:
        with self._locked():
            done = self._fetch(blob_id, config={"fetch.negotiationAlgorithm": "noop"})
            _raise_unless_done(done, self.address)

    def _fetch(self, *refspecs: str, config: Mapping[str, str] | None = None) -> Finished:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
        return self.runner.run(
            "fetch", *options, "--", "origin", *refspecs, timeout_s=NETWORK_TIMEOUT_S,
            config={**self._remote, **_PARTIAL, **(config or {})},
        )  # fmt: skip

    def _missing(self, shas: Sequence[str]) -> list[str]:
        return [sha for sha in shas if self.objects.find(f"{sha}^{{commit}}") is None]

    def _ask_remote(self, *arguments: str) -> Finished:
        done = self.runner.run(*arguments, timeout_s=NETWORK_TIMEOUT_S, config=self._remote)
        _raise_unless_done(done, self.address)
        return done

    def _create(self) -> None:
        if (self.git_dir / "HEAD").exists():
            return
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not (self.git_dir / "HEAD").exists():  # it appears whole, for those that read without the lock
                draft = self.git_dir.with_suffix(".new")
                shutil.rmtree(draft, ignore_errors=True)
                create_bare(draft, variables=self.runner.variables)
                draft.replace(self.git_dir)

    def _tidy(self) -> None:
        """Everything in such a mirror is in packs that `repack` keeps whole, whether a reference holds it or not."""
        if len(list((self.git_dir / "objects" / "pack").glob("*.pack"))) <= PACK_LIMIT:
            return
        self.runner.run("repack", "-a", "-d", "-q", timeout_s=NETWORK_TIMEOUT_S, config={**self._remote, **_PARTIAL})
        self.runner.run("pack-refs", "--all")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.git_dir.with_suffix(".lock").open("w", encoding="ascii") as file:
            _lock(file.fileno())
            yield


def _lock(descriptor: int) -> None:
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise TransientError("Another process fetches the same repository for too long.") from None
            time.sleep(0.02)
        else:
            return


def create_bare(path: Path, *, default_branch: str = "main", variables: Mapping[str, str] | None = None) -> None:
    """Make an empty bare repository. Its folder may exist already, if it is empty."""
    path.mkdir(parents=True, exist_ok=True)
    environment = variables if variables is not None else {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = GitRunner(path, environment).run(
        "init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}"
    )
    if done.status:
        raise UserError(f"A repository can not be made at {quoted(str(path), limit=200)}: {done.error[-300:]}.")


def git_folder(path: Path) -> Path:
    """Where the repository at `path` keeps its objects: itself when it is bare, else its `.git`."""
    for candidate in (path / ".git", path, path.with_name(path.name + ".git")):
        if (candidate / "objects").is_dir() and (candidate / "HEAD").exists():
            return candidate.absolute()
    link = path / ".git"  # a linked working tree or a submodule has a file there
    if link.is_file():
        target = link.read_text(encoding="utf-8", errors="replace").strip().removeprefix("gitdir: ")
        return (path / target).resolve()
    raise UserError(f"There is no git repository at {quoted(str(path), limit=200)}.", "Check the address.")


def open_repository(
    address: Address,
    home: Path,
    *,
    allow_local: bool,
    allow_http: bool = False,
    authorization: Callable[[], str] = lambda: "",
) -> LocalRepository | RemoteMirror:
    """`authorization` gives the header for a remote, each time anew; "" for none."""
    variables = safe_variables(home / "mirrors", allow_local=allow_local, allow_http=allow_http)
    if address.local_path is not None:
        return LocalRepository(address, variables)
    return RemoteMirror(address, variables, home / "mirrors", authorization)


def _lines(output: bytes) -> list[str]:
    """The lines that are UTF-8: a reference of another name can not be shown or stored, so it is left out."""
    lines = []
    for line in output.split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            continue
    return [line for line in lines if line]


def _says(done: Finished, words: Sequence[str]) -> bool:
    return any(word in done.error.lower() for word in words)


def _unknown_commit(address: Address, sha: str) -> UserError:
    return UserError(f"The repository {address.shown} has no commit {quoted(sha)}.", "Was it pushed?")


def _raise_unless_done(done: Finished, address: Address) -> None:
    if done.status == 0:
        return
    reason = quoted(done.error.splitlines()[-1] if done.error else "no reason given", limit=300)
    if _says(done, _REFUSED):
        raise UserError(
            f"The repository {address.shown} can not be read: {reason}.", "Check the address and its access."
        )
    raise TransientError(f"The repository {address.shown} can not be reached: {reason}.")


def check_sha(sha: str) -> str:
    """Only whole ids reach git's command lines."""
    if not is_sha(sha):
        raise UserError(f"{quoted(sha)} is not a commit's id.", "Write all 40 hexadecimal digits.")
    return sha
