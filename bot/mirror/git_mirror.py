"""The Git port: questions to repositories, by their clone address."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from bot.domain.errors import TransientError, UserError
from bot.domain.words import quoted
from bot.mirror.address import basic_authorization, origin_of, parse_address
from bot.mirror.command import forget_local_variables
from bot.mirror.commits import parse_commit
from bot.mirror.local import LocalRepository
from bot.mirror.names import is_reference_name, is_sha, is_short_sha
from bot.mirror.objects import LINK_MODE, SUBMODULE_MODE, TreeEntry, find_entry
from bot.mirror.repositories import RemoteMirror, check_sha, open_repository
from bot.mirror.tags import read_tags
from bot.mirror.trees import changed_paths, covered_paths, path_names, tree_digest
from bot.mirror.writing import push_branch, push_tags, write_commit
from bot.ports.forge import GitCredential
from bot.ports.git import Commit, Signature, Tag

# one git process of about 4 MB is kept for each
OPEN_REPOSITORIES = 24
LOOKS_AT_TAGS = 3  # they may move between being listed and being fetched
REMEMBERED_MERGE_BASES = 20_000
_HEADS = "refs/heads/"
_OpenRepository = LocalRepository | RemoteMirror


class GitMirror:
    """`allow_local` lets addresses be folders of this machine; these are read in place. `credentials` gives the token
    for an address, if there is one, and `push_credentials` the one that may push, if that is another. `http_origins`
    are configured hosts without TLS."""

    def __init__(
        self,
        home: Path,
        *,
        allow_local: bool,
        credentials: Callable[[str], GitCredential | None] = lambda _address: None,
        push_credentials: Callable[[str], GitCredential | None] | None = None,
        http_origins: Collection[str] = (),
    ) -> None:
        forget_local_variables()
        self._home = home
        self._allow_local = allow_local
        self._credentials = credentials
        self._push_credentials = push_credentials or credentials
        self._http_origins = frozenset(http_origins)
        self._open: OrderedDict[str, _OpenRepository] = OrderedDict()
        self._lock = threading.Lock()
        self._merge_bases: dict[tuple[str, str, str], str | None] = {}

    def close(self) -> None:
        with self._lock:
            for repository in self._open.values():
                repository.objects.close()
            self._open.clear()

    def resolve(self, address: str, rev: str) -> str:
        repository = self._repository(address)
        sha = self._resolved(repository, rev)
        if sha is None:
            raise UserError(
                f"The repository {repository.address.shown} has no branch, tag or commit {quoted(rev)}.",
                "Check its spelling, and that it was pushed.",
            )
        repository.fetch([sha])
        found = repository.objects.find(f"{sha}^{{commit}}")  # a tag of a tag has more ids than one
        return found[0] if found else sha

    def fetch(self, address: str, shas: Sequence[str]) -> None:
        self._repository(address).fetch([check_sha(sha) for sha in shas])

    def commit(self, address: str, sha: str) -> Commit:
        return self._commit(self._repository(address), sha)[0]

    def read(self, address: str, sha: str, path: str, *, limit_bytes: int) -> bytes | None:
        repository = self._repository(address)
        entry = self._file(repository, sha, path)
        return None if entry is None else self._content(repository, entry, limit_bytes)

    def _file(self, repository: _OpenRepository, sha: str, path: str) -> TreeEntry | None:
        names = path_names(path)
        tree_id = self._commit(repository, sha)[1]
        with repository.objects.batch():
            entry = find_entry(repository.objects, tree_id, names) if names else None
        is_file = entry is not None and not entry.is_tree and entry.mode not in (LINK_MODE, SUBMODULE_MODE)
        return entry if is_file else None

    def _content(self, repository: _OpenRepository, entry: TreeEntry, limit_bytes: int) -> bytes:
        found = repository.objects.read(entry.id, limit_bytes=limit_bytes + 1)
        if found is None:
            repository.fetch_blobs([entry.id])
            found = repository.objects.read(entry.id, limit_bytes=limit_bytes + 1)
        if found is None:
            raise TransientError(f"{quoted(entry.name.decode('utf-8', 'replace'))} could not be fetched.")
        return found[1]

    def changed_paths(self, address: str, before: str, after: str) -> list[str]:
        repository = self._repository(address)
        before_tree, after_tree = (self._commit(repository, sha)[1] for sha in (before, after))
        return changed_paths(repository.objects, before_tree, after_tree)

    def merge_base(self, address: str, a: str, b: str) -> str | None:
        repository = self._repository(address)
        if a == b:
            return self._commit(repository, a)[0].sha
        key = (str(repository.git_dir), a, b)
        if key not in self._merge_bases:  # what was true of two commits stays true
            self._merge_bases[key] = self._merge_base(repository, a, b)
            if len(self._merge_bases) > REMEMBERED_MERGE_BASES:
                del self._merge_bases[next(iter(self._merge_bases))]
        return self._merge_bases[key]

    def _merge_base(self, repository: _OpenRepository, a: str, b: str) -> str | None:
        for sha in (a, b):
            self._commit(repository, sha)
        done = repository.runner.run("merge-base", "--end-of-options", a, b)
        if done.status not in (0, 1):
            raise TransientError(f"git merge-base failed: {done.error[-300:]}")
        return done.output.decode("ascii").strip() or None

    def heads(self, address: str) -> dict[str, str]:
        references = self._repository(address).references([f"{_HEADS}*" if self._is_remote(address) else _HEADS])
        return {name.removeprefix(_HEADS): sha for name, sha in references.items() if name.startswith(_HEADS)}

    def default_branch(self, address: str) -> str:
        named = self._repository(address).head_reference().removeprefix(_HEADS)
        heads = self.heads(address)
        if named in heads or not heads:
            return named or "main"
        usual = next((name for name in ("main", "master") if name in heads), None)
        return usual or (next(iter(heads)) if len(heads) == 1 else named or "main")

    def commits_between(self, address: str, base: str | None, head: str, *, limit: int) -> list[Commit]:
        repository = self._repository(address)
        for sha in filter(None, (base, head)):
            self._commit(repository, sha)
        excluded = [f"^{base}"] if base else []
        done = repository.runner.run("rev-list", "--topo-order", "--reverse", "--end-of-options", head, *excluded)
        if done.status:
            raise TransientError(f"git rev-list failed: {done.error[-300:]}")
        shas = done.output.decode("ascii").split()[:limit]
        with repository.objects.batch():
            return [self._commit(repository, sha)[0] for sha in shas]

    def tree_digest(self, address: str, sha: str, paths: Sequence[str], *, without: Sequence[str] = ()) -> str:
        repository = self._repository(address)
        return tree_digest(repository.objects, self._commit(repository, sha)[1], paths, without)

    def tags(self, address: str, *, named: Callable[[str], bool]) -> list[Tag]:
        repository = self._repository(address)
        for _ in range(LOOKS_AT_TAGS):
            wanted = {
                name: sha for name, sha in repository.tag_ids().items() if is_reference_name(name) and named(name)
            }
            repository.fetch_tags(wanted.values())
            found = read_tags(repository.objects, wanted)
            if found is not None:
                return found
        raise TransientError(f"The tags of {repository.address.shown} change while they are read.")

    def read_each(self, address: str, shas: Sequence[str], path: str, *, limit_bytes: int) -> dict[str, bytes | None]:
        repository = self._repository(address)
        repository.fetch([check_sha(sha) for sha in shas])
        with repository.objects.batch():
            found = {sha: self._file(repository, sha, path) for sha in shas}
            missing = {entry.id for entry in found.values() if entry and repository.objects.find(entry.id) is None}
        if missing:
            repository.fetch_blobs(missing)
        with repository.objects.batch():
            return {
                sha: None if entry is None else self._content(repository, entry, limit_bytes)
                for sha, entry in found.items()
            }

    def paths(self, address: str, sha: str, pattern: str) -> list[str]:
        repository = self._repository(address)
        return covered_paths(repository.objects, self._commit(repository, sha)[1], pattern)

    def write_commit(
        self, address: str, parent: str, files: Mapping[str, bytes | None], *, message: str, by: Signature
    ) -> str:
        repository = self._repository(address)
        tree_id = self._commit(repository, parent)[1]
        return write_commit(repository, tree_id, files, parent=parent, message=message, by=by)

    def push_tags(self, address: str, tags: Sequence[Tag]) -> None:
        push_tags(self._repository(address), tags)

    def push_branch(self, address: str, branch: str, sha: str, *, expected: str | None) -> None:
        push_branch(self._repository(address), branch, sha, expected=expected)

    def _repository(self, address: str) -> _OpenRepository:
        with self._lock:
            found = self._open.get(address)
            if found is not None and (found.git_dir / "HEAD").exists():
                self._open.move_to_end(address)
                return found
        parsed = parse_address(address, allow_local=self._allow_local, http_origins=self._http_origins)
        opened = open_repository(
            parsed,
            self._home,
            allow_local=self._allow_local,
            allow_http=bool(self._http_origins),
            authorization=partial(_authorization, self._credentials, parsed.url),
            push_authorization=partial(_authorization, self._push_credentials, parsed.url),
        )
        with self._lock:
            repository = self._open.setdefault(address, opened)
            self._open.move_to_end(address)
            while len(self._open) > OPEN_REPOSITORIES:
                self._open.popitem(last=False)[1].objects.close()
        return repository

    def _is_remote(self, address: str) -> bool:
        return isinstance(self._repository(address), RemoteMirror)

    def _commit(self, repository: _OpenRepository, sha: str) -> tuple[Commit, str]:
        found = repository.objects.read(f"{check_sha(sha)}^{{commit}}", limit_bytes=1 << 24)
        if found is None:
            repository.fetch([sha])
            found = repository.objects.read(f"{sha}^{{commit}}", limit_bytes=1 << 24)
        if found is None:
            raise TransientError(f"The commit {sha} could not be read.")
        return parse_commit(sha, found[1])

    def _resolved(self, repository: _OpenRepository, rev: str) -> str | None:
        """Branches come before tags, so that nobody takes a branch's place by pushing a tag of its name."""
        if rev == "HEAD":
            return repository.head_sha()
        if is_sha(rev):
            return rev
        if is_reference_name(rev):
            names = [f"{_HEADS}{rev}", f"refs/tags/{rev}", *([rev] if rev.startswith("refs/") else [])]
            found = repository.references(names)
            sha = next((found[name] for name in names if name in found), None)
            if sha is not None:
                return sha
        return self._completed(repository, rev) if is_short_sha(rev) else None

    def _completed(self, repository: _OpenRepository, short: str) -> str | None:
        found = repository.objects.find(f"{short}^{{commit}}")
        if found is None and isinstance(repository, RemoteMirror):
            repository.fetch_all()
            found = repository.objects.find(f"{short}^{{commit}}")
        return found[0] if found else None


def _authorization(credentials: Callable[[str], GitCredential | None], url: str) -> str:
    credential = credentials(url)
    if credential is None or credential.origin != origin_of(url):
        return ""
    return basic_authorization(credential.username, credential.password)
