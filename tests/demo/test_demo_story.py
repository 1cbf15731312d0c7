"""`make demo` as whoever tries it sees it: in a process of its own, on a home of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.demo import ending
from bot.domain.errors import UserError
from bot.settings import load_settings
from pipelines.serving.folder import ServerFolder

DEADLINE_S = 200.0  # a quiet machine takes a fifth; the environment may have to be built
WHOLE_STORY = """
pushed the first commit to main: \\w+
pushed the branch `more-trees`, which changes a hyperparameter of each model: \\w+
Ada \\(demo\\) writes on change 1: /deploy staging breast-cancer
staging +version v1.0.1 is registered, as the git tag breast-cancer@v1.0.1
staging +starting breast-cancer v1.0.1
staging +loading the model
staging +breast-cancer v1.0.1 is ready at http://127.0.0.1:\\d+
staging +smoke test: 20 golden rows, each predicted as in evaluation
staging +v1.0.1 is live, [\\d.]+ s after it was asked for
Ada \\(demo\\) writes on change 1: /deploy production breast-cancer
production +waits for approval by somebody other than Ada \\(demo\\)
grace writes on change 1: /approve production
production +approved by grace
production +smoke test: 20 golden rows, each predicted as in evaluation
production +v1.0.1 is live, [\\d.]+ s after the approval
production +predicts 1 \\(benign\\) for .+ and 26 more columns; evaluation predicted 1 \\(benign\\)
pushed the branch `deeper-trees`, for a second version: \\w+
Ada \\(demo\\) writes on change 2: /deploy staging breast-cancer
staging +version v1.0.2 is registered, as the git tag breast-cancer@v1.0.2
staging +v1.0.2 is live, [\\d.]+ s after it was asked for
Ada \\(demo\\) writes on change 1: /rollback staging breast-cancer
staging +v1.0.1 is live again, [\\d.]+ s after it was asked for
from request or approval to live: v1.0.1 in staging .+, v1.0.1 back in staging [\\d.]+ s
ended the model servers of production/breast-cancer, staging/breast-cancer; the next start serves them again
"""
TOLD_AGAIN = """
an earlier demo pushed the first commit to main: \\w+
an earlier demo pushed the branch `more-trees`, which changes a hyperparameter of each model: \\w+
staging +v1.0.1 is live already, and its model server answers
production +v1.0.1 is live already, and its model server answers
"""
APPROVED_WHILE_IT_STAYS = """
production +waits for approval by somebody other than Ada \\(demo\\)
production +approved by grace
production +v1.0.2 is live, [\\d.]+ s after the approval
production +ask it for a prediction, in another terminal:
ended the model servers of production/breast-cancer, staging/breast-cancer; the next start serves them again
"""


@dataclass(frozen=True)
class Demo:
    home: Path

    def play(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command("demo", *arguments), env=self._environ(), capture_output=True, text=True, timeout=DEADLINE_S
        )

    @contextmanager
    def staying(self) -> Iterator[Staying]:
        terminal = self.home / "terminal"
        with terminal.open("wb") as output:
            process = subprocess.Popen(_command("demo"), env=self._environ(), stdout=output, stderr=output)
        try:
            yield Staying(process, terminal)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(DEADLINE_S)

    def comment(self, number: int, author: str, body: str) -> None:
        arguments = ("comment", "models", str(number), "--author", author, body)
        subprocess.run(_command(*arguments), env=self._environ(), check=True, capture_output=True)

    def servers(self) -> list[Path]:
        """The folders of those that live."""
        folders = (self.home / "serving" / "revisions").glob("*/*/*")
        return [folder for folder in folders if ServerFolder(folder).is_held]

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "MLOPS_BOT_HOME": str(self.home), "MLOPS_BOT_PORT": "0", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Staying:
    process: subprocess.Popen[bytes]
    terminal: Path

    def shown(self, words: str, *, times: int = 1) -> str:
        """All that the terminal shows, once these words are there so often."""
        deadline_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline_s:
            text = self.terminal.read_text(encoding="utf-8")
            if text.count(words) >= times:
                return text
            assert self.process.poll() is None, text
            time.sleep(0.05)
        raise AssertionError(f"{words!r} was not shown {times} times:\n{text}")


@pytest.fixture
def demo(tmp_path: Path, environments: Path) -> Iterator[Demo]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "cache").symlink_to(environments)
    yield Demo(home)
    ending.reset(load_settings({"MLOPS_BOT_HOME": str(home)}))  # also ends what a demo that failed has left


@pytest.mark.timeout(480)
def test_the_demo_goes_from_a_push_to_a_rollback_and_a_second_one_stays_and_hears_of_an_approval(demo: Demo) -> None:
    played = demo.play("--exit")

    story, _, comment = played.stdout.partition("\n\n")
    assert played.returncode == 0, played.stdout + played.stderr
    assert_told(story, WHOLE_STORY)
    assert "| `staging` | `breast-cancer` | back to `v1.0.1` | [✓ live since" in comment
    assert "| `production` | `breast-cancer` | `v1.0.1` | [✓ live since" in comment
    assert demo.servers() == []

    with demo.staying() as staying:
        text = staying.shown("Ctrl-C stops, and ends the model servers")
        assert_told(text, TOLD_AGAIN)
        assert "model_server_ended" not in text  # as if they had died
        assert [ask(line) for line in curl_lines(text)] == [("v1.0.1", [1]), ("v1.0.1", [1])]

        demo.comment(2, "Ada (demo)", "/deploy production breast-cancer")
        staying.shown("waits for approval")
        demo.comment(2, "grace", "/approve production")
        text = staying.shown("    curl ", times=3)
        assert ask(curl_lines(text)[-1]) == ("v1.0.2", [1])

    text = staying.shown("stopped; `make demo` goes on from here")
    assert_told(text, APPROVED_WHILE_IT_STAYS)
    assert (staying.process.returncode, demo.servers()) == (0, [])


def test_a_reset_forgets_what_a_demo_made_and_keeps_built_environments(tmp_path: Path) -> None:
    settings = load_settings({"MLOPS_BOT_HOME": str(tmp_path)})
    for folder in ("artifacts/runs", "repositories/models.git", "serving/desired", "cache/environments"):
        (tmp_path / folder).mkdir(parents=True)

    ending.reset(settings)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["cache"]


def test_a_reset_is_refused_where_the_home_holds_more_than_the_demo(tmp_path: Path) -> None:
    settings = load_settings({"MLOPS_BOT_HOME": str(tmp_path)})
    (tmp_path / "repositories" / "mine.git").mkdir(parents=True)
    (tmp_path / "artifacts").mkdir()

    with pytest.raises(UserError, match=r"also holds mine\.git"):
        ending.reset(settings)
    assert (tmp_path / "artifacts").exists()


def assert_told(text: str, story: str) -> None:
    """Each line of the story, in this order; other lines may lie between."""
    lines = iter(text.splitlines())
    for expected in story.strip().splitlines():
        pattern = re.compile(rf" *[\d.]+ s  {expected}")
        assert any(pattern.fullmatch(line) for line in lines), f"not told, or not in this place: {expected}\n{text}"


def curl_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    curl ")]


def ask(curl_line: str) -> tuple[str, list[int]]:
    """What a shell makes of it: the version that answers, and its prediction."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl, by which the demo's lines ask for predictions")
    done = subprocess.run(["/bin/sh", "-c", curl_line], check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    return answer["model_version"], answer["outputs"][0]["data"]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bot.cli", *arguments]
