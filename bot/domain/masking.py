"""Secrets stay in: what looks like one, or is one that we know, is replaced before anybody reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
SHORTEST = 4  # characters of a secret that is masked; shorter ones would blank out ordinary words

_PATTERNS = (
    # user:password@ in an address; a password may hold an @ itself
    (re.compile(r"(?<=://)[^/\s@:]*:[^/\s]+(?=@)"), MASK),
    (re.compile(r"(?<=://)[^/\s@:]{20,}(?=@)"), MASK),
    (re.compile(r"(?i)([?&](?:access_|private_|auth_|api_)?(?:token|key)=)[^&#\s\"'<>]+"), rf"\1{MASK}"),
    # GitHub, GitLab, AWS, Slack, Hugging Face, Google, OpenAI and Anthropic (their documented prefixes)
    (
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|gl(?:pat|rt|dt|ptt|cbt|ft|soat)-|xox[abprs]-|hf_|AIza)[A-Za-z0-9_-]{16,}"
            r"|\bsk-[A-Za-z0-9_-]{32,}"
        ),
        MASK,
    ),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"), MASK),
    (re.compile(r"(?i)(\bauthorization[\"']?\s?[:=]\s?[\"']?(?:bearer|basic|token)\s)[^\s\"',;]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\bbearer )[A-Za-z0-9._~+/=-]{16,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)(aws_secret_access_key[\"']?\s?[:=]\s?[\"']?)[A-Za-z0-9/+=]{30,}"), rf"\1{MASK}"),
    # up to its end, or as much of it as there is; each beginning is read to the next one only, so that it stays linear
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----BEGIN ).)*?"
            r"(?:-----END [A-Z ]*PRIVATE KEY-----|(?=-----BEGIN )|\Z)",
            re.DOTALL,
        ),
        MASK,
    ),
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without what has the shape of a well-known token."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be part of another
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
