"""The post-receive hook: put into each repository, in front of a hook that is there already."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

from bot.domain.errors import UserError
from bot.forges.plain import notify

MARK = "# This hook belongs to mlops-bot"

_HOOKS_PATH = re.compile(r"^\s*hookspath\s*=", re.IGNORECASE | re.MULTILINE)

# The background process has no pipe to git left, so neither git nor the pusher waits for it.
_TEXT = """\
#!/bin/sh
{mark}, which writes it anew at each start: changes made here are lost.
# It tells the service what was pushed, in the background. A push is neither refused nor slowed down by it.
# A hook of your own goes beside it as `post-receive.user` (executable): it is run with the same input.
updates=$(cat)
python={python}
[ -x "$python" ] || python=$(command -v python3)
if [ -n "$updates" ] && [ -n "$python" ] && [ -r {notify} ]; then
  (
    trap '' HUP
    printf '%s\\n' "$updates" | "$python" -I -S {notify} {home} {key}
  ) </dev/null >/dev/null 2>&1 &
  {{ IFS= read -r url <{url_file}; }} 2>/dev/null
  [ -z "$url" ] || echo "mlops-bot: $url/repositories/"{key}
fi
status=0
for hook in "$0".user*; do
  if [ -x "$hook" ]; then
    printf '%s\\n' "$updates" | "$hook" "$@" || status=$?
  fi
done
exit "$status"
"""


class Hooks:
    """`home` is the bot's own folder, where the hook finds whom to tell (in `service-url`) and how."""

    def __init__(self, home: Path, secret: str) -> None:
        self._home = home
        self._secret = secret
        self._is_prepared = False

    def install(self, repository: Path, key: str) -> None:
        """Put the hook into a bare repository, or bring it up to date. Raises UserError with the reason why not."""
        self._prepare()
        folder = repository / "hooks"
        try:
            if folder.exists() and not folder.resolve().is_relative_to(repository.resolve()):
                raise UserError("Its hooks are kept in a folder outside of it, which other repositories may share.")
            if _HOOKS_PATH.search((repository / "config").read_text(encoding="utf-8", errors="replace")):
                raise UserError("Its setting `core.hooksPath` sends git elsewhere for hooks.")
            folder.mkdir(exist_ok=True)
            _put(folder / "post-receive", self._text(key))
        except OSError as error:
            raise UserError(f"Its hook can not be written: {error.strerror}.") from error

    def _text(self, key: str) -> str:
        return _TEXT.format(
            mark=MARK,
            python=shlex.quote(sys.executable),
            notify=shlex.quote(str(self._home / "hook" / "notify.py")),
            home=shlex.quote(str(self._home)),
            key=shlex.quote(key),
            url_file=shlex.quote(str(self._home / "service-url")),
        )

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        folder = self._home / "hook"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(folder / "secret", self._secret, mode=0o600)
        _replace(folder / "notify.py", Path(notify.__file__).read_text(encoding="utf-8"), mode=0o600)
        self._is_prepared = True


def _put(path: Path, text: str) -> None:
    if os.path.lexists(path):
        there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if there == text:
            return
        if MARK not in there:
            path.rename(_free_name(path))
    _replace(path, text, mode=0o755)


def _free_name(path: Path) -> Path:
    """`post-receive.user`, beside the hook, so that what it looks for relative to itself is found."""
    candidate, number = path.with_name(f"{path.name}.user"), 1
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.name}.user{number}")
    return candidate


def _replace(path: Path, text: str, *, mode: int) -> None:
    """A push at this moment finds the old content or the new one."""
    draft = path.with_name(f"{path.name}.{os.urandom(6).hex()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.chmod(mode)
    draft.replace(path)


def hook_problem(repository: Path) -> str:
    """Why a push to this bare repository does not reach the service, in a sentence; "" when it does. Writes nothing."""
    path = repository / "hooks" / "post-receive"
    try:
        if _HOOKS_PATH.search((repository / "config").read_text(encoding="utf-8", errors="replace")):
            return "Its setting `core.hooksPath` sends git elsewhere for hooks."
        if MARK not in path.read_text(encoding="utf-8", errors="replace"):
            return "Another hook stands in its place."
    except FileNotFoundError:
        return "There is none yet."
    except OSError as error:
        return f"It can not be read: {error.strerror}."
    return "" if os.access(path, os.X_OK) else "It may not be executed."
