"""Who may speak: GitLab by the hook's secret token, people by their access level."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from bot.ports.forge import BadSignature, Permission

# GitLab docs, "Members API", access levels
DEVELOPER, MAINTAINER = 30, 40


def check_token(secrets: Iterable[str], given: str) -> None:
    """Constant-time, whichever secret it is. Header values arrive as Latin-1. Raises BadSignature."""
    given_bytes = given.encode("latin-1", "replace")
    matches = [hmac.compare_digest(secret.encode(), given_bytes) for secret in secrets if secret]
    if not any(matches):
        raise BadSignature


def permission_of(access_level: int) -> Permission:
    """Reporters and those below read; Developers and up write."""
    if access_level >= MAINTAINER:
        return Permission.ADMIN
    if access_level >= DEVELOPER:
        return Permission.WRITE
    return Permission.READ if access_level > 0 else Permission.NONE
