"""Bytes to a Project, or a ProjectFileError with every problem."""

from __future__ import annotations

from bot.domain.project import Project
from bot.project_file.build import build_project
from bot.project_file.model_rules import report_models
from bot.project_file.on_disk import NamesIn, PathExists, report_missing
from bot.project_file.readers import READERS
from bot.yaml_file import FILE_LIMIT_BYTES, FileError, findings_for, read_tree, report_shape, report_values

PROJECT_FILE_LIMIT_BYTES = FILE_LIMIT_BYTES
SCHEMA_NAME = "mlops.schema.json"

EMPTY_FIX = "Write `version: 1` and `models:`; `mlops-bot init` does it for you."
TOO_LARGE_FIX = "Keep data out of it; name it under `data:`."


class ProjectFileError(FileError):
    """All that is wrong with a project file."""

    file_name = "mlops.yaml"


def load_project(content: bytes, *, path_exists: PathExists | None = None, names_in: NamesIn | None = None) -> Project:
    """Raises ProjectFileError with all problems at once, sorted by their place.

    `path_exists` tells whether a path of the repository is there, `names_in` what a folder holds (for the nearest
    match); without them the file alone is checked.
    """
    findings = findings_for(content, ProjectFileError, too_large_fix=TOO_LARGE_FIX)
    root = read_tree(findings)
    if root is not None and root.value is None and not root.faulty:
        findings.add(root.start, "The file is empty.", EMPTY_FIX)
    elif root is not None:
        handled = report_values(root, findings, READERS)
        report_shape(root, findings, SCHEMA_NAME, handled=handled)
        report_models(root, findings)
    findings.raise_if_any()
    assert root is not None
    project = build_project(root.value)
    if path_exists is not None:
        report_missing(root, project, findings, path_exists=path_exists, names_in=names_in)
    findings.raise_if_any()
    return project
