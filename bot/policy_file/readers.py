"""Values of a policy file that the schema can not judge. All raise Unfit."""

from __future__ import annotations

import re
from datetime import timedelta
from posixpath import normpath

from bot.domain.retention import parse_age
from bot.domain.words import quoted
from bot.yaml_file import ANY, Readers, Unfit
from bot.yaml_file.quantities import cores, duration_s, memory_bytes

FORGES = ("github", "gitlab", "plain", "local")  # the last for working trees, which `mlops-bot run` runs
OWN_PREFIX = "MLOPS_BOT_"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SPECIAL = re.compile(r"[?\[\]{}!\\\s]")


def repository_glob(text: str) -> str:
    """A pattern of repositories' keys."""
    _only_stars(text, "github/acme/*")
    forge, slash, _ = text.partition("/")
    if "*" not in forge and forge not in FORGES:
        raise Unfit(
            f"{quoted(text)} does not begin with a forge: {', '.join(FORGES[:-1])} or {FORGES[-1]}.",
            f"Write `github/{text}` or another forge in front.",
        )
    if not slash and forge != "**":
        raise Unfit(f"{quoted(text)} names no repository.", f"Write `{forge}/**` for all of them.")
    return text


def image_glob(text: str) -> str:
    """A pattern of container images' names."""
    _only_stars(text, "registry.example.com/team/*")
    return text


def variable(text: str) -> str:
    """The name of a variable of the service. In capitals, so that a value written here by mistake is seen to be one."""
    if _VARIABLE.fullmatch(text) is None:
        raise Unfit(
            "This is not the name of a variable in capitals.",
            "Write the name of the variable that holds the value: `WANDB_API_KEY`. The value itself does not belong "
            "here; one that was written here should be changed.",
        )
    if text.startswith(OWN_PREFIX):
        raise Unfit(
            f"{quoted(text)} is one of the bot's own variables, which runs must not have.",
            "Give the value to the service in another variable.",
        )
    return text


def secret_file(text: str) -> str:
    if not text.startswith("/") or "\0" in text or text != normpath(text):
        raise Unfit(
            "This is not the absolute path of a file.",
            "Write the path of the file that holds the value: `/run/secrets/wandb`. The value itself does not belong "
            "here; one that was written here should be changed.",
        )
    return text


def age(text: str) -> timedelta:
    found = parse_age(text)
    if found is None:
        raise Unfit(f"{quoted(text)} is no age.", "Write days or hours: `90d`, `12h`.")
    return found


def _only_stars(text: str, example: str) -> None:
    special = _SPECIAL.search(text)
    if special:
        message = f"{quoted(text)} has {quoted(special.group())}; only `*` and `**` are special."
        raise Unfit(message, f"Write a glob such as `{example}`.", offset=special.start())
    if any(name in ("", ".", "..") for name in text.split("/")):
        raise Unfit(f"{quoted(text)} has an empty name, `.` or `..` in it.", f"Write a glob such as `{example}`.")


_ENTRY = ("repositories", ANY)

READERS: Readers = (
    ((*_ENTRY, "match", ANY), repository_glob),
    ((*_ENTRY, "secrets", ANY, "env"), variable),
    ((*_ENTRY, "secrets", ANY, "file"), secret_file),
    ((*_ENTRY, "images", ANY), image_glob),
    ((*_ENTRY, "resources", "cpu"), cores),
    ((*_ENTRY, "resources", "memory"), memory_bytes),
    ((*_ENTRY, "override", "for"), duration_s),
    (("keep", ANY), age),
)
