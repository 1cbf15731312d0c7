"""A tag as the bot makes it, and repositories that have something to say to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bot.ports.git import Signature, Tag

BOT = Signature("mlops-bot", "mlops-bot@localhost", datetime(2026, 11, 25, 12, tzinfo=UTC))
NAME = "churn@v1.0.0"
RECEIVED = "#!/bin/sh\n{command}\n"


def tag(commit_sha: str, name: str = NAME, message: str = "Version v1.0.0 of churn\n", by: Signature = BOT) -> Tag:
    return Tag(name, commit_sha, message, by)


def hook(bare: Path, name: str, command: str) -> None:
    file = bare / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(RECEIVED.format(command=command))
    file.chmod(0o755)
