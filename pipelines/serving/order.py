"""What the bot wants a keeper to serve, as it lies in `order.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """`storage` is the address of the model's folder, whose digest must be `digest`. `code` is a clone address, ""
    where no code is needed; in `model_path` at `sha` lie `predict.py` and the requirements that `environment` names.
    `start` counts this revision's starts, from 0. A `memory_bytes` or `cpu` of 0 means no limit."""

    model: str
    version: str
    runtime: str
    storage: str
    digest: str
    code: str
    sha: str
    model_path: str
    cache: str
    start: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)
    memory_bytes: int = 0
    cpu: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
