"""What the gates say of a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.errors import UserError
from bot.domain.feedback import Waiver
from bot.domain.gate.grammar import Gate, Incumbent
from bot.domain.nearest import nearest
from bot.domain.words import listed, quoted

Metrics = Mapping[str, float]


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NO_INCUMBENT = "no_incumbent"  # nothing to compare with yet: passes
    WAIVED = "waived"  # failed, and somebody allowed it


class Verdict(StrEnum):
    PASSED = "passed"
    WAIVED = "waived"  # would have been missed without a waiver
    MISSED = "missed"
    EMPTY = "empty"  # no gates: nothing was asked, so nothing was passed


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """`value` is None for a metric that was not reported; `requirement` is such as `>= 0.957 (base 0.962 - 0.005)`.
    `waiver` is what lets it be missed."""

    gate: Gate
    outcome: Outcome
    value: float | None
    requirement: str
    reason: str
    waiver: Waiver | None = None

    @property
    def passes(self) -> bool:
        return self.outcome is not Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    outcomes: tuple[GateOutcome, ...]
    summary: str  # one line: `2 of 3 gates passed, missed: auc >= 0.9`


_NOBODY_YET = {
    Incumbent.BASE: "there is no base result yet",
    Incumbent.PRODUCTION: "nothing serves in production yet",
}
_INCUMBENT_WORDS = {Incumbent.BASE: "base result", Incumbent.PRODUCTION: "version in production"}


def judge(
    gates: Sequence[Gate],
    *,
    metrics: Metrics,
    base: Metrics | None,
    production: Metrics | None,
    waivers: Sequence[Waiver] = (),
) -> Judgement:
    """Hold a result's metrics against the gates. `waivers` are those of this change and model that still count.

    `base` and `production` are the incumbents' metrics, None where there is none. A result without any metric misses
    every gate, for otherwise a change could pass its gates by not evaluating.
    """
    incumbents = {Incumbent.BASE: base, Incumbent.PRODUCTION: production}
    outcomes = tuple(_waived(_outcome(gate, metrics, incumbents), waivers) for gate in gates)
    verdict = _verdict(outcomes)
    return Judgement(verdict, outcomes, _summary(verdict, outcomes))


def find_gate(gates: Sequence[Gate], written: str) -> Gate:
    """The gate that somebody means by its text or by its metric's name. Raises UserError naming those there are."""
    sought = _key(written)
    found = [gate for gate in gates if _key(gate.text) == sought] or [g for g in gates if _key(g.metric) == sought]
    if len({gate.text for gate in found}) == 1:
        return found[0]
    if found:
        texts = [gate.text for gate in found]
        raise UserError(f"{quoted(written)} has {len(found)} gates.", f"Write one of them, in quotes: {listed(texts)}.")
    if not gates:
        raise UserError("There are no gates to override.")
    meant = nearest(written, [gate.metric for gate in gates] + [gate.text for gate in gates])
    fix = f"Did you mean {quoted(meant)}? " if meant else ""
    raise UserError(f"There is no gate {quoted(written)}.", f"{fix}The gates are {listed([g.text for g in gates])}.")


def _outcome(gate: Gate, metrics: Metrics, incumbents: Mapping[Incumbent, Metrics | None]) -> GateOutcome:
    value = metrics.get(gate.metric)
    threshold, missing = _threshold(gate, incumbents)
    requirement = _requirement(gate, threshold, incumbents)
    if value is None:
        return GateOutcome(gate, Outcome.FAILED, None, requirement, f"not reported (needs {requirement})")
    if not math.isfinite(value):
        return GateOutcome(gate, Outcome.FAILED, value, requirement, f"{value} is not a number to compare")
    if threshold is None:
        return GateOutcome(gate, Outcome.NO_INCUMBENT, value, requirement, f"no incumbent: {missing}")
    if not math.isfinite(threshold):
        return GateOutcome(gate, Outcome.FAILED, value, requirement, "the requirement is too large to be computed")
    passed = _holds(gate.op, value, threshold)
    return GateOutcome(
        gate, Outcome.PASSED if passed else Outcome.FAILED, value, requirement, _reason(gate.op, value, threshold)
    )


def _threshold(gate: Gate, incumbents: Mapping[Incumbent, Metrics | None]) -> tuple[float | None, str]:
    """The number to hold against, or None and why there is none."""
    if gate.incumbent is None:
        return gate.number, ""
    incumbent = incumbents[gate.incumbent]
    if incumbent is None:
        return None, _NOBODY_YET[gate.incumbent]
    value = incumbent.get(gate.metric)
    if value is None or not math.isfinite(value):
        return None, f"the {_INCUMBENT_WORDS[gate.incumbent]} has no {gate.metric}"
    return _computed(value, gate.arithmetic, gate.number), ""


def _computed(value: float, arithmetic: str, number: float) -> float:
    match arithmetic:
        case "+":
            return value + number
        case "-":
            return value - number
        case "*":
            return value * number
        case "/":
            return value / number if number else math.nan
        case _:
            return value


def _holds(op: str, value: float, threshold: float) -> bool:
    """Numbers equal in nine digits are equal here, for 0.962 - 0.005 is not 0.957 in binary."""
    equal = math.isclose(value, threshold, rel_tol=1e-9)
    match op:
        case ">=":
            return value > threshold or equal
        case "<=":
            return value < threshold or equal
        case ">":
            return value > threshold and not equal
        case "<":
            return value < threshold and not equal
        case _:
            return equal


def _requirement(gate: Gate, threshold: float | None, incumbents: Mapping[Incumbent, Metrics | None]) -> str:
    if gate.incumbent is None:
        return f"{gate.op} {number_text(gate.number)}"
    step = f" {gate.arithmetic} {number_text(gate.number)}" if gate.arithmetic else ""
    incumbent = incumbents[gate.incumbent]
    if threshold is None or incumbent is None:
        return f"{gate.op} {gate.incumbent}{step}"
    return f"{gate.op} {number_text(threshold)} ({gate.incumbent} {number_text(incumbent[gate.metric])}{step})"


def _reason(op: str, value: float, threshold: float) -> str:
    """How far off, in as many digits as it takes to see a difference."""
    digits = 6
    while number_text(value, digits=digits) == number_text(threshold, digits=digits) and digits < 12:
        digits += 3
    if math.isclose(value, threshold, rel_tol=1e-9):
        digits = 6
    left, right = number_text(value, digits=digits), number_text(threshold, digits=digits)
    if _holds(op, value, threshold):
        return f"{left} {op} {right}"
    return f"{left} is not {op} {right}"


def _waived(outcome: GateOutcome, waivers: Sequence[Waiver]) -> GateOutcome:
    waiver = next((w for w in waivers if _key(w.gate) == _key(outcome.gate.text)), None)
    if outcome.passes or waiver is None:
        return outcome
    reason = f"{outcome.reason}; waived by {waiver.granted_by} until {_day(waiver.expires_at)}: {waiver.reason}"
    return GateOutcome(outcome.gate, Outcome.WAIVED, outcome.value, outcome.requirement, reason, waiver)


def _verdict(outcomes: Sequence[GateOutcome]) -> Verdict:
    if not outcomes:
        return Verdict.EMPTY
    if not all(outcome.passes for outcome in outcomes):
        return Verdict.MISSED
    return Verdict.WAIVED if any(outcome.outcome is Outcome.WAIVED for outcome in outcomes) else Verdict.PASSED


def _summary(verdict: Verdict, outcomes: Sequence[GateOutcome]) -> str:
    if verdict is Verdict.EMPTY:
        return "no gates: nothing was required of this result"
    missed = [outcome.gate.text for outcome in outcomes if outcome.outcome is Outcome.FAILED]
    if missed:
        return f"{len(missed)} of {_gates(len(outcomes))} missed: {', '.join(missed)}"
    parts = [f"{_gates(len(outcomes))} passed"]
    without = sum(1 for one in outcomes if one.outcome is Outcome.NO_INCUMBENT)
    if without:
        parts.append(f"{without} without an incumbent")
    ends = [one.waiver.expires_at for one in outcomes if one.waiver is not None]
    if ends:
        parts.append(f"{len(ends)} by a waiver until {_day(min(ends))}")
    return ", ".join(parts)


def _gates(count: int) -> str:
    return "1 gate" if count == 1 else f"{count} gates"


def number_text(number: float, *, digits: int = 6) -> str:
    """As people write it: 0.957, 200, 1.5e-07."""
    if math.isfinite(number) and number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.{digits}g}"


def _key(text: str) -> str:
    return "".join(text.split())


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
