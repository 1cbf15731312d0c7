"""The text of commit objects."""

from __future__ import annotations

import re

from bot.ports.git import Commit

_SIGNATURE = re.compile(rb"(?P<name>[^<]*)<(?P<email>[^>]*)>")


def parse_commit(sha: str, content: bytes) -> tuple[Commit, str]:
    """The commit and its tree's id, from the object (gitformat, "commit objects"). Text is decoded leniently."""
    head, _, message = content.partition(b"\n\n")
    headers = [line.partition(b" ")[::2] for line in head.split(b"\n") if not line.startswith(b" ")]
    first = dict(reversed(headers))
    encoding = first.get(b"encoding", b"utf-8").decode("ascii", "replace")
    signature = _SIGNATURE.match(first.get(b"author", b""))
    commit = Commit(
        sha=sha,
        message=_text(message, encoding),
        author_name=_text(signature["name"], encoding).strip() if signature else "",
        author_email=_text(signature["email"], encoding).strip() if signature else "",
        parents=tuple(value.decode("ascii") for key, value in headers if key == b"parent"),
    )
    return commit, first[b"tree"].decode("ascii")


def _text(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return text.replace("\0", "\ufffd")
