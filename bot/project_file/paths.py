"""Paths, globs and addresses that a project file may name. All raise Unfit."""

from __future__ import annotations

import re
from posixpath import normpath

from bot.domain.words import quoted
from bot.yaml_file.unfit import Unfit

_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")
_URL = re.compile(r"(https?|ssh|git|file)://(?P<rest>\S*)", re.IGNORECASE)
_SCP_LIKE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s:][^\s]*")
_KNOWN_ADDRESSES = "`https://host/team/data.git`, `git@host:team/data.git`, `../data.git` or `/srv/git/data.git`"


def path_inside(text: str, *, below: str = ".") -> str:
    """The path without `.` and `..`, relative to `below`, a folder of the repository. It stays in the repository."""
    _refuse_foreign(text)
    joined = normpath(f"{below}/{text}")
    if joined == ".." or joined.startswith("../"):
        raise Unfit(
            f"{quoted(text)} leaves the repository.", "Name something inside of it.", offset=max(text.find(".."), 0)
        )
    if joined == ".git" or joined.startswith(".git/"):
        raise Unfit(f"{quoted(text)} is in git's own folder.", "Name something that is committed.")
    return normpath(text)


def _refuse_foreign(text: str) -> None:
    if "\\" in text:
        fix = f"Write `{text.replace(chr(92), '/')}`."
        raise Unfit(f"{quoted(text)} has a backslash; folders are separated by `/`.", fix, offset=text.index("\\"))
    if text.startswith("/") or _DRIVE.match(text):
        raise Unfit(f"{quoted(text)} is absolute; expected a path from the repository's root.", "Write it from there.")
    if text.startswith(("~", "-")):
        raise Unfit(f"{quoted(text)} begins with {quoted(text[0])}.", f"Write `./{text.lstrip('~/')}`.")
    control = next((i for i, character in enumerate(text) if ord(character) < 32 or ord(character) == 127), None)
    if control is not None:
        raise Unfit("The path has a control character.", "Remove it.", offset=control)
    if text != text.strip():
        raise Unfit(f"{quoted(text)} begins or ends with a space.", "Remove it.")


def glob(text: str) -> str:
    """A pattern of paths: `*` within a name, `**` across folders."""
    if text.startswith("!"):
        raise Unfit(f"{quoted(text)} begins with `!`; there are no exceptions.", "Name what is watched.")
    special = re.search(r"[?\[\]{}]", text)
    if special:
        message = f"{quoted(text)} has {quoted(special.group())}; only `*` and `**` are special."
        raise Unfit(message, "Use `*`, or several patterns.", offset=special.start())
    return path_inside(text)


def git_address(text: str) -> str:
    """An address that git can clone; nothing that makes git run a command, no password."""
    if text.startswith("-"):
        raise Unfit(f"{quoted(text)} begins with `-`, as an option does.", f"Write {_KNOWN_ADDRESSES}.")
    if "::" in text:
        raise Unfit(
            f"{quoted(text)} names a git remote helper, which could run anything.", f"Write {_KNOWN_ADDRESSES}."
        )
    if re.search(r"[\s\\\x00-\x1f\x7f]", text) or _DRIVE.match(text):
        raise Unfit(f"{quoted(text)} is not the address of a git repository.", f"Write {_KNOWN_ADDRESSES}.")
    if text in (".", "..") or text.startswith(("./", "../", "/")):
        return text
    url = _URL.fullmatch(text)
    if url and url.group("rest").strip("/"):
        _refuse_password(url.group("rest"))
        return text
    if "://" not in text and _SCP_LIKE.fullmatch(text):
        return text
    near = " A folder beside this repository is `../…`." if re.fullmatch(r"[\w.-]+(/[\w.-]+)*", text) else ""
    raise Unfit(f"{quoted(text)} is not the address of a git repository.", f"Write {_KNOWN_ADDRESSES}.{near}")


def _refuse_password(rest: str) -> None:
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in user:
        raise Unfit(
            "The address contains a password.",
            "Remove it and give it to the server; a password that was committed should be changed.",
        )
