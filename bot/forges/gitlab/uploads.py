"""Files for comments, such as images, which GitLab shows to whoever may see the project."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from bot.domain.errors import TransientError
from bot.forges.gitlab.client import Client

LONGEST_NAME = 100


def upload(client: Client, path: str, name: str, content: bytes) -> str:
    """Gives the Markdown that shows it."""
    safe_name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[-LONGEST_NAME:] or "file"
    answer: Any = client.call(
        "upload",
        # python-gitlab's own `upload` does not encode a path in place of a number
        lambda server: server.http_post(
            f"/projects/{quote(path, safe='')}/uploads",
            files={"file": (safe_name, content, "application/octet-stream")},
        ),
    )
    markdown = answer.get("markdown")
    if not isinstance(markdown, str):
        raise TransientError("GitLab did not say where an uploaded file is.")
    return markdown
