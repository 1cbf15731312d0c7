"""Where a model's data lives, from what `mlops.yaml` says and where the repository itself lives."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import urlsplit, urlunsplit

from bot.domain.errors import UserError

_SCP_LIKE = re.compile(r"^(?P<host>[^/:]+@[^/:]+):(?P<path>.+)$")


def data_address(written: str, clone_address: str) -> str:
    """The clone address of the data's repository.

    "" is the model repository itself; `./` and `../` are relative to its address, as git does for submodules
    (gitsubmodules(7)). A path of this machine is only accepted beside a repository that is one itself.
    """
    if not written:
        return clone_address
    if written.startswith(("./", "../")):
        return _relative(written, clone_address)
    is_local = written.startswith(("/", "file:")) or not (_SCP_LIKE.match(written) or "://" in written)
    if is_local and not _is_local(clone_address):
        raise UserError(
            f"Data repository `{written}` is a path, but this model repository is not on the bot's machine.",
            "Give an address that the bot can clone, for example `https://git.example.com/acme/datasets.git`.",
        )
    return written


def _is_local(address: str) -> bool:
    return address.startswith(("/", "file:"))


def _relative(written: str, clone_address: str) -> str:
    scp_like = _SCP_LIKE.match(clone_address)
    if scp_like:
        return f"{scp_like['host']}:{_joined(scp_like['path'], written)}"
    if "://" in clone_address:
        parts = urlsplit(clone_address)
        return urlunsplit(parts._replace(path=_joined(parts.path, written)))
    return _joined(clone_address, written)


def _joined(base: str, written: str) -> str:
    joined = posixpath.normpath(posixpath.join(base, written))
    if joined.startswith(".."):
        raise UserError(f"Data repository `{written}` leaves `{base}`.", "Use fewer `../`.")
    return joined
