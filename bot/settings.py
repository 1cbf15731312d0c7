"""Environment variables to typed settings. Every secret may also be given as `…_FILE`."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.domain.errors import UserError
from bot.engines.kubeflow_settings import KubeflowSettings
from bot.engines.kubeflow_settings import read_settings as kubeflow_settings
from bot.engines.lent_environment import step_names
from bot.forges.github.settings import GITHUB_COM_API, GitHubSettings, checked_api_url
from bot.forges.gitlab.settings import GitLabSettings
from bot.forges.gitlab.settings import read_settings as gitlab_settings
from bot.serving.kserve_settings import ServingSettings
from bot.serving.kserve_settings import read_settings as serving_settings

DEFAULT_PORT = 8321


@dataclass(frozen=True, slots=True)
class Settings:
    """`access_token` opens the pages, and predictions; `predict_token` opens predictions and nothing else;
    `hook_secret` signs the plain-git hook's messages. They are made once and kept in the home folder, readable by its
    owner alone, unless they are given."""

    home: Path
    host: str
    port: int
    public_url: str
    database_url: str
    artifacts_url: str
    engine: str
    local_places: int
    access_token: str
    predict_token: str
    hook_secret: str
    callback_secret: str
    log_json: bool
    policy_file: Path | None = None
    github: GitHubSettings | None = None
    gitlab: GitLabSettings | None = None
    github_api_url: str = GITHUB_COM_API  # also of a GitHub that is not set up yet
    kubeflow: KubeflowSettings | None = None  # of the engine `kubeflow`
    step_names: tuple[str, ...] = ()  # variables of the service that steps on this machine are lent, beyond the store's
    serving: ServingSettings | None = None  # of a cluster; None means that models serve on this machine
    callback_url: str = ""  # where steps reach the service, when that is not where people do

    @property
    def forges_without_tls(self) -> tuple[str, ...]:
        """The origins of forges that an operator has set up with `http://`."""
        origins = [self.github.git_origin] if self.github else []
        origins += [self.gitlab.origin] if self.gitlab else []
        return tuple(origin for origin in origins if origin.startswith("http://"))

    @property
    def local_url(self) -> str:
        """Where this machine's git hooks, steps and command line reach the service."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - replaced, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        return self.public_url or self.local_url

    @property
    def steps_url(self) -> str:
        """Where steps reach the service: on this machine, or from a cluster."""
        return self.callback_url or (self.local_url if self.kubeflow is None else self.base_url)

    @property
    def secret_values(self) -> tuple[str, ...]:
        github = (self.github.private_key, self.github.token, *self.github.webhook_secrets) if self.github else ()
        gitlab = self.gitlab.secret_values if self.gitlab else ()
        return (self.access_token, self.predict_token, self.hook_secret, self.callback_secret, *github, *gitlab)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read settings. Raises UserError for a value that can not be meant. Creates the home folder."""
    home = Path(environ.get("MLOPS_BOT_HOME") or _default_home(environ)).expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(f"The folder {home} can not be made: {error.strerror}.", "Set MLOPS_BOT_HOME.") from error
    engine = _choice(environ, "MLOPS_BOT_ENGINE", ("local", "kubeflow"))
    serving = _choice(environ, "MLOPS_BOT_SERVING", ("local", "kserve", "gitops"))
    public_url = _address(environ, "MLOPS_BOT_PUBLIC_URL")
    hook_secret = secret(environ, "MLOPS_BOT_HOOK_SECRET") or _kept(home / "hook-secret")
    return Settings(
        home=home,
        host=environ.get("MLOPS_BOT_HOST") or "127.0.0.1",
        port=_integer(environ, "MLOPS_BOT_PORT", DEFAULT_PORT, at_least=0, at_most=65535),
        public_url=public_url,
        database_url=secret(environ, "MLOPS_BOT_DATABASE_URL") or f"sqlite:///{home / 'bot.sqlite3'}",
        artifacts_url=environ.get("MLOPS_BOT_ARTIFACTS_URL") or (home / "artifacts").as_uri(),
        engine=engine,
        local_places=_integer(environ, "MLOPS_BOT_CONCURRENCY", os.cpu_count() or 1, at_least=1, at_most=1000),
        access_token=secret(environ, "MLOPS_BOT_ACCESS_TOKEN") or _kept(home / "access-token"),
        predict_token=secret(environ, "MLOPS_BOT_PREDICT_TOKEN") or _kept(home / "predict-token"),
        hook_secret=hook_secret,
        callback_secret=secret(environ, "MLOPS_BOT_CALLBACK_SECRET") or _kept(home / "callback-secret"),
        log_json=_choice(environ, "MLOPS_BOT_LOG", ("text", "json")) == "json",
        policy_file=_path(environ, "MLOPS_BOT_POLICY_FILE"),
        github=_github(environ, public_url),
        github_api_url=checked_api_url(environ.get("MLOPS_BOT_GITHUB_API_URL") or GITHUB_COM_API),
        gitlab=gitlab_settings(partial(secret, environ), public_url=public_url, hook_secret=hook_secret),
        kubeflow=kubeflow_settings(environ) if engine == "kubeflow" else None,
        serving=None if serving == "local" else serving_settings(environ, commits=serving == "gitops"),
        callback_url=_address(environ, "MLOPS_BOT_CALLBACK_URL"),
        step_names=step_names(environ.get("MLOPS_BOT_STEP_ENV", "")),
    )


def _github(environ: Mapping[str, str], public_url: str) -> GitHubSettings | None:
    """None when neither an App nor a token is set."""
    app_id = _integer(environ, "MLOPS_BOT_GITHUB_APP_ID", 0, at_least=0, at_most=10**12)
    token = secret(environ, "MLOPS_BOT_GITHUB_TOKEN").strip()
    if not app_id and not token:
        return None
    return GitHubSettings(
        api_url=environ.get("MLOPS_BOT_GITHUB_API_URL") or GITHUB_COM_API,
        app_id=app_id,
        private_key=secret(environ, "MLOPS_BOT_GITHUB_PRIVATE_KEY"),
        token=token,
        repositories=tuple(environ.get("MLOPS_BOT_GITHUB_REPOSITORIES", "").replace(",", " ").split()),
        webhook_secrets=tuple(
            line.strip() for line in secret(environ, "MLOPS_BOT_GITHUB_WEBHOOK_SECRET").splitlines() if line.strip()
        ),
        public_url=public_url,
    )


def secret(environ: Mapping[str, str], name: str) -> str:
    """The value of `name`, or the content of the file that `<name>_FILE` names; "" when neither is set."""
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}_FILE can not be read: {error}.", "Name a readable text file.") from error


def _default_home(environ: Mapping[str, str]) -> str:
    data_home = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return f"{data_home}/mlops-bot"


def _integer(environ: Mapping[str, str], name: str, default: int, *, at_least: int, at_most: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not at_least <= int(text) <= at_most:
        raise UserError(f"{name} is {text!r}.", f"Write a whole number from {at_least} to {at_most}.")
    return int(text)


def _address(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name, "").strip().rstrip("/")
    if text and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise UserError(f"{name} is {text!r}.", "Write an address such as `https://mlops.example.com`.")
    return text


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "").strip()
    return Path(text).expanduser().absolute() if text else None


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The first is the default."""
    text = environ.get(name) or choices[0]
    if text not in choices:
        raise UserError(f"{name} is {text!r}.", f"Use {' or '.join(f'`{choice}`' for choice in choices)}.")
    return text


def _kept(path: Path) -> str:
    """A random value, made on first use. Processes that start at once agree on it, and a crash leaves none that is
    empty: the home folder is locked while it is made, and it appears as a whole."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            return _read_kept(path) or _make_kept(path)
        finally:
            os.close(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can not be read or made: {error}.", "It holds a secret of this bot's own.") from error


def _read_kept(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _make_kept(path: Path) -> str:
    value = secrets.token_urlsafe(32)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return value


def publish_address(settings: Settings) -> None:
    """Tell the git hooks and the command line on this machine where the service listens."""
    path = settings.home / "service-url"
    unfinished = path.with_suffix(".new")
    unfinished.write_text(settings.local_url, encoding="ascii")
    unfinished.replace(path)


def withdraw_address(settings: Settings) -> None:
    """Nothing listens there any more; another service's address is left alone."""
    if published_address(settings.home) == settings.local_url:
        (settings.home / "service-url").unlink(missing_ok=True)


def reachable_address(settings: Settings) -> str:
    """Where people of this machine find the service that runs now; where it would be, when none runs."""
    return settings.public_url or published_address(settings.home) or settings.local_url


def published_address(home: Path) -> str | None:
    try:
        return (home / "service-url").read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
