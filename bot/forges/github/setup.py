"""Making the GitHub App by its manifest: one click, and the App has exactly what is needed.

Source: GitHub docs, "Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.domain.errors import UserError
from bot.forges.github.auth import ALL
from bot.forges.github.errors import Uncertain, from_status
from bot.forges.github.fields import integer, text
from bot.forges.github.names import is_login
from bot.forges.github.settings import GITHUB_COM_API, checked_api_url

# `installation` and `installation_repositories` come without being asked for
EVENTS = (
    "check_run",
    "check_suite",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "repository",
)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class CreatedApp:
    """What GitHub gives once, when the App is made."""

    app_id: int
    slug: str
    page: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def build_manifest(public_url: str, *, name: str = "mlops-bot") -> dict[str, Any]:
    """`public_url` is where GitHub reaches the bot. Names are unique on all of GitHub; its page lets you edit it."""
    return {
        "name": name,
        "url": public_url,
        "description": "Train, evaluate and deploy models by pushing a commit or writing a comment",
        "hook_attributes": {"url": f"{public_url}/webhooks/github", "active": True},
        "redirect_url": f"{public_url}/setup/github",
        "public": False,
        "default_permissions": dict(sorted(ALL.items())),
        "default_events": list(EVENTS),
    }


def form_address(git_origin: str, *, state: str, organization: str = "") -> str:
    """Where a browser posts the manifest, as JSON in a form field named `manifest`. `state` comes back with a code."""
    if organization and not is_login(organization):
        raise UserError(f"{organization} is not the name of an organization.")
    place = f"organizations/{organization}/settings" if organization else "settings"
    return f"{git_origin}/{place}/apps/new?state={quote(state, safe='')}"


def exchange_code(api_url: str, code: str, *, now: datetime) -> CreatedApp:
    """The code that GitHub gave to the browser, for the App's credentials; it is good for an hour, once."""
    from bot.forges.github import transport

    if not _CODE.fullmatch(code):
        raise UserError("GitHub's code is missing or not a code.", "Start again at /setup/github.")
    try:
        status, headers, answer = transport.Transport(checked_api_url(api_url or GITHUB_COM_API)).send(
            "POST", f"/app-manifests/{code}/conversions", token="", parameters={}, body=None, etag=""
        )
    except transport.FAILURES as error:
        raise Uncertain(f"GitHub could not be asked: {transport.what(error)}.") from None
    if status == 404:
        raise UserError("GitHub does not know this code: it was used, or is older than an hour.", "Start again.")
    if status >= 300:
        raise from_status(status, answer, headers, now=now, secrets=(code,))
    return _read(answer if isinstance(answer, dict) else {})


def keep(app: CreatedApp, folder: Path) -> Mapping[str, str]:
    """Write the credentials into files that their owner alone may read. Gives the variables that name them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, secret = folder / "github-app.pem", folder / "github-webhook-secret"
    _write(key, app.private_key)
    _write(secret, app.webhook_secret)
    variables = {
        "MLOPS_BOT_GITHUB_APP_ID": str(app.app_id),
        "MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE": str(key),
        "MLOPS_BOT_GITHUB_WEBHOOK_SECRET_FILE": str(secret),
    }
    _write(folder / "github-app.json", json.dumps(variables, indent=2) + "\n")
    return variables


def _read(answer: Mapping[str, Any]) -> CreatedApp:
    app = CreatedApp(
        integer(answer, "id"),
        text(answer, "slug"),
        text(answer, "html_url"),
        text(answer, "pem"),
        text(answer, "webhook_secret"),
    )
    if not app.app_id or not app.private_key or not app.webhook_secret:
        raise UserError("GitHub's answer lacks the App's credentials.", "Delete the App there, and start again.")
    return app


def _write(path: Path, content: str) -> None:
    """Never readable by others, not even for a moment; a former file is replaced as a whole."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
