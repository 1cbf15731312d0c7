"""What a caller did wrong."""

from __future__ import annotations


class Invalid(ValueError):
    """Answered with 400 and these words."""
