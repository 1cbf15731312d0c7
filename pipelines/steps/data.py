"""The data at a commit of a data repository: a file or folder that DVC tracks there, or that is in git itself."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipelines.steps.data_cache import DataCache, Entry
from pipelines.steps.data_summary import summarise
from pipelines.steps.dvc_files import Pointer, Remote, find_pointer, find_remote, tracked_paths
from pipelines.steps.dvc_pull import copy_from_folders, pull_with_dvc
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.git import Checkout, GitFailed
from pipelines.steps.masking import mask_address

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DataAt:
    """Which data: all three from the outside."""

    address: str
    sha: str
    path: str

    def __str__(self) -> str:
        return f"`{self.path}` at {self.sha[:12]} of {mask_address(self.address)}"


@dataclass(frozen=True, slots=True)
class _Source:
    """Content that was found: its key, and how to bring it into an empty folder."""

    key: str
    fill: Callable[[Path], None]


def fetch_data(where: DataAt, *, cache: Path, scratch: Path, code: Checkout | None, say: Say) -> dict[str, Any]:
    """The data as a folder in the cache, and what the report says of them (`DataSummary` without the repository).

    `code` is the model's own checkout where the data are in the same repository at the same commit.
    """
    where = DataAt(where.address, where.sha, _safe_path(where))
    store = DataCache(cache)
    key = store.remembered_key(where.address, where.sha, where.path)
    entry = store.entry(key) if key else None
    if key is None or entry is None:
        source = _find(where, _checkout(where, scratch / "data-repository", code), cache, say)
        key = source.key
        entry = store.build(key, _filled_with(source))
        store.remember_key(where.address, where.sha, where.path, key)
    else:
        say(f"Data {where}: from this machine's cache.")
    return {"folder": entry.folder, "size_bytes": entry.size_bytes, "summary": _summary(where, key, entry)}


def _summary(where: DataAt, key: str, entry: Entry) -> dict[str, Any]:
    digest, _, _ = key.rpartition("-")
    return {
        "sha": where.sha,
        "path": where.path,
        "digest": digest.replace("-", ":", 1),
        "files": entry.files,
        "size_bytes": entry.size_bytes,
        "rows": entry.facts.get("rows"),
        "columns": entry.facts.get("columns", []),
    }


def _filled_with(source: _Source) -> Callable[[Path], dict[str, Any]]:
    def fill(folder: Path) -> dict[str, Any]:
        source.fill(folder)
        return summarise(folder)

    return fill


def _safe_path(where: DataAt) -> str:
    path = posixpath.normpath(where.path or ".")
    if path.startswith(("/", "../", ".git/")) or path in ("..", ".git") or "\0" in path:
        raise StepFailed(
            FailureKind.DATA,
            f"The data path `{where.path}` leads out of the data repository.",
            fix="Let `data.path` in mlops.yaml name a file or folder of the data repository.",
        )
    return path


def _checkout(where: DataAt, folder: Path, code: Checkout | None) -> Checkout:
    if code is not None:
        return code
    checkout = Checkout(folder)
    try:
        checkout.fetch(where.address, where.sha)
    except GitFailed as failed:
        raise _repository_failed(where, failed) from failed
    return checkout


def _repository_failed(where: DataAt, failed: GitFailed) -> StepFailed:
    if failed.unknown_commit:
        return StepFailed(
            FailureKind.DATA,
            f"The data revision {where.sha[:12]} is not in {mask_address(where.address)}.",
            fix="Check `data.rev` in mlops.yaml; the revision may have been removed by a force push.",
        )
    return StepFailed(
        FailureKind.DATA,
        f"The data repository {mask_address(where.address)} could not be read at {where.sha[:12]}: {failed.reason}",
        fix="Check `data.repo` in mlops.yaml, and whether the bot may read that repository.",
    )


def _find(where: DataAt, checkout: Checkout, cache: Path, say: Say) -> _Source:
    tree = _tree(checkout, where.sha)
    names = list(tree)
    below = [name for name in names if where.path == "." or name == where.path or name.startswith(where.path + "/")]
    pointer = find_pointer(where.path, names, lambda file: checkout.read(where.sha, file)) if not below else None
    if not below and pointer is None:
        raise _not_there(where, names)
    if pointer is None and not any(name.endswith(".dvc") for name in below):
        oid = tree[where.path] if where.path in tree else _digest("\n".join(tree[name] + name for name in below))
        return _Source(_key("git", oid, where), lambda folder: _from_git(where, checkout, folder))
    if pointer is None or not pointer.md5:
        oid = _digest("\n".join(tree[name] + name for name in names if name.endswith((".dvc", "dvc.lock"))))
        remote = _remote(where, pointer.path if pointer else where.path, "", checkout, names)
        return _Source(
            _key("dvc", oid, where), lambda folder: _through_dvc(where, checkout, cache, remote, folder, say)
        )
    return _Source(
        _key("md5", pointer.md5, where),
        lambda folder: _from_dvc(where, checkout, names, pointer, cache, folder, say),
    )


def _from_dvc(
    where: DataAt, checkout: Checkout, names: list[str], pointer: Pointer, cache: Path, folder: Path, say: Say
) -> None:
    """Straight out of a folder remote or the repository's own DVC cache; through DVC itself from everywhere else."""
    own = Path(where.address.removeprefix("file://"))
    remote = _remote(where, pointer.path, pointer.remote, checkout, names)
    folders = [own / ".dvc" / "cache" / "files" / "md5"] if own.is_absolute() else []
    if remote and remote.folder:
        folders.append(Path(remote.folder) / "files" / "md5")
    if copy_from_folders(pointer, [place for place in folders if place.is_dir()], folder, str(where)):
        say(f"Data {where}: read from the DVC remote's folder, checked by md5.")
        return
    if remote and remote.folder:
        raise _not_in_remote(where, remote, pointer)
    if remote is None:
        raise StepFailed(
            FailureKind.DATA,
            f"Data {where}: DVC tracks it, but no DVC remote is configured at this revision.",
            fix="Add one with `dvc remote add -d`, commit .dvc/config, and `dvc push`.",
        )
    _through_dvc(where, checkout, cache, remote, folder, say)


def _remote(where: DataAt, path: str, name: str, checkout: Checkout, names: list[str]) -> Remote | None:
    base = where.address.removeprefix("file://")
    return find_remote(path, name, names=names, read=lambda file: checkout.read(where.sha, file), base=base)


def _not_in_remote(where: DataAt, remote: Remote, pointer: Pointer) -> StepFailed:
    place = f"`{remote.name}` ({mask_address(remote.url)})"
    if not Path(remote.folder).is_dir():
        return StepFailed(
            FailureKind.DATA,
            f"The DVC remote {place} of data {where} can not be reached: there is no such folder.",
            fix="Check the remote's url in .dvc/config, and whether it is reachable from where the bot runs.",
        )
    return StepFailed(
        FailureKind.DATA,
        f"The DVC remote {place} does not hold data {where} (md5 {pointer.md5}).",
        fix="Run `dvc push` in the data repository.",
    )


def _through_dvc(where: DataAt, checkout: Checkout, cache: Path, remote: Remote | None, folder: Path, say: Say) -> None:
    say(f"Data {where}: pulling with DVC.")
    place = f" from the DVC remote `{remote.name}` ({mask_address(remote.url)})" if remote else ""
    try:
        checkout.check_out(where.sha)
    except GitFailed as failed:
        raise _repository_failed(where, failed) from failed
    reason = pull_with_dvc(checkout.folder, where.path, cache / "dvc", remote)
    if reason:
        raise StepFailed(
            FailureKind.DATA,
            f"Data {where} could not be pulled{place}: {reason}",
            fix="Try `dvc pull` in a fresh clone of the data repository.",
        )
    _copy(checkout.folder / where.path, folder)


def _from_git(where: DataAt, checkout: Checkout, folder: Path) -> None:
    source = checkout.folder / where.path
    checkout.run("--literal-pathspecs", "checkout", "--quiet", "--force", where.sha, "--", where.path)
    _copy(source, folder)


def _copy(source: Path, folder: Path) -> None:
    """Links are left out: they could lead anywhere."""
    if source.is_file() and not source.is_symlink():
        shutil.copyfile(source, folder / source.name)
        return
    for file in source.rglob("*"):
        inside = file.relative_to(source)
        if ".git" in inside.parts or ".dvc" in inside.parts or file.suffix == ".dvc" or file.name == ".gitignore":
            continue
        if file.is_file() and not file.is_symlink():
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _tree(checkout: Checkout, sha: str) -> dict[str, str]:
    """Path to blob id of every plain file of the commit."""
    listing = checkout.run("ls-tree", "-r", "-z", "--full-tree", sha).decode("utf-8", "surrogateescape")
    tree = {}
    for line in listing.split("\0"):
        head, _, path = line.partition("\t")
        mode, _, oid = head.partition(" ")
        if mode in ("100644", "100755"):
            tree[path] = oid.partition(" ")[2]
    return tree


def _not_there(where: DataAt, names: list[str]) -> StepFailed:
    from difflib import get_close_matches

    near = get_close_matches(where.path, tracked_paths(names), n=1)
    return StepFailed(
        FailureKind.DATA,
        f"There is no data {where}: neither in git nor tracked by DVC.",
        fix=f"Did you mean `{near[0]}`?" if near else "Check `data.path` and `data.rev` in mlops.yaml.",
    )


def _key(kind: str, content: str, where: DataAt) -> str:
    """The path is part of it: the same content under another name is another folder."""
    return f"{kind}-{content}-{_digest(where.path)[:8]}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
