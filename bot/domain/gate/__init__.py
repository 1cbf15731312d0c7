"""Gates: requirements on metrics. `grammar` reads them, `verdict` holds a result against them."""

from bot.domain.gate.direction import better_when
from bot.domain.gate.grammar import Gate, GateSyntaxError, Incumbent, caret_under, parse_gate
from bot.domain.gate.verdict import (
    GateOutcome,
    Judgement,
    Metrics,
    Outcome,
    Verdict,
    find_gate,
    judge,
    number_text,
)

__all__ = [
    "Gate",
    "GateOutcome",
    "GateSyntaxError",
    "Incumbent",
    "Judgement",
    "Metrics",
    "Outcome",
    "Verdict",
    "better_when",
    "caret_under",
    "find_gate",
    "judge",
    "number_text",
    "parse_gate",
]
