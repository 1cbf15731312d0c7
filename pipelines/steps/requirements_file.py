"""What a requirements file asks for: its lines, and those of the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps.failure import FailureKind, Frame, StepFailed

_NESTED = re.compile(r"^(?:-r|--requirement|-c|--constraint)[=\s]*(\S+)")
_LOCAL = re.compile(r"^(?:-e|--editable)\b|^(?:\.{1,2}(?:/|$|\[)|/|file:)|@\s*(?:file:|\.{0,2}/)")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
_NESTING_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Line:
    """`file` is relative to the repository's root."""

    file: str
    number: int
    text: str

    @property
    def is_local(self) -> bool:
        """Refers to files of the checkout, so what it installs is not told by the text alone."""
        return bool(_LOCAL.search(self.text))

    @property
    def package(self) -> str:
        match = _NAME.match(self.text)
        return match[0].lower().replace("_", "-").replace(".", "-") if match else ""


def read_requirements(path: Path, *, checkout: Path) -> list[Line]:
    root = checkout.resolve()
    resolved = path.resolve()
    if not resolved.is_relative_to(root) or not resolved.is_file():
        raise StepFailed(
            FailureKind.REQUIREMENTS,
            f"There is no requirements file `{path.name}` in the model's folder.",
            fix="Let `environment.requirements` in mlops.yaml name a file, relative to the model's path.",
        )
    return list(_lines(resolved, root, depth=0))


def blamed_lines(words: str, lines: list[Line]) -> tuple[Line, ...]:
    """The lines whose package uv names, the first that is named first."""
    said = words.lower().replace("_", "-")
    found = []
    for line in lines:
        match = re.search(rf"(?<![\w-]){re.escape(line.package)}(?![\w-])", said) if line.package else None
        if match or (line.text and line.text in words):
            found.append((match.start() if match else 0, line))
    return tuple(line for _, line in sorted(found, key=lambda item: item[0]))[:5]


def as_frame(line: Line) -> Frame:
    return Frame(line.file, line.number)


def _lines(path: Path, root: Path, *, depth: int) -> Iterator[Line]:
    name = path.relative_to(root).as_posix()
    for number, raw in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
        text = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not text:
            continue
        yield Line(name, number, text)
        nested = _NESTED.match(text)
        if nested and "://" not in nested[1] and depth < _NESTING_LIMIT:
            other = (path.parent / nested[1]).resolve()
            if other.is_relative_to(root) and other.is_file():
                yield from _lines(other, root, depth=depth + 1)
