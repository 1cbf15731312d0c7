"""Commands against a service: its application on a real port, whose address its home tells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.cli import main
from bot.wiring.doctor import machine_checks
from tests.web.kit import Workplace, open_workplace, served

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="module")
def _own_logs() -> Iterator[None]:
    """Commands set up logging for their process, on the standard error of the moment; these tests share one."""
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    _restore(before)


def _restore(before: dict[str, Any] | None) -> None:
    structlog.reset_defaults() if before is None else structlog.configure(**before)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """A service of this home that runs."""
    with open_workplace(tmp_path) as place:
        site = place.app.state.site
        actions = replace(site.actions, machine_checks=machine_checks(place.settings))
        place.app.state.site = replace(site, actions=actions)
        with served(place) as address:
            (place.home / "service-url").write_text(address)
            yield place


@pytest.fixture
def mlops_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Gives the exit code, and what was written to standard output and standard error."""
    before = structlog.get_config() if structlog.is_configured() else None
    monkeypatch.setenv("MLOPS_BOT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("MLOPS_BOT_PORT", "1")  # nothing listens there, whatever runs on this machine

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mlops-bot", *arguments])
        with pytest.raises(SystemExit) as raised:
            main()
        written = capsys.readouterr()
        return int(raised.value.code or 0), written.out, written.err

    yield run
    _restore(before)
