"""What the bot must be told to work with a GitLab."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.forges.gitlab.names import FORGE, is_project_path

GITLAB_COM = "https://gitlab.com"


@dataclass(frozen=True, slots=True)
class GitLabSettings:
    """`url` may have a path (`https://example.com/gitlab`). Any of `webhook_secrets` is accepted, so that one can be
    replaced while the other still arrives. `projects` are full paths (`group/sub/project`); none means all in which the
    token's user is a Developer or more."""

    token: str = field(repr=False)
    url: str = GITLAB_COM
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    projects: tuple[str, ...] = ()
    public_url: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url))
        for path in self.projects:
            check_project_path(path)
        if not self.token:
            raise UserError(
                "The GitLab token is missing.", "Set MLOPS_BOT_GITLAB_TOKEN, or MLOPS_BOT_GITLAB_TOKEN_FILE."
            )

    @property
    def webhook_address(self) -> str:
        return f"{self.public_url}/webhooks/{FORGE}"

    @property
    def secret_values(self) -> tuple[str, ...]:
        """What logs and errors must not show."""
        return (self.token, *self.webhook_secrets)

    @property
    def origin(self) -> str:
        """`https://host[:port]`, where git sends the token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def clone_address(self, path: str) -> str:
        return f"{self.url}/{path}.git"

    def path_of(self, clone_address: str) -> str | None:
        """The project's path, of an address that `clone_address` gave."""
        path = clone_address.removeprefix(f"{self.url}/").removesuffix(".git")
        return path if is_project_path(path) and self.clone_address(path) == clone_address else None


def read_settings(variable: Callable[[str], str], *, public_url: str, hook_secret: str) -> GitLabSettings | None:
    """None when no token is set. `variable` gives what an environment variable, or its `…_FILE`, holds; "" for none.

    Without a secret of its own the webhook's is derived from `hook_secret`. Several are separated by spaces; the first
    is the one that new hooks get.
    """
    token = variable("MLOPS_BOT_GITLAB_TOKEN").strip()
    if not token:
        return None
    derived = hmac.new(hook_secret.encode(), b"gitlab webhook", "sha256").hexdigest()
    return GitLabSettings(
        token=token,
        url=variable("MLOPS_BOT_GITLAB_URL") or GITLAB_COM,
        webhook_secrets=tuple(variable("MLOPS_BOT_GITLAB_WEBHOOK_SECRET").split()) or (derived,),
        projects=tuple(variable("MLOPS_BOT_GITLAB_PROJECTS").replace(",", " ").split()),
        public_url=public_url,
    )


def checked_url(url: str) -> str:
    """Without a slash at its end. Raises UserError for what is no address of a server, or holds a password."""
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_address = (
            parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        is_address = False
    if not is_address or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise UserError(
            f"{quoted(url, limit=200)} is not the address of a GitLab."
            if "@" not in url
            else "The GitLab address holds a password.",
            "Set MLOPS_BOT_GITLAB_URL to what you open in the browser, for example `https://gitlab.com`.",
        )
    return text


def check_project_path(path: str) -> None:
    if not is_project_path(path):
        raise UserError(
            f"{quoted(path, limit=200)} is not the path of a GitLab project.",
            "Write `group/project` or `group/subgroup/project`.",
        )
