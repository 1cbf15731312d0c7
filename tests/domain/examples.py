"""What several files of these tests begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from bot.domain.gate import parse_gate
from bot.domain.project import Model, Step

# Derandomised: the same examples each time, so that a failure is nobody's bad luck
PROPERTY = settings(max_examples=150, deadline=None, derandomize=True, database=None)

HOSTILE_TEXT = st.text(max_size=120) | st.text(alphabet="/-=\"'[]{}`<>!*\\ \n\tab1.%@#", max_size=120)


def model(name: str = "churn", *, gates: tuple[str, ...] = (), **fields: Any) -> Model:
    return replace(
        Model(name=name, train=Step("python train.py"), evaluate=Step("python evaluate.py")),
        gates=tuple(parse_gate(text) for text in gates),
        **fields,
    )
