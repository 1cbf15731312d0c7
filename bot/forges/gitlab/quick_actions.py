"""GitLab carries out `/close` and the like, wherever a line of a comment begins so, with the rights of its author. What
the bot writes holds text from outside, so none of its lines may begin so (GitLab docs, "GitLab quick actions")."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
# a word and then its end: `/usr/lib` is none
_ACTION = re.compile(r"(\s*)/(?=[A-Za-z_]+(?:\s|$))")
_WORD_JOINER = "\u2060"  # takes no room; in a code block a backslash would be seen


def without_quick_actions(body: str) -> str:
    lines, fence = [], ""
    for line in body.split("\n"):
        opened = _FENCE.match(line)
        lines.append(
            _ACTION.sub(rf"\1{_WORD_JOINER if fence else chr(92) * 2}/", line, count=1) if _ACTION.match(line) else line
        )
        if opened and not fence:
            fence = opened[1]
        elif opened and line.strip().startswith(fence) and set(line.strip()) == {fence[0]}:
            fence = ""
    return "\n".join(lines)
