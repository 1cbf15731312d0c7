"""git, as a guarded subprocess: no prompts, no hooks, only our configuration, few protocols, no secrets in argv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipelines.steps.git_credentials import git_configuration
from pipelines.steps.masking import mask_address
from pipelines.steps.workplace import kept

GIT_TIMEOUT_S = 900.0
ALLOWED_PROTOCOLS = "https:ssh:file"

_KEPT = (
    "PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip
_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "gc.auto=0",
    "protocol.version=2",
    "init.defaultBranch=main",
    "advice.detachedHead=false",
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# git's answers to a sha that the remote does not have, or will not give without a ref
_UNKNOWN_SHA = ("not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref")


class GitFailed(Exception):
    """`unknown_commit` tells that the remote was reached, but does not have the commit."""

    def __init__(self, reason: str, *, unknown_commit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unknown_commit = unknown_commit


class Checkout:
    """A repository of our own with one fetched commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, address: str, sha: str) -> None:
        """Raises GitFailed. Only this commit, without its history, where the remote allows it."""
        if not _SHA.fullmatch(sha):
            raise GitFailed(f"`{sha[:80]}` is not a commit's sha", unknown_commit=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("init", "--quiet", "--template=")
        fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
        try:
            self.run(*fetch, "--depth=1", "--end-of-options", address, sha, address=address)
        except GitFailed as failed:
            if not failed.unknown_commit:
                raise
            self.run(*fetch, "--end-of-options", address, "+refs/*:refs/fetched/*", address=address)
        if not self.has_commit(sha):
            raise GitFailed(f"{mask_address(address)} has no commit {sha}", unknown_commit=True)

    def has_commit(self, sha: str) -> bool:
        try:
            self.run("cat-file", "-e", "--end-of-options", f"{sha}^{{commit}}")
        except GitFailed:
            return False
        return True

    def check_out(self, sha: str) -> None:
        self.run("checkout", "--quiet", "--force", "--detach", sha)

    def read(self, sha: str, path: str) -> bytes:
        return self.run("cat-file", "blob", "--end-of-options", f"{sha}:{path}")

    def run(self, *arguments: str, address: str = "") -> bytes:
        command = ["git", *(word for option in _OPTIONS for word in ("-c", option)), *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=git_environment(address),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=GIT_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise GitFailed(f"git {arguments[0]} took longer than {GIT_TIMEOUT_S:.0f} s") from expired
        if done.returncode == 0:
            return done.stdout
        words = mask_address(done.stderr.decode("utf-8", "replace"))
        raise GitFailed(_reason(words), unknown_commit=any(text in words for text in _UNKNOWN_SHA))


def _reason(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:"))]
    return "; ".join(dict.fromkeys(line[:300] for line in (telling or lines)[:3])) or "git failed without a word"


def git_environment(address: str) -> dict[str, str]:
    configuration = git_configuration(address)
    # a host without TLS is one that the server's own settings name
    protocols = f"{ALLOWED_PROTOCOLS}:http" if configuration and address.startswith("http://") else ALLOWED_PROTOCOLS
    return {
        **kept(os.environ, _KEPT),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": shutil.which("false") or "false",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": str(len(configuration)),
        **{f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(configuration)},
        **{f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(configuration.values())},
    }
