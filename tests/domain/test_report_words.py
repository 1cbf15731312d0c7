"""The report's plain words."""

from __future__ import annotations

import pytest

from bot.domain.report_words import shown_exit


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (None, ""),
        (0, ""),
        (1, "exit code 1"),
        (137, "exit code 137"),
        (-15, "ended by SIGTERM"),
        (-9, "ended by SIGKILL"),
        (-11, "ended by SIGSEGV"),
        (-40, "ended by signal 40"),
        (-4000, "ended by signal 4000"),
    ],
)
def test_how_a_step_ended_is_said_in_words(exit_code: int | None, words: str) -> None:
    assert shown_exit(exit_code) == words
