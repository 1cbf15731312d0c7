"""Where Python raised: the frames in the repository's own files, read from the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps.failure import Frame

_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+)(?:, in (.+))?\s*$')
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?::.*)?$")
_HEADER = "Traceback (most recent call last):"
# A traceback that is followed by more than this was handled, and is not why the command ended.
_LINES_AFTER = 50
_MESSAGE_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Raised:
    """`message` is the exception's own line. `frames` are the repository's, the innermost last."""

    message: str
    frames: tuple[Frame, ...]


def last_exception(lines: Sequence[str], *, checkout: Path, folder: Path) -> Raised | None:
    """The last exception of a log, if it is near the end. `folder` is where the command was started."""
    last = next((i for i in range(len(lines) - 1, -1, -1) if _FRAME.match(lines[i])), None)
    if last is None:
        return None
    end = next((i for i in range(last + 1, len(lines)) if lines[i].strip() and not lines[i][0].isspace()), None)
    if end is None or not _EXCEPTION.match(lines[end]) or len(lines) - end > _LINES_AFTER:
        return None
    begin = last
    while begin > 0 and lines[begin - 1].strip() != _HEADER and (not lines[begin - 1] or lines[begin - 1][0].isspace()):
        begin -= 1
    matches = [match for line in lines[begin : last + 1] if (match := _FRAME.match(line))]
    frames = (_own_frame(match, checkout.resolve(), folder) for match in matches)
    return Raised(lines[end][:_MESSAGE_CHARACTERS], tuple(frame for frame in frames if frame))


def _own_frame(match: re.Match[str], checkout: Path, folder: Path) -> Frame | None:
    path = (folder / match[1]).resolve()
    if not path.is_relative_to(checkout):
        return None
    relative = path.relative_to(checkout)
    if "site-packages" in relative.parts or not path.is_file():
        return None
    return Frame(relative.as_posix(), int(match[2]), match[3] or "")
