"""Bytes to a Project, or a ProjectFileError with every problem."""

from __future__ import annotations

from codecs import BOM_UTF8

from bot.domain.project import JsonValue, Project
from bot.project_file.build import build_project
from bot.project_file.model_rules import report_models
from bot.project_file.on_disk import NamesIn, PathExists, report_missing
from bot.project_file.problems import Findings, ProjectFileError, ProjectFileProblem, Source
from bot.project_file.shape import report_shape
from bot.project_file.values import report_values
from bot.project_file.yaml_tree import read_tree

PROJECT_FILE_LIMIT_BYTES = 1_000_000

EMPTY_FIX = "Write `version: 1` and `models:`; `mlops-bot init` does it for you."
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def load_project(content: bytes, *, path_exists: PathExists | None = None, names_in: NamesIn | None = None) -> Project:
    """Raises ProjectFileError with all problems at once, sorted by their place.

    `path_exists` tells whether a path of the repository is there, `names_in` what a folder holds (for the nearest
    match); without them the file alone is checked.
    """
    findings = Findings(Source(_text(content)))
    root = read_tree(findings)
    if root is not None and root.value is None and not root.faulty:
        findings.add(root.start, "The file is empty.", EMPTY_FIX)
    elif root is not None:
        handled = report_values(root, findings)
        report_shape(root, findings, handled=handled)
        report_models(root, findings)
    findings.raise_if_any()
    assert root is not None
    project = build_project(root.value)
    if path_exists is not None:
        report_missing(root, project, findings, path_exists=path_exists, names_in=names_in)
    findings.raise_if_any()
    return project


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
    if content.startswith(_UTF16_MARKS):
        return ProjectFileProblem(1, 1, "", "The file is UTF-16, expected UTF-8.", "Save it as UTF-8.")
    offset += len(BOM_UTF8) if content.startswith(BOM_UTF8) else 0  # the codec does not count the mark
    index = len(content[:offset].decode("utf-8-sig"))
    source = Source(content.decode("utf-8-sig", "replace"))
    line, column = source.position(index)
    message = f"Byte 0x{content[offset]:02X} at offset {offset} is not UTF-8."
    return ProjectFileProblem(line, column, "", message, "Save the file as UTF-8.", source.excerpt(index))


def read_yaml(content: bytes) -> JsonValue:
    """The value of another YAML file, within the same bounds; None for one that can not be read."""
    try:
        findings = Findings(Source(_text(content)))
    except ProjectFileError:
        return None
    root = read_tree(findings)
    return root.value if root is not None else None
