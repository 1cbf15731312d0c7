"""The model's Python environment: one for each content of its requirements, built once with uv and shared by runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipelines.steps import workplace
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.pip_config import from_pip_config
from pipelines.steps.requirements_file import Line, as_frame, blamed_lines, read_requirements

# Part of every environment's hash: raise it when environments are to be built differently.
ENVIRONMENT_REVISION = "1"
BUILD_TIMEOUT_S = 3600.0
_WORDS_LINES = 30
_KEPT = (
    "PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip
# pip's names for what uv calls otherwise, so that a machine set up for pip works
_FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
    "PIP_CERT": "SSL_CERT_FILE",
}

Say = Callable[[str], None]


def prepare_environment(
    wanted: Mapping[str, Any],
    *,
    model_folder: Path,
    checkout: Path,
    cache: Path,
    scratch: Path,
    say: Say,
    also: Sequence[str] = (),
) -> Path | None:
    """The virtual environment's folder; None where the step's own image is the environment.

    `also` are requirements of ours, beside those of the model. Raises StepFailed with uv's own words.
    """
    if wanted.get("image") and not workplace.is_local():
        return None
    if wanted.get("image") and not wanted.get("requirements"):
        raise StepFailed(
            FailureKind.REQUIREMENTS,
            f"The model wants the image `{wanted['image']}`, and images run on a cluster only.",
            fix="Name `environment.requirements` in mlops.yaml instead of the image, for runs on one machine.",
        )
    python = str(wanted.get("python") or "{}.{}".format(*sys.version_info[:2]))
    requirements = model_folder / wanted["requirements"] if wanted.get("requirements") else None
    lines = read_requirements(requirements, checkout=checkout) if requirements else []
    builder = _Builder(python, requirements, lines, cache, say, also)
    if any(line.is_local for line in lines):  # installs files of this very checkout: nothing that could be shared
        folder = scratch / "environment"
        shutil.rmtree(folder, ignore_errors=True)
        builder.build(folder)
        return folder
    folder = cache / "environments" / _hash(python, lines, also)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / ".complete").exists():
        _build_once(folder, builder, say)
    (folder / ".last-used").touch()
    return folder


def _hash(python: str, lines: list[Line], also: Sequence[str]) -> str:
    content = "\n".join([ENVIRONMENT_REVISION, python, sys.platform, *(line.text for line in lines), *also])
    return sha256(content.encode("utf-8", "replace")).hexdigest()[:24]


def _build_once(folder: Path, builder: _Builder, say: Say) -> None:
    """Built where it will be used, since scripts in it hold its path; what counts is the mark, written last."""
    with _locked(folder.with_name(folder.name + ".lock"), say):
        if (folder / ".complete").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            builder.build(folder)
            (folder / ".complete").touch()
        finally:
            if not (folder / ".complete").exists():
                shutil.rmtree(folder, ignore_errors=True)


class _Builder:
    def __init__(
        self, python: str, requirements: Path | None, lines: list[Line], cache: Path, say: Say, also: Sequence[str]
    ) -> None:
        self._python = python
        self._requirements = requirements
        self._lines = lines
        self._cache = cache
        self._say = say
        self._also = also

    def build(self, folder: Path) -> None:
        began_s = time.monotonic()
        what = f"Python {self._python}" + (f" and {self._requirements.name}" if self._requirements else "")
        self._say(f"Building an environment with {what}.")
        words = self._uv("venv", "--no-project", "--python", self._interpreter(), "--", str(folder))
        if words is not None:
            raise StepFailed(
                FailureKind.REQUIREMENTS,
                f"There is no Python {self._python} for this model: {_last(words)}",
                fix="Let `environment.python` in mlops.yaml name a version that is there, for example the bot's own.",
            )
        if self._requirements or self._also:
            self._install(folder)
        self._say(f"The environment is ready after {time.monotonic() - began_s:.1f} s.")

    def _install(self, folder: Path) -> None:
        python = folder / "bin" / "python"
        wanted = ["-r", str(self._requirements)] if self._requirements else []
        words = self._uv("pip", "install", "--no-progress", "--python", str(python), *wanted, "--", *self._also)
        if words is None:
            return
        blamed = blamed_lines(words, self._lines)
        named = [self._requirements.name] if self._requirements else []
        where = f"{blamed[0].file} line {blamed[0].number}, `{blamed[0].text}`" if blamed else ", ".join(named)
        if self._also:
            where = " with ".join(filter(None, (where, ", ".join(self._also))))
        raise StepFailed(
            FailureKind.REQUIREMENTS,
            f"The requirements cannot be installed ({where}):\n{words}",
            fix="Try `uv pip install -r` with the file in a fresh environment.",
            frames=tuple(as_frame(line) for line in blamed[:1]),
        )

    def _interpreter(self) -> str:
        own = "{}.{}".format(*sys.version_info[:2])
        base = getattr(sys, "_base_executable", None) or sys.executable
        return str(base) if self._python == own else self._python

    def _uv(self, *arguments: str) -> str | None:
        """uv's last lines when it fails, None when it worked."""
        import uv

        try:
            done = subprocess.run(
                [uv.find_uv_bin(), "--color", "never", *arguments],
                cwd=self._requirements.parent if self._requirements else None,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"uv took longer than {BUILD_TIMEOUT_S:.0f} s"
        words = done.stderr.decode("utf-8", "replace").strip()
        for line in words.splitlines():
            self._say(f"uv: {line}")
        return None if done.returncode == 0 else "\n".join(words.splitlines()[-_WORDS_LINES:]) or "uv failed"

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}
        own = {**from_pip_config(), **own}
        own |= {uv: own[pip] for pip, uv in _FROM_PIP.items() if pip in own and uv not in own}
        return {**workplace.kept(os.environ, _KEPT), "UV_CACHE_DIR": str(self._cache / "uv"), **own}


def _last(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "uv gave no reason"


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another run that builds the same environment.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
