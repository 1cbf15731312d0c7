"""`mlops-bot init`: make a repository a project."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from bot.domain.errors import UserError

if TYPE_CHECKING:  # planning imports jsonschema and PyYAML; `--help` does not need them
    from bot.usecases.init_project import InitPlan

MOST_FILES = 50_000  # looked at; a larger repository is data
DEEPEST = 8  # folders
READ_LIMIT_BYTES = 1_000_000


@click.command()
@click.argument("path", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Replace an mlops.yaml that is there. Nothing else is ever replaced.")
def command(path: Path, force: bool) -> None:
    """Write an mlops.yaml that fits what is in PATH (default: here).

    Looks for training and evaluation scripts, dvc.yaml, requirements and data. Where there is no training script, it
    writes a small project that runs.
    """
    from bot.usecases.init_project import PROJECT_FILE, plan_project

    _refuse_subfolder(path)
    target = path / PROJECT_FILE
    if os.path.lexists(target) and not force:
        raise UserError(
            f"{target} is there already.", f"Check it with `mlops-bot validate {path}`, or replace it with `--force`."
        )
    plan = plan_project(list(_files(path)), lambda name: _read(path / name), name=path.resolve().name)
    written = _write(path, plan)
    click.echo(_told(path, plan, written), nl=False)


def _refuse_subfolder(path: Path) -> None:
    """The bot reads `mlops.yaml` from a repository's root, so that is where it belongs."""
    folder = path.resolve()
    is_new = not folder.exists() or not any(folder.iterdir())
    root = next((parent for parent in folder.parents if (parent / ".git").exists()), None)
    if root is None or is_new or (folder / ".git").exists():
        return
    raise UserError(
        f"{path} is a folder of the repository {root}, and mlops.yaml belongs in a repository's root.",
        f"Run `mlops-bot init {quote(str(root))}`, which finds models in folders. Or `git init` first, if this is "
        "to be a repository of its own.",
    )


def _files(root: Path) -> Iterator[str]:
    """Paths of all files but hidden ones and environments, from the root; `.dvc/config` and `.python-version` count."""
    count = 0
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        is_dvc = inside.parts[:1] == (".dvc",)  # its settings count, not its cache
        if is_dvc or len(inside.parts) >= DEEPEST or "pyvenv.cfg" in names:
            folders.clear()
        folders[:] = sorted(name for name in folders if name == ".dvc" or not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            path = (inside / name).as_posix()
            count += 1
            if count > MOST_FILES:
                return
            if path.isprintable() and "\\" not in path:  # others can not be named in the file
                yield path


def _read(file: Path) -> bytes | None:
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return stream.read(READ_LIMIT_BYTES)


def _write(root: Path, plan: InitPlan) -> list[str]:
    """Gives the paths that were written. `mlops.yaml` and its schema are replaced in one step, others only created."""
    from bot.usecases.init_project import PROJECT_FILE, SCHEMA_FILE

    written = []
    for name, content in plan.files.items():
        file = root / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if name in (PROJECT_FILE, SCHEMA_FILE):
                _replace(file, content)
            else:
                with file.open("xb") as stream:
                    stream.write(content)
        except OSError as error:
            raise UserError(f"{file} can not be written: {error.strerror}.", "Choose another folder.") from error
        written.append(name)
    return written


def _replace(file: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
        stream.write(content)
        temporary = Path(stream.name)
    temporary.chmod(0o644)
    temporary.replace(file)


def _told(root: Path, plan: InitPlan, written: list[str]) -> str:
    shown = quote(str(root))
    place, enter = ("", "") if root == Path() else (f" {shown}", f"cd {shown} && ")
    lines = ["Found:", *(f"  {sentence}" for sentence in plan.found)]
    lines += ["Wrote:", *(f"  {root / name}" for name in written)]
    steps = [f"mlops-bot validate{place}", f"{enter}mlops-bot run train"]
    if not (root / ".git").exists():
        steps.insert(1, f"{enter}git init && git add . && git commit -m 'First model'")
    lines += ["Before you go on:", *(f"  {hint}" for hint in plan.hints)] if plan.hints else []
    lines += ["Next:", *(f"  {step}" for step in steps)]
    return "\n".join(lines) + "\n"
