"""Bringing DVC-tracked content here: out of a folder in DVC's own layout in milliseconds, or with DVC itself."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.steps.dvc_files import Pointer, Remote
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.masking import mask_address
from pipelines.steps.store_environment import without_lent
from pipelines.steps.workplace import CALLBACK_TOKEN, SECRET_PREFIX

DVC_TIMEOUT_S = 4 * 3600.0  # a first pull of a very large data set
_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_CHUNK_BYTES = 1024 * 1024


def copy_from_folders(pointer: Pointer, folders: Sequence[Path], destination: Path, what: str) -> bool:
    """False when none of the folders holds all of it. `folders` are laid out as `<2 hex digits>/<the rest>`.

    Source: DVC 3's cache layout, https://dvc.org/doc/user-guide/project-structure/internal-files.
    """
    if not pointer.is_folder:
        if pointer.inside:
            return False
        return _copy_object(pointer.md5, folders, destination / posixpath.basename(pointer.path), what)
    manifest = destination.with_name("manifest.dir")
    if not _copy_object(pointer.md5, folders, manifest, what):
        return False
    wanted = list(_files_of_manifest(manifest, pointer, what))
    if not wanted:
        raise StepFailed(FailureKind.DATA, f"There is no data {what}: the tracked folder does not hold it.")
    return all(_copy_object(md5, folders, destination / name, what) for name, md5 in wanted)


def _files_of_manifest(manifest: Path, pointer: Pointer, what: str) -> list[tuple[str, str]]:
    files = []
    for item in json.loads(manifest.read_bytes()):
        path = posixpath.normpath(item["relpath"])
        if path.startswith(("/", "../")) or path == "..":
            raise StepFailed(FailureKind.DATA, f"Data {what}: its DVC folder names a file outside of it.")
        if not pointer.inside or path == pointer.inside:
            files.append((posixpath.basename(path) if pointer.inside else path, item["md5"]))
        elif path.startswith(pointer.inside + "/"):
            files.append((path[len(pointer.inside) + 1 :], item["md5"]))
    return files


def _copy_object(md5: str, folders: Sequence[Path], target: Path, what: str) -> bool:
    if not _MD5.fullmatch(md5):
        raise StepFailed(FailureKind.DATA, f"Data {what}: `{md5[:60]}` is not an md5.")
    for folder in folders:
        source = folder / md5[:2] / md5[2:]
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            found = _copy_and_hash(source, target)
            if found != md5.removesuffix(".dir"):
                raise StepFailed(
                    FailureKind.DATA,
                    f"Data {what} is damaged in {folder}: its md5 is {found}, and should be {md5}.",
                    fix="Remove that file there and `dvc push` again from a copy that is whole.",
                )
            return True
    return False


def _copy_and_hash(source: Path, target: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()


def pull_with_dvc(checkout: Path, path: str, cache: Path, remote: Remote | None) -> str:
    """DVC's own words when it fails, "" when it worked. What is pulled stays in `cache` for later pulls.

    A remote's folder may be relative to where the repository really lies, so DVC is told where that is.
    """
    local_config = checkout / ".dvc" / "config.local"
    if not local_config.parent.is_dir():
        return "the repository has no .dvc folder"
    cache.mkdir(parents=True, exist_ok=True)
    place = f"['remote \"{remote.name}\"']\n    url = {remote.folder}\n" if remote and remote.folder else ""
    local_config.write_text(
        f"[core]\n    analytics = false\n    check_update = false\n[cache]\n    dir = {cache}\n{place}"
    )
    recursive = ["--recursive"] if (checkout / path).is_dir() else []
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "pull", *recursive, "--", path],
        cwd=checkout,
        env=_environment(cache),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DVC_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines[-3:]
    return mask_address("; ".join(line[:400] for line in telling[:3])) or f"dvc ended with code {done.returncode}"


def _environment(cache: Path) -> dict[str, str]:
    """DVC finds a remote's credentials in the environment; the model's secrets, our token and what opens the artifact
    store are not for it: where it goes stands in the data repository's own configuration."""
    environment = {
        name: value
        for name, value in without_lent(os.environ).items()
        if not name.startswith(SECRET_PREFIX) and name != CALLBACK_TOKEN
    }
    return {**environment, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(cache / "site")}
