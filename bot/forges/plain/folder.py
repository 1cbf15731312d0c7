"""The repositories that are watched: bare ones in a folder, and links in it to bare ones elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.forges.plain.webhook import FORGE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def key_of(name: str) -> str:
    return f"{FORGE}/{name}"


def watched(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and real path of each. What is no bare repository (any more) is passed over."""
    for path in sorted(folder.glob("*.git")):
        name = path.name.removesuffix(".git")
        if _NAME.fullmatch(name) and is_bare(path):
            yield name, path.resolve()


def find(folder: Path, key: str) -> Path | None:
    forge, _, name = key.partition("/")
    path = folder / f"{name}.git"
    return path.resolve() if forge == FORGE and _NAME.fullmatch(name) and is_bare(path) else None


def watch(folder: Path, path: Path, *, name: str = "") -> str:
    """Watch a bare repository that lies elsewhere; gives its name. Safe to call again."""
    target = path.expanduser().resolve()
    check_bare(target, shown=path)
    folder.mkdir(parents=True, exist_ok=True)
    known = next((known for known, there in watched(folder) if there == target), None)
    if known is not None and name in ("", known):
        return known
    chosen = name or target.name.removesuffix(".git")
    if not _NAME.fullmatch(chosen):
        raise UserError(
            f"{quoted(chosen)} can not be a repository's name.",
            "Choose one: `--name my-models` (letters, digits, . _ -).",
        )
    link = folder / f"{chosen}.git"
    if link.is_symlink() and not link.exists():
        link.unlink()  # what it led to is gone
    try:
        link.symlink_to(target, target_is_directory=True)
    except FileExistsError as error:
        raise UserError(f"Another repository is watched as {quoted(chosen)}.", "Choose a name: `--name …`.") from error
    return chosen


def check_bare(path: Path, *, shown: Path) -> None:
    text = quoted(str(shown), limit=200)
    if not path.is_dir():
        raise UserError(f"There is no folder {text}.", "Give the path of a bare git repository.")
    if path.name == ".git" or (path / ".git").exists():
        raise UserError(
            f"{text} is a working tree. The bot watches bare repositories, because those are what people push to.",
            "Make one with `git clone --bare <working tree> <name>.git`, watch that, and push to it.",
        )
    if not is_bare(path):
        raise UserError(f"{text} is not a git repository.", "Make one with `git init --bare <name>.git`.")


def is_bare(path: Path) -> bool:
    return (
        path.name != ".git" and (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    )
