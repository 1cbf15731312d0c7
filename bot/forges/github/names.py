"""Names on GitHub, checked before they become part of an address, a git command or a database row."""

from __future__ import annotations

import re

FORGE = "github"
GHOST = "ghost"  # as GitHub names the author of what a deleted user left

# a user's or organization's name, with `_` for managed users (GitHub docs, "Username considerations for external
# authentication"); a repository's
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})(?:\[bot\])?")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NO_SHA = re.compile(r"0+")
_LONGEST_BRANCH = 1000


def is_full_name(text: str) -> bool:
    owner, _, name = text.partition("/")
    is_name = bool(_NAME.fullmatch(name)) and name not in (".", "..") and not name.endswith(".git")
    return bool(_OWNER.fullmatch(owner)) and is_name


def is_login(text: str) -> bool:
    return bool(_LOGIN.fullmatch(text))


def is_team(text: str) -> bool:
    """`acme/ml-leads`"""
    organization, _, slug = text.partition("/")
    return bool(_OWNER.fullmatch(organization)) and bool(_NAME.fullmatch(slug)) and slug not in (".", "..")


def key_of(full_name: str) -> str:
    return f"{FORGE}/{full_name}"


def full_name_of(key: str) -> str:
    """`acme/churn` of `github/acme/churn`; "" for what is not one of ours."""
    forge, _, full_name = key.partition("/")
    return full_name if forge == FORGE and is_full_name(full_name) else ""


def is_sha(text: str) -> bool:
    return bool(_SHA.fullmatch(text)) and not _NO_SHA.fullmatch(text)


def is_no_sha(text: str) -> bool:
    return bool(_SHA.fullmatch(text)) and bool(_NO_SHA.fullmatch(text))


def is_branch(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_BRANCH and name.isprintable()
