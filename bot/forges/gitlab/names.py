"""Names in GitLab, checked before they become part of an address, a git command or a database row."""

from __future__ import annotations

import re

FORGE = "gitlab"

# Documented as letters, digits, `_`, `-` and `.`, not `-` first, and neither `.git` nor `.atom` at the end
# (GitLab docs, "Reserved project and group names" and "Project limitations")
_SEGMENT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}")
_DEEPEST = 22  # 20 levels of subgroups (GitLab docs, "Subgroups"), the group itself, and the project
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NO_SHA = re.compile(r"0+")
# together they are far below what a database can index
_LONGEST_PATH, _LONGEST_BRANCH_BYTES = 700, 1000
# project and group access tokens, and service accounts, act as users with such names
# (GitLab docs, "Bot users for projects", "Bot users for groups", "Service accounts")
_BOT = re.compile(r"(?:project|group)_\d+_bot\w*|service_account_\S+")


def is_project_path(path: str) -> bool:
    segments = path.split("/")
    return (
        len(path) <= _LONGEST_PATH
        and 2 <= len(segments) <= _DEEPEST
        and all(_is_segment(segment) for segment in segments)
    )


def is_group_path(path: str) -> bool:
    segments = path.split("/")
    return len(segments) < _DEEPEST and all(_is_segment(segment) for segment in segments)


def key_of(path: str) -> str:
    return f"{FORGE}/{path}"


def path_of(key: str) -> str:
    """The project's path in `gitlab/group/project`; "" for what is not one of ours."""
    forge, _, path = key.partition("/")
    return path if forge == FORGE and is_project_path(path) else ""


def is_sha(text: str) -> bool:
    return bool(_SHA.fullmatch(text)) and not _NO_SHA.fullmatch(text)


def is_no_sha(text: str) -> bool:
    return bool(_SHA.fullmatch(text)) and bool(_NO_SHA.fullmatch(text))


def is_branch(name: str) -> bool:
    return name.isprintable() and name == storable(name) and 0 < len(name.encode()) <= _LONGEST_BRANCH_BYTES


def is_bot(username: str) -> bool:
    return bool(_BOT.fullmatch(username))


def storable(text: str) -> str:
    """Without NUL and lone surrogates, which JSON can spell and no database can keep."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _is_segment(text: str) -> bool:
    return bool(_SEGMENT.fullmatch(text)) and text not in (".", "..") and not text.endswith((".git", ".atom"))
