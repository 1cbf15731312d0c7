"""The few mutations of GitHub's GraphQL API that the bot uses, read strictly."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.github.records import Grant, Note
from tests.fakes.github.requests import Refusal
from tests.fakes.github.world import World

_DECLARED = re.compile(r"\$(\w+): (ID|ReactionContent)!")
_FIELD = re.compile(
    r"(?:(\w+): )?(addReaction|removeReaction|minimizeComment)\(input: \{([^}]*)\}\) \{([^()]*?)\}\s*(?=\w+:|\}\s*$)"
)
_CONTENTS = {"EYES", "THUMBS_UP", "THUMBS_DOWN", "HEART", "HOORAY", "LAUGH", "CONFUSED", "ROCKET"}
_CLASSIFIERS = {"SPAM", "ABUSE", "OFF_TOPIC", "OUTDATED", "DUPLICATE", "RESOLVED"}
_INPUTS = {
    "addReaction": {"subjectId", "content"},
    "removeReaction": {"subjectId", "content"},
    "minimizeComment": {"subjectId", "classifier"},
}


def answer(world: World, grant: Grant, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Raises Refusal for what is not understood, which fails the test."""
    declared = dict(_DECLARED.findall(query))
    fields = _FIELD.findall(query)
    if set(declared) != set(variables) or query.count("(input:") != len(fields) or not fields:
        raise Refusal(400, f"not understood: {query}")
    result: dict[str, Any] = {"data": {}}
    for alias, name, written, _ in fields:
        given = dict(part.strip().split(": ") for part in written.split(","))
        if set(given) != _INPUTS[name]:
            raise Refusal(400, f"{name} has no such input: {given}")
        values = {key: variables[value[1:]] if value.startswith("$") else value for key, value in given.items()}
        note = _find(world, grant, values["subjectId"])
        if note is None:
            words = f"Could not resolve to a node with the global id of '{values['subjectId']}'"
            result.setdefault("errors", []).append({"type": "NOT_FOUND", "path": [alias or name], "message": words})
            result["data"][alias or name] = None
        else:
            result["data"][alias or name] = _HANDLERS[name](note, grant, values)
    return result


def _find(world: World, grant: Grant, node: str) -> Note | None:
    for repo in world.repos.values():
        if repo.full_name in grant.repos:
            for pull in repo.pulls.values():
                for note in pull.notes:
                    if note.node == node:
                        return note
    return None


def _add(note: Note, grant: Grant, values: dict[str, Any]) -> dict[str, Any]:
    _check(values["content"], _CONTENTS)
    if (grant.user.login, values["content"]) not in note.reactions:
        note.reactions.append((grant.user.login, values["content"]))
        note.reacted.append(values["content"])
    groups = [
        {"content": content, "viewerHasReacted": (grant.user.login, content) in note.reactions}
        for content in sorted(_CONTENTS)
    ]
    return {"subject": {"reactionGroups": groups}}


def _remove(note: Note, grant: Grant, values: dict[str, Any]) -> dict[str, Any]:
    _check(values["content"], _CONTENTS)
    if (grant.user.login, values["content"]) in note.reactions:
        note.reactions.remove((grant.user.login, values["content"]))
    return {"clientMutationId": None}


def _minimize(note: Note, _grant: Grant, values: dict[str, Any]) -> dict[str, Any]:
    _check(values["classifier"], _CLASSIFIERS)
    note.is_minimized = True
    return {"minimizedComment": {"isMinimized": True}}


def _check(value: str, known: set[str]) -> None:
    if value not in known:
        raise Refusal(400, f"no such value: {value}")


_HANDLERS = {"addReaction": _add, "removeReaction": _remove, "minimizeComment": _minimize}
