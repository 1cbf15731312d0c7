"""Structured logs: an event's name and facts, one line each, with secrets masked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from threading import Lock
from typing import Any

import structlog

from bot.domain.masking import mask

_secrets: frozenset[str] = frozenset()
_lock = Lock()


def mask_also(secrets: Iterable[str]) -> None:
    """Values that became known to this process later, and must never be printed either."""
    global _secrets
    with _lock:
        _secrets = _secrets.union(secret for secret in secrets if secret)


def configure(*, json_lines: bool, secrets: Iterable[str] = (), level: int = logging.INFO) -> None:
    """Set up structlog for the process. `secrets` are values that must never be printed, wherever they turn up."""
    known = tuple(secret for secret in secrets if secret)

    def mask_values(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        all_known = (*known, *_secrets)
        return {key: _masked(value, all_known) for key, value in event.items()}

    renderer: Any = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _masked(value: Any, known: tuple[str, ...]) -> Any:
    """Whatever the shape: an exception or a path is written as text, too."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_masked(key, known): _masked(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item, known) for item in value]
    return mask(str(value), known)
