"""What goes wrong in a model's own code or data gets words of its own; the bot stays well."""

from __future__ import annotations

import pytest

from bot.domain.check import Conclusion
from bot.domain.result import FailureKind
from bot.domain.run import Phase
from tests.journeys.test_push import push_main
from tests.journeys.workplace import EVALUATE, TRAIN, Running, Workplace

CASES = {
    "raises": (
        "churn/train.py",
        "def load():\n    return {}['age']\n\nload()\n",
        FailureKind.EXCEPTION,
        "KeyError: 'age'",
    ),
    "exits": ("churn/train.py", "import sys\nsys.exit(3)\n", FailureKind.EXIT, "3"),
    "no_metrics": ("churn/evaluate.py", "print('done')\n", FailureKind.NO_METRICS, "metrics.json"),
    "nan": (
        "churn/evaluate.py",
        EVALUATE.replace('"loss": 0.2', '"loss": float("nan")'),
        FailureKind.BAD_METRICS,
        "loss",
    ),
    "not_json": (
        "churn/evaluate.py",
        EVALUATE.replace(
            'json.dumps({"accuracy": 1 - abs(model["threshold"] - 0.5), "loss": 0.2})', '"accuracy: high"'
        ),
        FailureKind.BAD_METRICS,
        "JSON",
    ),
    "no_model": ("churn/train.py", "print('nothing kept')\n", FailureKind.NO_MODEL, "MLOPS_MODEL_DIR"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failing_step_gets_its_own_clear_words(case: str, place: Workplace, running: Running):
    path, text, kind, words = CASES[case]
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "broken")
    place.write(path, text)
    sha = place.commit("Break it")
    place.push("broken")

    run = running.ended(sha)
    assert run.phase is Phase.FAILED
    assert run.result is not None
    assert run.result.failure is not None
    assert (run.result.failure.kind, run.result.failure.step) == (kind, path.removeprefix("churn/").removesuffix(".py"))
    assert words in run.result.failure.message + run.result.failure.fix
    (check,) = running.checks(sha, completed=True)
    assert check.conclusion is Conclusion.FAILURE


def test_a_python_error_is_annotated_at_the_models_own_lines(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "broken")
    place.write("churn/train.py", "print('token', 'ghp_' + 'x' * 36)\n\ndef load():\n    return {}['age']\n\nload()\n")
    sha = place.commit("Break it")
    place.push("broken")

    running.ended(sha)
    (check,) = running.checks(sha, completed=True)
    assert ("churn/train.py", 4) in [(annotation.path, annotation.line) for annotation in check.annotations]
    comment = running.comment(1, "KeyError")
    assert "churn/train.py" in comment
    assert "ghp_xxx" not in comment, "what looks like a token is masked"


def test_a_step_that_takes_too_long_is_ended_with_everything_that_it_started(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "slow")
    place.write("churn/train.py", "import subprocess\nsubprocess.run(['sleep', '600'])\n")
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text.replace("timeout: 1m", "timeout: 1s"))
    sha = place.commit("Sleep")
    place.push("slow")

    failure = running.failure_of(sha)
    assert failure.kind is FailureKind.TIMEOUT
    assert "1 s" in failure.message


def test_a_step_that_takes_too_much_memory_is_ended_and_told_how_much(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "greedy")
    place.write(
        "churn/train.py",
        "import time\nheap = bytearray(400_000_000)\nheap[::4096] = b'x' * len(heap[::4096])\ntime.sleep(60)\n",
    )
    text = (place.worktree / "mlops.yaml").read_text()
    limited = "train: {run: python train.py, timeout: 1m, resources: {memory: 100Mi}}"
    place.write("mlops.yaml", text.replace("train: {run: python train.py, timeout: 1m}", limited))
    sha = place.commit("Take 400 MB")
    place.push("greedy")

    failure = running.failure_of(sha)
    assert failure.kind is FailureKind.MEMORY
    assert "100" in failure.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{path: data/absent.csv}", "data/absent.csv"),
        ("{repo: ../nowhere.git, path: data/table.csv}", "nowhere.git"),
        ("{rev: v99, path: data/table.csv}", "v99"),
    ],
)
def test_data_that_is_not_there_fails_at_fetch_and_is_named(data: str, words: str, place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "lost")
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text.replace("{path: data/table.csv}", data))
    sha = place.commit("Lose the data")
    place.push("lost")

    failure = running.failure_of(sha)
    assert (failure.step, failure.kind) == ("fetch", FailureKind.DATA)
    assert words in failure.message
    assert words in running.comment(1, words)


def test_requirements_that_can_not_be_installed_give_the_installers_own_reason(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "unmet")
    place.write(
        "churn/requirements.txt", "# first\nno-such-package @ file:///nowhere/no_such_package-1.0-py3-none-any.whl\n"
    )
    text = (place.worktree / "mlops.yaml").read_text()
    place.write(
        "mlops.yaml", text.replace("    params:", "    environment: {requirements: requirements.txt}\n    params:")
    )
    sha = place.commit("Ask for what is not there")
    place.push("unmet")

    failure = running.failure_of(sha)
    assert failure.kind is FailureKind.REQUIREMENTS
    assert "no_such_package" in failure.message
    assert "requirements.txt" in failure.message


def test_an_invalid_project_file_fails_a_check_with_every_error_and_is_taken_back_when_fixed(
    place: Workplace, running: Running
):
    push_main(place, running)
    good = (place.worktree / "mlops.yaml").read_text()
    place.git("checkout", "--quiet", "-B", "typo")
    place.write("mlops.yaml", good.replace("    params:", "    parms:").replace("accuracy >= 0.8", "accuracy >> 0.8"))
    broken = place.commit("Mistype two things")
    place.push("typo")

    (check,) = running.checks(broken, completed=True)
    assert check.conclusion is Conclusion.FAILURE
    assert len(check.annotations) == 2
    comment = running.comment(1, "params")
    assert "line 6, column 5" in comment
    assert running.runs(broken) == []

    place.write("mlops.yaml", good.replace("default: 0.4", "default: 0.5"))
    fixed = place.commit("Mend it")
    place.push("typo")
    run = running.ended(fixed)
    assert "parms" not in running.comment(1, run.id)


def test_a_repository_without_a_project_file_gets_silence(place: Workplace, running: Running):
    place.git("rm", "--quiet", "mlops.yaml")
    place.commit("No models here")
    place.push("main")
    place.git("checkout", "--quiet", "-B", "work")
    sha = place.commit("Work")
    place.push("work")

    running.wait_for("the change", lambda: running.service.bot.store.change(place.key, 1))
    assert running.posts(1) == []
    assert running.checks(sha) == []
    assert TRAIN in (place.worktree / "churn/train.py").read_text()
