"""What trees hold and how they differ, computed on tree objects: equal ids are equal contents and are not entered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from bot.domain.glob import glob_matches, literal_folder
from bot.mirror.objects import Objects, TreeEntry, find_entry

_Side = dict[bytes, TreeEntry]


def changed_paths(objects: Objects, before_tree: str, after_tree: str) -> list[str]:
    """Paths of files that differ, sorted."""
    with objects.batch():
        paths = set(_changed(objects, before_tree, after_tree, b""))
    return sorted(shown_path(path) for path in paths)


def _changed(objects: Objects, before: str | None, after: str | None, folder: bytes) -> Iterator[bytes]:
    if before == after:
        return
    left, right = _side(objects, before), _side(objects, after)
    for name in left.keys() | right.keys():
        old, new = left.get(name), right.get(name)
        if old == new:
            continue
        path = folder + name
        if any(entry is not None and not entry.is_tree for entry in (old, new)):
            yield path
        old_tree, new_tree = _tree_id(old), _tree_id(new)
        if old_tree or new_tree:
            yield from _changed(objects, old_tree, new_tree, path + b"/")


def _side(objects: Objects, tree_id: str | None) -> _Side:
    return {entry.name: entry for entry in objects.tree(tree_id) or []} if tree_id else {}


def _tree_id(entry: TreeEntry | None) -> str | None:
    return entry.id if entry is not None and entry.is_tree else None


def tree_digest(objects: Objects, tree_id: str, paths: Sequence[str], without: Sequence[str]) -> str:
    """A digest over path, mode and id of each file that a pattern covers, but for the files `without`."""
    digest = hashlib.sha256()
    with objects.batch():
        files = {path: entry for pattern in paths for path, entry in _covered(objects, tree_id, pattern)}
    left_out = {path.encode("utf-8", "surrogateescape") for path in without}
    for path in sorted(files.keys() - left_out):
        digest.update(b"%s %s %s\0" % (files[path].mode.encode(), files[path].id.encode(), path))
    return digest.hexdigest()


def covered_paths(objects: Objects, tree_id: str, pattern: str) -> list[str]:
    with objects.batch():
        return sorted(shown_path(path) for path, _ in _covered(objects, tree_id, pattern))


def _covered(objects: Objects, tree_id: str, pattern: str) -> Iterator[tuple[bytes, TreeEntry]]:
    """A path covers itself and all below it, a glob the files that it matches."""
    is_glob = "*" in pattern
    folder = path_names(literal_folder(pattern) if is_glob else pattern)
    start = None if folder is None else find_entry(objects, tree_id, folder)
    if folder is None or start is None:
        return
    if not start.is_tree:
        if not is_glob:
            yield b"/".join(folder), start
        return
    prefix = b"".join(name + b"/" for name in folder)
    for path, entry in _files(objects, start.id, prefix):
        if not is_glob or glob_matches(pattern, path.decode("utf-8", "surrogateescape")):
            yield path, entry


def path_names(path: str) -> list[bytes] | None:
    """The names of a path, without `.` and doubled slashes; None when it leaves the repository, or is not text."""
    try:
        names = [name for name in path.encode("utf-8", "surrogateescape").split(b"/") if name not in (b"", b".")]
    except UnicodeEncodeError:
        return None
    return None if b".." in names or path.startswith("/") else names


def _files(objects: Objects, tree_id: str, folder: bytes) -> Iterator[tuple[bytes, TreeEntry]]:
    for entry in objects.tree(tree_id) or []:
        if entry.is_tree:
            yield from _files(objects, entry.id, folder + entry.name + b"/")
        else:
            yield folder + entry.name, entry


def shown_path(path: bytes) -> str:
    return path.decode("utf-8", "replace")
