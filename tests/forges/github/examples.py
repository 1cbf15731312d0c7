"""GitHub's own published examples of webhooks (`@octokit/webhooks-examples`, MIT), without their addresses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from bot.forges.github.auth import signature
from bot.forges.github.settings import GitHubSettings
from tests.fakes.github.world import key_pair

PAYLOADS = Path(__file__).parents[2] / "payloads" / "github"
EXAMPLES = {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in sorted(PAYLOADS.glob("*.json"))}
SECRET = "a secret"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OUR_APP = 29310  # whose checks the examples show


def app_settings() -> GitHubSettings:
    # a port on which nobody listens: what asks GitHub finds it unreachable
    return GitHubSettings(
        api_url="http://127.0.0.1:9/api/v3", app_id=OUR_APP, private_key=key_pair()[0], webhook_secrets=(SECRET,)
    )


def headers_of(event: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {
        "x-github-event": event,
        "x-github-delivery": "b0b0-1",
        "x-hub-signature-256": signature(secret, body),
        "content-type": "application/json",
    }
