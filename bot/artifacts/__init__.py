"""The artifact store: a local folder, or whatever fsspec reaches. The only home of fsspec in `bot/`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.artifacts.folder import FolderArtifacts
from bot.domain.errors import UserError
from bot.domain.masking import mask
from bot.domain.words import quoted
from bot.ports.artifacts import Artifacts

ADDRESS_FIX = (
    "Set MLOPS_BOT_ARTIFACTS_URL to `file:///path/of/a/folder`, `s3://bucket/prefix`, or another address of fsspec."
)


def open_artifacts(url: str) -> Artifacts:
    """`url` is a `file://` address, a folder's absolute path, or an address of fsspec such as `s3://bucket/prefix`."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path))
        if not path.is_absolute() or parts.netloc not in ("", "localhost"):
            raise UserError(f"The artifact store {quoted(mask(url), limit=200)} is not an absolute path.", ADDRESS_FIX)
        return FolderArtifacts(path)

    from bot.artifacts.remote import RemoteArtifacts, open_filesystem  # a service with a folder never loads fsspec

    try:
        files, root = open_filesystem(url)
    except (ValueError, ImportError) as error:
        fix = "Install it: pip install 'mlops-bot[s3]'" if parts.scheme == "s3" else ADDRESS_FIX
        raise UserError(f"The artifact store {quoted(mask(url), limit=200)} is not usable: {error}.", fix) from error
    return RemoteArtifacts(files, root)
