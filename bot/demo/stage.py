"""What the parts of the demo share: the service, the terminal, and how to wait for what the service does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from bot.domain.errors import UserError
from bot.service import Service

T = TypeVar("T")
Say = Callable[[str], None]

REPOSITORY = "plain/models"
MODELS = ("breast-cancer", "diabetes")
DEPLOYED = "breast-cancer"
LOOK_EVERY_S = 0.1
LONGEST_WAIT_S = 600.0


class NotAsDesigned(Exception):
    """What the demo was to show came out otherwise; the words say how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`say` puts the time in front."""

    service: Service
    say: Say

    def show(self, text: str) -> None:
        """To be copied, so without a time."""
        click.echo(text)

    def comment(self, number: int, author: str, body: str) -> None:
        """Write on a change as a person, and let the terminal show it."""
        self.say(f"{author} writes on change {number}: {body}")
        self.service.bot.comment(REPOSITORY, number, author, body)

    def wait_for(self, what: str, look: Callable[[], T | None], *, within_s: float = LONGEST_WAIT_S) -> T:
        """What `look` gives, once it is not None. Raises UserError after `within_s`, SystemExit after Ctrl-C."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            found = look()
            if found is not None:
                return found
            if self.service.is_stopping:
                raise SystemExit(130)
            time.sleep(LOOK_EVERY_S)
        raise UserError(f"{what} did not come within {within_s:.0f} s.", "Look at the log above.")
