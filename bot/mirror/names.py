"""Names of revisions: what git would take for an option, an expression or a pattern is not one."""

from __future__ import annotations

import re

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,64}")
# git-check-ref-format: what a reference's name can not hold; and surrogates, which no command line can
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^/|^\.")


def is_sha(text: str) -> bool:
    return _SHA.fullmatch(text) is not None


def is_short_sha(text: str) -> bool:
    return _SHORT_SHA.fullmatch(text) is not None


def is_reference_name(text: str) -> bool:
    """Whether `refs/heads/<text>` can exist. It may begin with a dash, so only ever use it behind `refs/`."""
    return bool(text) and text != "@" and len(text) <= 1000 and not _FORBIDDEN.search(text)
