"""A repository of this machine, read in place."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.mirror.address import Address
from bot.mirror.answers import lines, raise_unless_done, unknown_commit
from bot.mirror.command import GitRunner
from bot.mirror.objects import Objects

TAGS = "refs/tags/"


class LocalRepository:
    """Read in place: nothing is copied, and there is nothing to fetch."""

    def __init__(self, address: Address, variables: Mapping[str, str], workshops: Path) -> None:
        assert address.local_path is not None
        self.address = address
        self._workshops = workshops
        self.git_dir = git_folder(address.local_path)
        self.runner = GitRunner(self.git_dir, variables)
        self.objects = Objects(self.runner)

    def references(self, patterns: Sequence[str]) -> dict[str, str]:
        """Full name to id of the references below a name, or of just this name; tags of commits are peeled."""
        done = self.runner.run("for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", "--", *patterns)
        raise_unless_done(done, self.address)
        found = (line.split(" ", 2) for line in lines(done.output))
        return {name: peeled or sha for sha, peeled, name in found}

    def tag_ids(self) -> dict[str, str]:
        """Name to id of the annotated tags."""
        done = self.runner.run("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)", "--", TAGS)
        raise_unless_done(done, self.address)
        found = (line.split(" ", 2) for line in lines(done.output))
        return {name.removeprefix(TAGS): tag_id for kind, tag_id, name in found if kind == "tag"}

    def head_reference(self) -> str:
        """ "" where HEAD names no branch."""
        text = (self.git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        if text.startswith("ref: ") and not text.endswith("/.invalid"):  # reftable keeps HEAD elsewhere
            return text.removeprefix("ref: ")
        return next(iter(lines(self.runner.run("symbolic-ref", "--quiet", "HEAD").output)), "")

    def head_sha(self) -> str | None:
        found = self.objects.find("HEAD^{commit}")
        return found[0] if found else None

    def fetch(self, shas: Sequence[str]) -> None:
        for sha in shas:
            if self.objects.find(f"{sha}^{{commit}}") is None:
                raise unknown_commit(self.address, sha)

    def fetch_tags(self, _ids: Collection[str]) -> None:
        """They are here."""

    def fetch_blobs(self, _blob_ids: Collection[str]) -> None:
        raise UserError(f"The repository {self.address.shown} is damaged: a file's content is missing.")

    def writer(self) -> GitRunner:
        """A repository of ours that borrows the objects of this one: what is new is pushed from there like from
        anywhere, so this one's hooks are asked, and its configuration does not decide where a push goes."""
        is_sha256 = self.runner.run("rev-parse", "--show-object-format").output.strip() == b"sha256"
        name = hashlib.sha256(f"{self.git_dir} {is_sha256}".encode()).hexdigest()[:24]
        folder = self._workshops / f"{name}.push.git"
        runner = GitRunner(folder, self.runner.variables)
        if not (folder / "HEAD").exists():
            draft = folder.with_suffix(f".{os.urandom(6).hex()}")
            create_bare(draft, variables=self.runner.variables, object_format="sha256" if is_sha256 else "sha1")
            (draft / "objects" / "info").mkdir(exist_ok=True)
            (draft / "objects" / "info" / "alternates").write_text(f"{self.git_dir / 'objects'}\n", encoding="utf-8")
            try:
                draft.rename(folder)
            except OSError:  # somebody else was first
                shutil.rmtree(draft)
        return runner

    @property
    def push_target(self) -> str:
        return str(self.git_dir)

    def push_config(self) -> dict[str, str]:
        return {}


def create_bare(
    path: Path,
    *,
    default_branch: str = "main",
    variables: Mapping[str, str] | None = None,
    object_format: str = "sha1",
) -> None:
    """Make an empty bare repository. Its folder may exist already, if it is empty."""
    path.mkdir(parents=True, exist_ok=True)
    environment = variables if variables is not None else {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = GitRunner(path, environment).run(
        "init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}",
        f"--object-format={object_format}",
    )  # fmt: skip
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
