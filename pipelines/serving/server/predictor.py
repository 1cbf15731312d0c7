"""What a loaded model is to the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .tensors import Array


class Predictor(Protocol):
    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What is known of the tensors that it takes, as the protocol's metadata has it; [] for nothing."""

    @property
    def outputs(self) -> list[dict[str, Any]]: ...

    def predict(self, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
        """Named outputs, the first one first. Raises Invalid for what the caller did wrong."""
