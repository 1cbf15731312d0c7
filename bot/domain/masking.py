"""Secrets stay in: what looks like one, or is one that we know, is replaced before anybody reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"

_PATTERNS = (
    # user:password@ in an address
    (re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)"), MASK),
    (re.compile(r"(?<=://)[^/\s@:]{20,}(?=@)"), MASK),
    # GitHub, GitLab, AWS, Slack, Hugging Face, Google (their documented prefixes)
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|glrt-|xox[abprs]-|hf_|AIza)[A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"), MASK),
    (re.compile(r"(?i)(?<=authorization: )(?:bearer|basic|token) \S+"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), MASK),
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without what has the shape of a well-known token."""
    for secret in secrets:
        if len(secret) >= 4:  # shorter ones would blank out ordinary words
            text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
