"""Server-side apply: who said what of an object, conflicts, and taking back (kubernetes.io, "Server-Side Apply").

Lists are taken as a whole here, which is so for those that the bot sends.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
_NOT_SAID = ({"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}, {"metadata", "resourceVersion"})


class Conflicts(Exception):
    """`str` of it is the API server's message."""


def applied(
    item: dict[str, Any], said: Mapping[str, Any], *, manager: str, owners: dict[Path, set[str]], force: bool = False
) -> dict[str, Any]:
    """The object as it is afterwards; `owners` is kept."""
    result = copy.deepcopy(item)
    leaves = dict(_leaves(said))
    conflicts = [
        (path, others)
        for path, value in leaves.items()
        if (others := owners.get(path, set()) - {manager}) and _value(result, path) != value
    ]
    if conflicts and not force:
        raise Conflicts(_words(conflicts))
    for path, others in list(owners.items()):
        if manager in others and path not in leaves:
            others.discard(manager)
            if not others:
                owners.pop(path)
                _remove(result, path)
    for path, value in leaves.items():
        _set(result, path, copy.deepcopy(value))
        owners[path] = {manager} if force else owners.get(path, set()) | {manager}
    return result


def _leaves(said: Mapping[str, Any], place: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in said.items():
        path = (*place, name)
        if set(path) in _NOT_SAID:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _words(conflicts: list[tuple[Path, set[str]]]) -> str:
    with_whom = ", ".join(f'"{name}"' for name in sorted({name for _, names in conflicts for name in names}))
    many = f"{len(conflicts)} conflict" + ("s" if len(conflicts) > 1 else "")
    return f"Apply failed with {many}: conflicts with {with_whom}: " + ", ".join(
        "." + ".".join(path) for path, _ in conflicts
    )


def _value(item: Mapping[str, Any], path: Path) -> Any:
    for name in path:
        if not isinstance(item, Mapping) or name not in item:
            return None
        item = item[name]
    return item


def _set(item: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        inner = item.get(name)
        if not isinstance(inner, dict):
            inner = item[name] = {}
        item = inner
    item[path[-1]] = value


def _remove(item: dict[str, Any], path: Path) -> None:
    """And the objects that are empty without it."""
    inner = item.get(path[0])
    if len(path) == 1:
        item.pop(path[0], None)
    elif isinstance(inner, dict):
        _remove(inner, path[1:])
        if not inner:
            item.pop(path[0])
