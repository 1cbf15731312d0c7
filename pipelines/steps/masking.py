"""Secrets stay in: their values are replaced before a line is written anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

MASK = "***"

# user:password@ or a lone token@ in an address, as package indexes and git remotes have them
_ADDRESS = re.compile(r"(?<=://)(?:[^/\s@:]+:[^/\s@]+|[^/\s@:]{20,})(?=@)")
# GitHub, GitLab, Slack, Hugging Face, Google, AWS (their documented prefixes), and JSON web tokens
_WELL_KNOWN = re.compile(
    r"\b(?:(?:gh[pousr]_|github_pat_|glpat-|glrt-|xox[abprs]-|hf_|AIza)[\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})",
    re.ASCII,
)


class Masker:
    """Replaces the given values, each line of a value that has several, and what has the shape of a token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        lines = {line.strip() for secret in secrets for line in (secret, *secret.splitlines())}
        # shorter ones would blank out ordinary words; the longest first, so that no rest of one stays behind
        self._values = sorted((line for line in lines if len(line) >= 4), key=len, reverse=True)
        self.longest = max((len(value) for value in self._values), default=0)

    def __call__(self, text: str) -> str:
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        if "://" in text:
            text = _ADDRESS.sub(MASK, text)
        return _WELL_KNOWN.sub(MASK, text)


def masked(value: Any, mask: Callable[[str], str]) -> Any:
    """JSON with every text in it masked, names too."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(name): masked(item, mask) for name, item in value.items()}
    return [masked(item, mask) for item in value] if isinstance(value, list) else value


def mask_address(address: str) -> str:
    return _ADDRESS.sub(MASK, address)
