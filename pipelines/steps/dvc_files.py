"""What a data repository says of a path, read from git alone: `.dvc` files, `dvc.lock`, `.dvc/config`."""

from __future__ import annotations

import configparser
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_DVC_FILE_LIMIT_BYTES = 20 * 1024 * 1024  # a dvc.lock of thousands of stages is 1 MB
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Pointer:
    """An output that DVC tracks. `inside` is the wanted path below it, "" for all of it.

    `md5` is the content's, ending in `.dir` for a folder; "" where only DVC itself can tell (imports, cloud versioning,
    DVC 2's hashes of text files).
    """

    path: str
    md5: str
    remote: str
    inside: str

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


@dataclass(frozen=True, slots=True)
class Remote:
    """`folder` is set for a plain folder with DVC 3's layout; others are left to DVC."""

    name: str
    url: str
    folder: str


def find_pointer(path: str, names: Sequence[str], read: Read) -> Pointer | None:
    """The tracked output that holds `path`; the nearest one wins. `names` are all files of the commit."""
    known = set(names)
    for file in _files_that_may_tell(path, known):
        for output in _outputs(file, read(file)):
            if path == output.path or path.startswith(output.path + "/"):
                return Pointer(output.path, output.md5, output.remote, path[len(output.path) + 1 :])
    return None


def tracked_paths(names: Iterable[str]) -> list[str]:
    """What could be meant by a wrong path: files in git, and those behind `.dvc` files."""
    return sorted({name.removesuffix(".dvc") for name in names if not posixpath.basename(name).startswith(".")})


def find_remote(path: str, wanted: str, *, names: Sequence[str], read: Read, base: str) -> Remote | None:
    """The remote of a tracked output: the one it names, or the default. `base` is what relative folders hang on."""
    config_file = _config_of(path, set(names))
    if not config_file:
        return None
    config = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        config.read_string(read(config_file).decode("utf-8", "replace"))
    except configparser.Error:
        return None
    name = wanted or config.get("core", "remote", fallback="").strip()
    section = next((s for s in config.sections() if s.replace('"', "").strip("' ") == f"remote {name}"), None)
    if not name or section is None:
        return None
    url = config.get(section, "url", fallback="").strip()
    plain = "://" not in url.removeprefix("file://") and not {"version_aware", "worktree"} & set(config[section])
    folder = posixpath.join(base, posixpath.dirname(config_file), url.removeprefix("file://")) if plain and url else ""
    return Remote(name, url, posixpath.normpath(folder) if folder else "")


def _files_that_may_tell(path: str, known: set[str]) -> Iterator[str]:
    """`a/b.csv` may be told of by `a/b.csv.dvc`, `a.dvc`, a `dvc.lock` above it, or any other `.dvc` file above it."""
    folders = [path]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    exact = [f"{folder}.dvc" for folder in folders if folder]
    locks = [posixpath.join(folder, "dvc.lock") for folder in folders[1:]]
    yield from (file for file in (*exact, *locks) if file in known)
    above = set(folders[1:])
    yield from sorted(
        name for name in known if name.endswith(".dvc") and posixpath.dirname(name) in above and name not in exact
    )


def _outputs(file: str, content: bytes) -> Iterator[Pointer]:
    import yaml

    if len(content) > _DVC_FILE_LIMIT_BYTES:
        return
    try:
        document = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        return
    if not isinstance(document, dict):
        return
    if posixpath.basename(file) == "dvc.lock":
        stages = document.get("stages")
        holders = list(stages.values()) if isinstance(stages, dict) else []
    else:
        holders = [document]
    for holder in holders:
        if isinstance(holder, dict):
            folder = posixpath.join(posixpath.dirname(file), str(holder.get("wdir") or ""))
            for out in holder.get("outs") or ():
                if isinstance(out, dict) and isinstance(out.get("path"), str):
                    yield _pointer(folder, out)


def _pointer(folder: str, out: dict[str, Any]) -> Pointer:
    path = posixpath.normpath(posixpath.join(folder, out["path"]))
    md5 = str(out.get("md5") or "") if out.get("hash") == "md5" and out.get("cache", True) else ""
    return Pointer(path, md5, str(out.get("remote") or ""), "")


def _config_of(path: str, known: set[str]) -> str:
    folder = posixpath.dirname(path)
    while True:
        candidate = posixpath.join(folder, ".dvc", "config")
        if candidate in known:
            return candidate
        if not folder:
            return ""
        folder = posixpath.dirname(folder)
