"""Bytes to a Project, or a ProjectFileError with every problem."""

from __future__ import annotations

from bot.domain.project import Project
from bot.project_file.build import build_project
from bot.project_file.model_rules import report_models
from bot.project_file.on_disk import NamesIn, PathExists, report_missing
from bot.project_file.problems import Findings, ProjectFileError, ProjectFileProblem, Source
from bot.project_file.shape import report_shape
from bot.project_file.values import report_values
from bot.project_file.yaml_tree import Node, read_tree

PROJECT_FILE_LIMIT_BYTES = 1_000_000

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def load_project(content: bytes, *, path_exists: PathExists | None = None, names_in: NamesIn | None = None) -> Project:
    """Raises ProjectFileError with all problems at once, sorted by their place.

    `path_exists` tells whether a path of the repository is there, `names_in` what a folder holds (for the nearest
    match); without them the file alone is checked.
    """
    findings = Findings(Source(_text(content)))
    root = read_tree(findings)
    if root is None or _is_empty(root):
        if not findings.problems:
            findings.add(0, "The file is empty.", "Write `version: 1` and `models:`; `mlops-bot init` does it for you.")
        raise ProjectFileError(findings.problems)
    handled = report_values(root, findings)
    report_shape(root, findings, handled=handled)
    report_models(root, findings)
    if findings.problems:
        raise ProjectFileError(findings.problems)
    project = build_project(root.value)
    if path_exists is not None:
        report_missing(root, project, findings, path_exists=path_exists, names_in=names_in)
    if findings.problems:
        raise ProjectFileError(findings.problems)
    return project


def _is_empty(root: Node) -> bool:
    return root.value is None and not root.faulty


def _text(content: bytes) -> str:
    """Raises ProjectFileError for a file that is too large, or not UTF-8."""
    if len(content) > PROJECT_FILE_LIMIT_BYTES:
        message = f"The file is larger than {PROJECT_FILE_LIMIT_BYTES:,} bytes and was not read."
        raise ProjectFileError([ProjectFileProblem(1, 1, "", message, "Keep data out of it; name it under `data:`.")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectFileError([_not_utf8(content, error.start)]) from error


def _not_utf8(content: bytes, offset: int) -> ProjectFileProblem:
    offset += 3 if content.startswith(b"\xef\xbb\xbf") else 0  # the codec does not count the mark
    before = content[:offset].decode("utf-8-sig")
    line, column = Source(before).position(len(before))
    if content.startswith(_UTF16_MARKS):
        return ProjectFileProblem(1, 1, "", "The file is UTF-16, expected UTF-8.", "Save it as UTF-8.")
    message = f"Byte 0x{content[offset]:02X} at offset {offset} is not UTF-8."
    return ProjectFileProblem(line, column, "", message, "Save the file as UTF-8.")
