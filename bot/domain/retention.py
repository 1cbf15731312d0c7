"""How long what runs leave is kept, and which runs' files are of no use to anybody any more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.run import Phase, Run

_AGE = re.compile(r"([1-9][0-9]{0,4})([hd])")
SHORTEST_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """None keeps for ever. `runs` are those that succeeded, `failed` all others that ended; `cache` are data,
    environments and folders of this machine that nothing has used since."""

    runs: timedelta | None = None
    failed: timedelta | None = None
    cache: timedelta | None = None

    def of(self, phase: Phase) -> timedelta | None:
        return self.runs if phase in (Phase.SUCCEEDED, Phase.REUSED) else self.failed


def everything_older_than(age: timedelta) -> Retention:
    return Retention(age, age, age)


def parse_age(text: str) -> timedelta | None:
    """`90d`, `12h`; None for anything else."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        return None
    return timedelta(days=int(found[1])) if found[2] == "d" else timedelta(hours=int(found[1]))


def expired(runs: Sequence[Run], *, needed: Iterable[str], keep: Retention, now: datetime) -> frozenset[str]:
    """Ids of runs of one repository whose files may go. `runs` are all of them, `needed` those that must stay.

    A run's files are as young as the newest run that shows them, that took its model from them, or that was compared
    with them; and they stay as long as a run that must stay needs them.
    """
    by_id = {run.id: run for run in runs}
    young = [run for run in runs if _is_young(run, keep, now)]
    stays: set[str] = set()
    left = [*needed, *(run.id for run in young), *(run.base_run for run in young if run.base_run)]
    while left:
        run_id = left.pop()
        if run_id not in stays:
            stays.add(run_id)
            left += sources(by_id[run_id]) if run_id in by_id else ()
    return frozenset(by_id.keys() - stays)


def sources(run: Run) -> tuple[str, ...]:
    """Ids of the runs whose files this one shows or works with."""
    model_run = str(run.arguments.get("model_prefix", "")).rstrip("/").rpartition("/")[2]
    return tuple(run_id for run_id in (run.reused_run, model_run) if run_id)


def is_over(phase: Phase, ended_at: datetime | None, asked_at: datetime, keep: Retention, now: datetime) -> bool:
    age = keep.of(phase)
    return phase.is_final and age is not None and now - (ended_at or asked_at) > age


def _is_young(run: Run, keep: Retention, now: datetime) -> bool:
    return not is_over(run.phase, run.ended_at, run.requested_at, keep, now)
