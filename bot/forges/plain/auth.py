"""Who may speak: the hook by its signature, people by having reached the pages."""

from __future__ import annotations

import hmac

from bot.ports.forge import BadSignature, Permission

# Whoever reaches the pages or the API has the access token, and whoever pushes has write access to the files: on this
# forge there is nobody else to tell apart.
EVERYBODY = Permission.WRITE


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def check_signature(secret: str, body: bytes, given: str) -> None:
    """Constant-time. Raises BadSignature."""
    if not hmac.compare_digest(signature(secret, body).encode(), given.encode("utf-8", "replace")):
        raise BadSignature
