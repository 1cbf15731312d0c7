"""Path patterns: `*` stands for any characters within a name, `**` for any folders. Every other character is itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile


def glob_matches(pattern: str, path: str) -> bool:
    """Whether the whole path (or branch name) matches. Time is bounded by pattern's names x path's names."""
    names = _names(path)
    groups = _groups(_names(pattern))
    if len(groups) == 1:
        return len(names) == len(groups[0]) and _matches_at(groups[0], names, 0)
    first, *middle, last = groups
    start, end = len(first), len(names) - len(last)
    if start > end or not _matches_at(first, names, 0) or not _matches_at(last, names, end):
        return False
    for group in middle:
        found = next((i for i in range(start, end - len(group) + 1) if _matches_at(group, names, i)), None)
        if found is None:
            return False
        start = found + len(group)
    return bool(last) or start < end  # a trailing `**` stands for something inside the folder


def literal_folder(pattern: str) -> str:
    """The folder that every match is in, as a prefix of paths: `libs/` for `libs/**`, "" for `**/a.sql`."""
    names = takewhile(lambda name: "*" not in name, _names(pattern)[:-1])
    return "".join(f"{name}/" for name in names)


def cost(pattern: str, path: str) -> int:
    """An upper bound of the comparisons of names that a match takes."""
    return (pattern.count("/") + 1) * (path.count("/") + 1)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _groups(pattern_names: Sequence[str]) -> list[list[str]]:
    """The runs of names between `**`."""
    groups: list[list[str]] = [[]]
    for name in pattern_names:
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(name)
    return groups


def _matches_at(group: Sequence[str], names: Sequence[str], start: int) -> bool:
    """`names` has room for the whole group from `start` on."""
    return all(_name_matches(pattern, names[start + i]) for i, pattern in enumerate(group))


def _name_matches(pattern: str, name: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    *middle, last = rest
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
