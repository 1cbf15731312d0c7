"""Asking the bot to serve: it alone talks to serving; the steps of `deploy` say when, and look how it stands.

`POST {callback_url}/serving` with `{"do": "apply"}` or `{"do": "promote", "percent": 10}`, and `GET` of the same. All
may be repeated. A 409 says that the deployment may not go on; a bot that does not answer is being restarted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.steps.callback import token
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.http_request import FAULTS, Answer, request
from pipelines.steps.quantities import duration

Say = Callable[[str], None]

LOOK_TIMEOUT_S = 10.0
ACT_TIMEOUT_S = 60.0  # promoting pushes a tag to the forge first
OUTAGE_LIMIT_S = 600.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STATES = ("starting", "ready", "failed", "gone")
LOG_LINES = 100
LINE_CHARACTERS = 2_000
KEPT = "The former version keeps serving. The log of this step ends with the model server's own."


@dataclass(frozen=True, slots=True)
class Standing:
    """How the new version stands. `address` is where it alone answers; the traffic is that of its present share, unless
    serving can not tell it."""

    state: str
    percent: int
    address: str
    message: str
    log: tuple[str, ...]
    requests: int
    errors: int
    p99_ms: float | None
    is_measured: bool = True


class BotServing:
    def __init__(self, callback_url: str, say: Say) -> None:
        if not callback_url:
            raise StepFailed(
                FailureKind.UNREACHABLE,
                "This run was given no address of the bot, which alone can let the model serve.",
                fix="Start deployments through the bot, with `/deploy`.",
            )
        self._url = f"{callback_url}/serving"
        self._say = say
        self._outage_s = 0.0

    def clock_s(self) -> float:
        """Stands still while the bot is away: nothing can be learned then, and nobody else be blamed."""
        return time.monotonic() - self._outage_s

    def apply(self) -> Standing:
        """Start the new version beside what serves, without a share of the requests."""
        return self._ask("POST", {"do": "apply"})

    def promote(self, percent: int) -> Standing:
        return self._ask("POST", {"do": "promote", "percent": percent})

    def look(self) -> Standing:
        return self._ask("GET", None)

    def _ask(self, method: str, body: dict[str, Any] | None) -> Standing:
        """Waits for a bot that is being restarted. Raises StepFailed for a refusal."""
        timeout_s = LOOK_TIMEOUT_S if body is None else ACT_TIMEOUT_S
        began_s, pause_s, trouble = time.monotonic(), FIRST_PAUSE_S, ""
        while True:
            try:
                answer = request(method, self._url, body=body, headers=token(), timeout_s=timeout_s)
            except FAULTS as fault:
                newest = str(fault) or type(fault).__name__
            except ValueError as error:
                raise StepFailed(FailureKind.UNREACHABLE, f"The bot's address can not be used: {error}.") from error
            else:
                if answer.status < 500 and answer.status != 429:
                    self._end_outage(trouble, time.monotonic() - began_s)
                    return _standing(answer)
                newest = f"it answered {answer.status}"
            if not trouble:
                self._say(f"The bot does not answer ({newest}); trying again for {duration(OUTAGE_LIMIT_S)}.")
            trouble = newest
            if time.monotonic() + pause_s - began_s > OUTAGE_LIMIT_S:
                raise _unreachable(trouble)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _end_outage(self, trouble: str, elapsed_s: float) -> None:
        if trouble:
            self._outage_s += elapsed_s
            self._say(f"The bot answers again after {elapsed_s:.1f} s.")


def say_log(standing: Standing, say: Say) -> None:
    """The end of the model server's own log."""
    if standing.log:
        say("The model server's log ends so:")
    for line in standing.log:
        say(f"  {line}")


def _unreachable(trouble: str) -> StepFailed:
    return StepFailed(
        FailureKind.UNREACHABLE,
        f"The bot did not answer for {duration(OUTAGE_LIMIT_S)}: {trouble}.",
        fix="When it is up again, deploy again; until then the former version serves.",
    )


def _standing(answer: Answer) -> Standing:
    document = answer.json()
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    if answer.status == 409:
        problem = str(fields.get("problem") or "The bot refused to go on with this deployment.")
        raise StepFailed(FailureKind.REFUSED, problem, fix=str(fields.get("fix") or ""))
    if answer.status != 200:
        raise StepFailed(
            FailureKind.REFUSED,
            f"The bot answered {answer.status}: it does not know this run, or not its token.",
            fix="Deploy again; if it comes back, tell whoever runs the bot.",
        )
    try:
        return _read(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise StepFailed(FailureKind.INTERNAL, f"The bot's answer can not be read: {error!r}.") from error


def _read(fields: dict[str, Any]) -> Standing:
    if fields["state"] not in STATES:
        raise ValueError(f"state {str(fields['state'])[:40]!r}")
    traffic = fields["traffic"]
    p99_ms = traffic["p99_ms"]
    if p99_ms is not None and not math.isfinite(p99_ms):
        raise ValueError("p99_ms is not finite")
    return Standing(
        state=fields["state"],
        percent=int(fields["percent"]),
        address=str(fields["address"]).rstrip("/"),
        message=" ".join(str(fields["message"]).split())[:LINE_CHARACTERS],
        log=tuple(str(line)[:LINE_CHARACTERS] for line in fields["log"][-LOG_LINES:]),
        requests=int(traffic["requests"]),
        errors=int(traffic["errors"]),
        p99_ms=None if p99_ms is None else float(p99_ms),
        is_measured=traffic.get("is_measured", True) is not False,
    )
