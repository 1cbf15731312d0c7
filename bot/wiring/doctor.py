"""What the doctor looks at: the machine, and, while no service runs, what a service would be built of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import uv

from bot.artifacts import open_artifacts
from bot.domain.errors import TransientError, UserError
from bot.domain.words import listed
from bot.engines.local import LocalEngine
from bot.forges.plain import folder
from bot.forges.plain.hook import hook_problem
from bot.mirror import GitMirror
from bot.mirror.command import GitRunner
from bot.settings import Settings
from bot.store import open_store
from bot.usecases.doctor import Check
from bot.wiring.engines import make_engine
from bot.wiring.forges import remote_forges
from bot.wiring.shared import open_policies, utc_now

PROGRAM_TIMEOUT_S = 20.0
OLDEST_GIT = (2, 34)
# an environment with scikit-learn takes about 400 MB, one with PyTorch far more
LOWEST_FREE_BYTES = 1_000_000_000


def machine_checks(settings: Settings) -> dict[str, Check]:
    """Programs, disk and hooks of this machine; the same whether a service runs or not."""
    checks: dict[str, Check] = {
        "git": lambda: _git(settings.home),
        "uv": _uv,
        "disk": lambda: _disk(settings.home),
        "hooks": lambda: _hooks(settings.home / "repositories"),
    }
    if settings.policy_file is not None:
        checks["secrets"] = lambda: open_policies(settings).check_secrets()
    if settings.github is not None:
        has_secret = bool(settings.github.webhook_secrets)
        checks["webhooks github"] = lambda: _webhooks(settings, "github", has_secret=has_secret)
        checks["permissions github"] = lambda: _more_than_reports(settings)
    if settings.gitlab is not None:
        checks["webhooks gitlab"] = lambda: _webhooks(settings, "gitlab", has_secret=True)
    return checks


def resting_checks(settings: Settings) -> dict[str, Check]:
    """Each part is opened, looked at and closed again. SQLite lets in one process, so no service may run meanwhile."""
    checks: dict[str, Check] = {"store": lambda: _store(settings), "forge plain": lambda: _plain(settings)}
    git = GitMirror(settings.home, allow_local=True)
    for name, forge in remote_forges(settings, git).items():
        checks[f"forge {name}"] = _answering(forge.check_health)
    checks["engine"] = lambda: _engine(settings)
    checks["artifacts"] = lambda: _artifacts(settings)
    if settings.policy_file is not None:
        checks["policy"] = lambda: open_policies(settings).check()
    return checks


def _answering(check: Callable[[], None]) -> Check:
    def look() -> str:
        check()
        return "answers"

    return look


def _store(settings: Settings) -> str:
    with closing(open_store(settings.database_url)) as store:
        store.ping()
    return "answers"


def _plain(settings: Settings) -> str:
    repositories = settings.home / "repositories"
    try:
        count = sum(1 for _ in folder.watched(repositories))
    except OSError as error:
        raise UserError(
            f"{repositories} can not be read: {error.strerror}.", "It must be readable by the service's user."
        ) from error
    return f"{count} watched in {repositories}"


def _artifacts(settings: Settings) -> str:
    return open_artifacts(settings.artifacts_url).check_access()


def _engine(settings: Settings) -> str:
    """The local engine's folders, and whether its runner could import what it runs; or the cluster's API servers."""
    if settings.kubeflow is not None:
        with closing(make_engine(settings)) as cluster:
            cluster.check_health()
        return f"kubeflow, {settings.kubeflow.url} answers"
    with closing(
        LocalEngine(
            settings.home,
            places=settings.local_places,
            packages=settings.home,
            clock=utc_now,
            cache=settings.home / "cache",
        )
    ) as engine:
        engine.check_health()
    imported = _run([sys.executable, "-c", "import bot.engines.local_kfp"])
    if imported.returncode:
        reason = imported.stderr.strip().rpartition("\n")[2]
        raise UserError(f"kfp can not be imported: {reason}", "Install mlops-bot anew, with its constraints.txt.")
    return f"local, {settings.local_places} runs at once"


def _git(home: Path) -> str:
    output = GitRunner(home).run("version").output.decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", output)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
        raise UserError(f"This git is too old, or not git: {output!r}.", "Install git 2.34 or newer.")
    return output.removeprefix("git version ")


def _uv() -> str:
    try:
        program = uv.find_uv_bin()
    except FileNotFoundError as error:
        raise UserError("uv is not there, so no model's environment can be built.", "pip install uv") from error
    done = _run([program, "--version"])
    if done.returncode:
        raise UserError(f"uv does not run: {done.stderr.strip()[:200]}", "Install it anew: pip install -U uv")
    return done.stdout.strip().removeprefix("uv ")


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(arguments, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"{Path(arguments[0]).name} did not answer within {PROGRAM_TIMEOUT_S:.0f} s.") from error
    except OSError as error:
        raise UserError(f"{arguments[0]} can not be run: {error.strerror}.", "Install mlops-bot anew.") from error


def _disk(home: Path) -> str:
    free = shutil.disk_usage(home).free
    words = f"{free / 1e9:.1f} GB free in {home}"
    if free < LOWEST_FREE_BYTES:
        raise UserError(f"Only {words}.", "Runs, artifacts and environments need more than 1 GB: make space.")
    return words


def _hooks(repositories: Path) -> str:
    """Those that lack the hook work too, but a push there is found only every few minutes."""
    found = [(name, hook_problem(path)) for name, path in folder.watched(repositories)]
    lacking = [name for name, problem in found if problem]
    if lacking:
        reason = next(problem for _, problem in found if problem)
        raise UserError(
            f"The hook of {listed(lacking)} does not tell the service of pushes: {reason}",
            "Mend that, then start the service, or `mlops-bot watch` the repository: both write the hook anew.",
        )
    return f"in all {len(found)} bare repositories" if found else "no bare repository is watched"


def _more_than_reports(settings: Settings) -> str:
    from bot.forges.github.health import check_extras

    assert settings.github is not None
    return check_extras(settings.github, utc_now)


def _webhooks(settings: Settings, forge: str, *, has_secret: bool) -> str:
    if not has_secret:
        raise UserError(
            "No webhook secret is set, so nothing that GitHub tells is believed.",
            "Set MLOPS_BOT_GITHUB_WEBHOOK_SECRET.",
        )
    if not settings.public_url:
        raise UserError(
            "The forge can not know where the service is, so what happens there is found only every few minutes.",
            f"Set MLOPS_BOT_PUBLIC_URL, and let the webhook send to <that address>/webhooks/{forge}.",
        )
    return f"expected at {settings.public_url}/webhooks/{forge}"
