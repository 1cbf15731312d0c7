"""One git folder to read from: a local repository as it is, or our blobless mirror of a remote one."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.domain.errors import TransientError, UserError
from bot.domain.words import quoted
from bot.mirror.address import Address, origin_of
from bot.mirror.answers import lines, raise_unless_done, says, unknown_commit
from bot.mirror.command import NETWORK_TIMEOUT_S, Finished, GitRunner, safe_variables
from bot.mirror.local import TAGS, LocalRepository, create_bare
from bot.mirror.names import is_sha
from bot.mirror.objects import Objects

LOCK_TIMEOUT_S = 50.0
FETCHED = "refs/mlops-bot/fetched/"
# each fetch leaves a pack; git's own limit before it repacks is 50 (git-config, "gc.autoPackLimit")
PACK_LIMIT = 50
_EVERYTHING = ("+refs/heads/*:refs/mlops-bot/heads/*", "+refs/tags/*:refs/mlops-bot/tags/*")
# with these, git knows that the blobs are left out on purpose. They are not in the mirror's own configuration, so that
# no question ever fetches by itself
_PARTIAL = {
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
    "extensions.partialClone": "origin",
}
_NOT_THERE = ("not our ref", "couldn't find remote ref", "unadvertised object", "no such remote ref")


class RemoteMirror:
    """A bare repository of ours with the commits and trees of a remote one; files' contents come when they are read."""

    def __init__(
        self,
        address: Address,
        variables: Mapping[str, str],
        folder: Path,
        authorization: Callable[[], str],
        push_authorization: Callable[[], str],
    ) -> None:
        self.address = address
        self._authorization = authorization
        self._push_authorization = push_authorization
        self.git_dir = folder / f"{hashlib.sha256(address.url.encode()).hexdigest()[:24]}.git"
        self.runner = GitRunner(self.git_dir, variables)
        self._create()
        self.objects = Objects(self.runner)

    @property
    def _remote(self) -> dict[str, str]:
        """Configuration for one command: tokens are short-lived, and go to their own origin alone."""
        return self._with_authorization(self._authorization())

    def _with_authorization(self, lent: str) -> dict[str, str]:
        header = self.address.authorization or lent
        config = {"remote.origin.url": self.address.url}
        if header:
            config |= {f"http.{origin_of(self.address.url)}/.extraHeader": header, "http.followRedirects": "false"}
        return config

    def references(self, patterns: Sequence[str]) -> dict[str, str]:
        peeled = [f"{pattern}^{{}}" for pattern in patterns]
        done = self._ask_remote("ls-remote", "--quiet", "--", "origin", *patterns, *peeled)
        found = {name: sha for sha, _, name in (line.partition("\t") for line in lines(done.output))}
        return {name: found.get(f"{name}^{{}}", sha) for name, sha in found.items() if not name.endswith("^{}")}

    def head_reference(self) -> str:
        done = self._ask_remote("ls-remote", "--quiet", "--symref", "--", "origin", "HEAD")
        symbolic = [line for line in lines(done.output) if line.startswith("ref: ")]
        return symbolic[0].removeprefix("ref: ").partition("\t")[0] if symbolic else ""

    def head_sha(self) -> str | None:
        done = self._ask_remote("ls-remote", "--quiet", "--", "origin", "HEAD")
        found = [line.split("\t", 1) for line in lines(done.output)]
        return next((sha for sha, name in found if name == "HEAD"), None)

    def tag_ids(self) -> dict[str, str]:
        """Name to id of the annotated tags: those that have something to peel."""
        done = self._ask_remote("ls-remote", "--quiet", "--tags", "--", "origin")
        found = {name: sha for sha, _, name in (line.partition("\t") for line in lines(done.output))}
        return {name.removeprefix(TAGS): sha for name, sha in found.items() if f"{name}^{{}}" in found}

    def fetch(self, shas: Sequence[str]) -> None:
        if not self._missing(shas):
            return
        with self._locked():
            missing = self._missing(shas)
            if not missing:
                return
            refspecs = [f"+{sha}:{FETCHED}{sha}" for sha in missing]
            done = self._fetch(*refspecs)
            if done.status and says(done, _NOT_THERE):  # a server that gives no commits by their id
                self._fetch(*_EVERYTHING)
            elif done.status:
                raise_unless_done(done, self.address)
            for sha in self._missing(shas):
                raise unknown_commit(self.address, sha)
            self._tidy()

    def fetch_all(self) -> None:
        with self._locked():
            done = self._fetch(*_EVERYTHING)
            raise_unless_done(done, self.address)

    def fetch_tags(self, ids: Collection[str]) -> None:
        """Bring the tags' own objects and their commits. None of them, where one is gone or moved by now."""
        if not self._unknown(ids):
            return
        with self._locked():
            # by id, since git compares each name with all of the remote's: 5,000 of them took it a minute
            done = self._fetch(*self._unknown(ids))
            if not says(done, _NOT_THERE):
                raise_unless_done(done, self.address)
            self._tidy()

    def _unknown(self, ids: Collection[str]) -> list[str]:
        with self.objects.batch():
            return [sha for sha in ids if self.objects.find(sha) is None]

    def fetch_blobs(self, blob_ids: Collection[str]) -> None:
        with self._locked():
            done = self._fetch(*blob_ids, config={"fetch.negotiationAlgorithm": "noop"})
            raise_unless_done(done, self.address)
            self._tidy()

    def writer(self) -> GitRunner:
        """Where new objects are written and pushed from."""
        return self.runner

    @property
    def push_target(self) -> str:
        return "origin"

    def push_config(self) -> dict[str, str]:
        return self._with_authorization(self._push_authorization())

    def _fetch(self, *refspecs: str, config: Mapping[str, str] | None = None) -> Finished:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin")
        return self.runner.run(
            "fetch", *options, "--", "origin", timeout_s=NETWORK_TIMEOUT_S,
            standard_input="".join(f"{refspec}\n" for refspec in refspecs).encode(),
            config={**self._remote, **_PARTIAL, **(config or {})},
        )  # fmt: skip

    def _missing(self, shas: Sequence[str]) -> list[str]:
        with self.objects.batch():
            return [sha for sha in shas if self.objects.find(f"{sha}^{{commit}}") is None]

    def _ask_remote(self, *arguments: str) -> Finished:
        done = self.runner.run(*arguments, timeout_s=NETWORK_TIMEOUT_S, config=self._remote)
        raise_unless_done(done, self.address)
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


def open_repository(
    address: Address,
    home: Path,
    *,
    allow_local: bool,
    allow_http: bool = False,
    authorization: Callable[[], str] = lambda: "",
    push_authorization: Callable[[], str] = lambda: "",
) -> LocalRepository | RemoteMirror:
    """`authorization` gives the header for a remote, each time anew; "" for none. Pushes have one of their own."""
    variables = safe_variables(home / "mirrors", allow_local=allow_local, allow_http=allow_http)
    if address.local_path is not None:
        return LocalRepository(address, variables, home / "mirrors")
    return RemoteMirror(address, variables, home / "mirrors", authorization, push_authorization)


def check_sha(sha: str) -> str:
    """Only whole ids reach git's command lines."""
    if not is_sha(sha):
        raise UserError(f"{quoted(sha)} is not a commit's id.", "Write all 40 hexadecimal digits.")
    return sha
