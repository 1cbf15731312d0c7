"""Leave nothing behind: end the model servers, and with `--reset` forget what an earlier demo made."""

from __future__ import annotations

import shutil

from bot.demo.stage import Say
from bot.domain.errors import UserError
from bot.serving.local import LocalServing
from bot.settings import Settings
from bot.store.exclusive import FileLock
from bot.wiring.serving import ServiceServing
from bot.wiring.shared import utc_now

SAMPLES = ("datasets.git", "models.git")
MADE_BY_THE_BOT = (
    "bot.sqlite3",
    "bot.sqlite3-wal",
    "bot.sqlite3-shm",
    "artifacts",
    "engine",
    "mirrors",
    "serving",
    "demo",
)
END_WITHIN_S = 15.0


def end_servers(serving: ServiceServing, say: Say) -> None:
    """After the service has stopped, or it would start them again."""
    names = [service.name for service in serving.services()]
    if not names:
        return
    serving.end(within_s=END_WITHIN_S)
    say(f"ended the model servers of {', '.join(names)}; the next start serves them again")


def reset(settings: Settings) -> None:
    """Raises UserError where there is more than the demo's."""
    home = settings.home
    FileLock(home / "bot.sqlite3").release()  # a service that runs there must not lose its files
    repositories = home / "repositories"
    others = (
        sorted(path.name for path in repositories.glob("*") if path.name not in SAMPLES)
        if repositories.exists()
        else []
    )
    if others:
        raise UserError(
            f"{repositories} also holds {', '.join(others)}, so --reset would forget the runs of more than the demo.",
            "Use another home for the demo: MLOPS_BOT_HOME=/tmp/mlops-demo make demo",
        )
    if (home / "serving").exists():  # a demo that was killed has left its servers
        LocalServing(home, clock=utc_now, cache=home / "cache", environment={}).end(within_s=END_WITHIN_S)
    for name in (*MADE_BY_THE_BOT, "repositories"):
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
