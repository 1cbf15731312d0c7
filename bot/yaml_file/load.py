"""Bytes to the text of a file and the tree that it holds."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable

from bot.domain.project import JsonValue
from bot.yaml_file.problems import FileError, FileProblem, Findings, Source
from bot.yaml_file.tree import read_tree

FILE_LIMIT_BYTES = 1_000_000

HiddenIn = Callable[[str], Iterable[tuple[int, int]]]

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def findings_for(
    content: bytes,
    error: type[FileError] = FileError,
    *,
    too_large_fix: str = "",
    hidden_in: HiddenIn = lambda _text: (),
) -> Findings:
    """What will collect the problems of a file. `hidden_in` gives where in its text something stands that must not be
    repeated. Raises FileError for one that is too large, or not UTF-8."""
    if len(content) > FILE_LIMIT_BYTES:
        message = f"The file is larger than {FILE_LIMIT_BYTES:,} bytes and was not read."
        raise error([FileProblem(1, 1, "", message, too_large_fix)])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise error([_not_utf8(content, broken.start, hidden_in)]) from broken
    return Findings(Source(text, hidden_in(text)), error)


def read_yaml(content: bytes) -> JsonValue:
    """The value of another YAML file, within the same bounds; None for one that can not be read."""
    try:
        findings = findings_for(content)
    except FileError:
        return None
    root = read_tree(findings)
    return root.value if root is not None else None


def _not_utf8(content: bytes, offset: int, hidden_in: HiddenIn) -> FileProblem:
    if content.startswith(_UTF16_MARKS):
        return FileProblem(1, 1, "", "The file is UTF-16, expected UTF-8.", "Save it as UTF-8.")
    offset += len(BOM_UTF8) if content.startswith(BOM_UTF8) else 0  # the codec does not count the mark
    index = len(content[:offset].decode("utf-8-sig"))
    text = content.decode("utf-8-sig", "replace")
    source = Source(text, hidden_in(text))
    line, column = source.position(index)
    message = f"Byte 0x{content[offset]:02X} at offset {offset} is not UTF-8."
    return FileProblem(line, column, "", message, "Save the file as UTF-8.", source.excerpt(index))
