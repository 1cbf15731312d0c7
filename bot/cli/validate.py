"""`mlops-bot validate`: is the project file, or a server's policy file, right, and what would it do?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bot.domain.errors import UserError

if TYPE_CHECKING:  # reading a project file imports jsonschema and PyYAML; `--help` does not need them
    from bot.domain.project import Project
    from bot.yaml_file import FileProblem

FILE_NAME = "mlops.yaml"


@click.command()
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check a server's policy file instead: what MLOPS_BOT_POLICY_FILE names.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for annotations in a GitHub workflow.",
)
@click.pass_context
def command(context: click.Context, path: Path, policy: Path | None, form: str) -> None:
    """Check an mlops.yaml: every error with its line, what was expected, and the fix.

    PATH is the file, or the folder that it is in (default: here). Ends with 0 when it is valid, with 2 when it is not.
    """
    from bot.yaml_file import FileError

    if policy is not None and context.get_parameter_source("path") is not ParameterSource.DEFAULT:
        raise click.UsageError("Name a PATH, or a policy file, one at a time.")
    file = policy or project_file(path)
    try:
        words = _valid_policy(file, form) if policy is not None else _valid(read_project_file(file), str(file), form)
    except FileError as error:
        click.echo(_problems(error.errors, file, form), nl=False)
        context.exit(2)
    click.echo(words, nl=False)


def project_file(path: Path) -> Path:
    """The file itself, or the one in a folder. Raises UserError."""
    file = path / FILE_NAME if path.is_dir() else path
    if file.is_file():
        return file
    misnamed = file.with_suffix(".yml")
    if file.name == FILE_NAME and misnamed.is_file():
        raise UserError(f"There is no {file}, but {misnamed}.", f"Rename it: `mv {misnamed} {file}`.")
    raise UserError(f"There is no {file}.", "Write one with `mlops-bot init`, or name another place.")


def read_project_file(file: Path) -> Project:
    """The project, checked against the files around it. Raises UserError, ProjectFileError among them."""
    from bot.project_file import PROJECT_FILE_LIMIT_BYTES, load_project

    root = file.parent
    content = _content(file, PROJECT_FILE_LIMIT_BYTES)
    return load_project(content, path_exists=lambda path: (root / path).exists(), names_in=lambda f: _names(root / f))


def _content(file: Path, limit_bytes: int) -> bytes:
    """One byte more than the limit, where there is more. Raises UserError."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit_bytes + 1)
    except OSError as error:
        raise UserError(f"{file} can not be read: {error.strerror}.") from error


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _problems(errors: tuple[FileProblem, ...], file: Path, form: str) -> str:
    from bot.yaml_file import format_github, format_json, format_text

    if form == "github":
        return format_github(errors, str(file), title=file.name)
    return {"text": format_text, "json": format_json}[form](errors, str(file))


def _valid_policy(file: Path, form: str) -> str:
    """Raises UserError, PolicyFileError among them."""
    from bot.policy_file import POLICY_FILE_LIMIT_BYTES, describe_policy, load_policy

    policy = load_policy(_content(file, POLICY_FILE_LIMIT_BYTES))
    count = "1 entry" if len(policy.entries) == 1 else f"{len(policy.entries)} entries"
    if form == "json":
        entries = [{"match": list(entry.match)} for entry in policy.entries]
        return json.dumps({"path": str(file), "valid": True, "problems": [], "entries": entries}, indent=2) + "\n"
    if form == "github":
        return f"{file} is valid: {count}.\n"
    return f"{file} is valid: {count}.\n\n{describe_policy(policy)}"


def _valid(project: Project, path: str, form: str) -> str:
    from bot.project_file import describe_project

    count = "1 model" if len(project.models) == 1 else f"{len(project.models)} models"
    if form == "json":
        models = [{"name": model.name, "path": model.path} for model in project.models]
        return json.dumps({"path": path, "valid": True, "problems": [], "models": models}, indent=2) + "\n"
    if form == "github":
        return f"{path} is valid: {count}.\n"
    return f"{path} is valid: {count}.\n\n{describe_project(project)}"
