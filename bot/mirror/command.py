"""Running git: with a deadline, without prompts, hooks, foreign protocols and the user's configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import cast

from git.cmd import Git as GitCommand
from git.exc import GitCommandNotFound

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask

COMMAND_TIMEOUT_S = 20.0
NETWORK_TIMEOUT_S = 55.0  # the worker's lease counts on calls that end within 60 s

# `git rev-parse --local-env-vars`: they tie a process to one repository. They are set where we are started by a hook
_LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
_SAFE_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "credential.helper": "",
}
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=2"


@dataclass(frozen=True, slots=True)
class Finished:
    status: int
    output: bytes
    error: str  # masked


@dataclass(frozen=True, slots=True)
class GitRunner:
    """Runs git on one git folder. `variables` are added to the environment of each command."""

    git_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *arguments: str,
        timeout_s: float = COMMAND_TIMEOUT_S,
        standard_input: bytes | None = None,
        config: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Finished:
        """`config` may hold secrets: it travels by environment. Raises TransientError when the time is over."""
        process = self.start(arguments, stdin=standard_input is not None, config=config, variables=variables)
        try:
            output, error = process.communicate(standard_input, timeout=timeout_s)
        except subprocess.TimeoutExpired as expired:
            kill_group(process)
            raise TransientError(f"git {arguments[0]} took longer than {timeout_s:g} s.") from expired
        return Finished(process.returncode, output, mask(error.decode("utf-8", "replace").strip()))

    def start(
        self,
        arguments: Sequence[str],
        *,
        stdin: bool,
        config: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """A process in a session of its own, so that Ctrl-C in our terminal and a late end of git do not meet."""
        environment = {**self.variables, **(variables or {}), **_as_variables({**_SAFE_CONFIG, **(config or {})})}
        try:
            started = GitCommand(str(self.git_dir)).execute(
                [GitCommand.GIT_PYTHON_GIT_EXECUTABLE, f"--git-dir={self.git_dir}", *arguments],
                as_process=True,
                istream=PIPE if stdin else None,
                env=environment,
                start_new_session=True,
            )
        except GitCommandNotFound as error:
            raise UserError("git is not installed.", "Install git 2.34 or newer.") from error
        process = started.proc
        started.proc = None  # GitPython would kill it when its wrapper goes out of scope
        return cast("subprocess.Popen[bytes]", process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End git and the helpers that it started (ssh, git-remote-https)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):  # what was written and not sent is lost, as it should be
                stream.close()


def safe_variables(folder: Path, *, allow_local: bool, allow_http: bool = False) -> dict[str, str]:
    """The environment that keeps git to itself. `folder` holds a configuration file of our own in place of the user's,
    because git takes `safe.directory` from nowhere else (git-config, "safe.directory")."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "gitconfig"
    if not configuration.exists():
        draft = folder / f"gitconfig.{os.urandom(6).hex()}"
        draft.write_text("[safe]\n\tdirectory = *\n", encoding="ascii")
        draft.replace(configuration)
    return {
        "GIT_CONFIG_GLOBAL": str(configuration),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": ":".join(["https", "ssh", *["file"] * allow_local, *["http"] * allow_http]),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",  # the program: it answers nothing
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", _SSH),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }


def forget_local_variables() -> None:
    """Forget which repository's hook started this process, for us and for all that we start."""
    for name in _LOCAL_VARIABLES:
        os.environ.pop(name, None)


def _as_variables(config: Mapping[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config.items()):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables
