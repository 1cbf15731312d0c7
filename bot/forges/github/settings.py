"""What the bot must be told to work with a GitHub.

Variables: MLOPS_BOT_GITHUB_API_URL, MLOPS_BOT_GITHUB_APP_ID, MLOPS_BOT_GITHUB_PRIVATE_KEY (or …_FILE),
MLOPS_BOT_GITHUB_TOKEN, MLOPS_BOT_GITHUB_REPOSITORIES (with a token: `acme/churn acme/prices`),
MLOPS_BOT_GITHUB_WEBHOOK_SECRET (several, one a line, while one is replaced by another), MLOPS_BOT_PUBLIC_URL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.forges.github.names import is_full_name, key_of

GITHUB_COM_API = "https://api.github.com"
_ENTERPRISE_PATH = "/api/v3"


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """An App (`app_id` and `private_key`, PEM), or a `token` with the `repositories` that it is for. Any of
    `webhook_secrets` is accepted, so that one can be replaced while the other still arrives."""

    api_url: str = GITHUB_COM_API
    app_id: int = 0
    private_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    repositories: tuple[str, ...] = ()
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    public_url: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_url", checked_api_url(self.api_url))
        if bool(self.app_id) != bool(self.private_key):
            raise UserError(
                "A GitHub App needs both its id and its private key.",
                "Set MLOPS_BOT_GITHUB_APP_ID and MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE.",
            )
        if bool(self.app_id) == bool(self.token):
            raise UserError(
                "GitHub is set up with both an App and a token." if self.token else "GitHub is set up with neither.",
                "Set either MLOPS_BOT_GITHUB_APP_ID and MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE, or MLOPS_BOT_GITHUB_TOKEN.",
            )
        if self.token and not self.repositories:
            raise UserError(
                "It is not said which GitHub repositories the token is for.",
                "Set MLOPS_BOT_GITHUB_REPOSITORIES, for example to `acme/churn acme/prices`.",
            )
        for full_name in self.repositories:
            if not is_full_name(full_name):
                raise UserError(
                    f"{quoted(full_name, limit=200)} is not the name of a GitHub repository.", "Write `owner/name`."
                )

    @property
    def is_app(self) -> bool:
        return bool(self.app_id)

    @property
    def git_origin(self) -> str:
        """Where git clones from, `https://github.com`; follows from the API's address alone."""
        return git_origin(self.api_url)

    def clone_address(self, full_name: str) -> str:
        return f"{self.git_origin}/{full_name}.git"

    def key_of_address(self, clone_address: str) -> str | None:
        """The key of the repository with this clone address; None when it is not on this GitHub."""
        origin, _, path = clone_address.partition(f"{self.git_origin}/")
        full_name = path.removesuffix("/").removesuffix(".git")
        return key_of(full_name) if not origin and is_full_name(full_name) else None

    def names(self, full_name: str) -> bool:
        """Whether a token may be used for this repository. GitHub's names do not differ by case alone."""
        return self.is_app or full_name.casefold() in {name.casefold() for name in self.repositories}


def git_origin(api_url: str) -> str:
    parts = urlsplit(api_url)
    host = parts.netloc if parts.path else parts.netloc.removeprefix("api.")
    return f"{parts.scheme}://{host}"


def checked_api_url(url: str) -> str:
    """Without a slash at its end. Raises UserError for what is no API's address, or holds a password."""
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_address = (
            parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        is_address = False
    is_plain = is_address and "@" not in parts.netloc and not parts.query and not parts.fragment and text.isprintable()
    if not is_plain or " " in text or parts.path not in ("", _ENTERPRISE_PATH):
        shown = "The address with a password" if "@" in url else quoted(url, limit=200)
        raise UserError(
            f"{shown} is not the address of GitHub's API.",
            f"Set MLOPS_BOT_GITHUB_API_URL to `{GITHUB_COM_API}`, or to `https://<your host>{_ENTERPRISE_PATH}`.",
        )
    return text
