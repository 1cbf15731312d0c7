"""Signed, expiring addresses: who holds one may fetch just that picture, without logging in.

A forge's image proxy has no session on our pages, so the pictures of a comment are addressed this way.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from urllib.parse import quote


def plot_query(secret: str, *, run_id: str, path: str, expires_at: datetime) -> str:
    """The part after `?` of a plot's address."""
    expires = int(expires_at.timestamp())
    return f"expires={expires}&signature={_signature(secret, run_id, path, expires)}"


def is_plot_signed(secret: str, *, run_id: str, path: str, expires: str, signature: str, now: datetime) -> bool:
    """`expires` and `signature` are as they stand in the address: anything."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        return False
    expected = _signature(secret, run_id, path, int(expires))
    is_ours = hmac.compare_digest(signature.encode(), expected.encode())
    return is_ours and now < datetime.fromtimestamp(int(expires), tz=UTC)


def _signature(secret: str, run_id: str, path: str, expires: int) -> str:
    # quoted, so that no other split of the same characters gives the same message
    message = f"plot\n{quote(run_id, safe='')}\n{quote(path, safe='')}\n{expires}"
    return hmac.new(secret.encode(), message.encode(), "sha256").hexdigest()
