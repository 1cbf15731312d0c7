"""A command of the repository is watched, accounted, and ended whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.command import argument_list
from pipelines.steps.processes import descendants
from tests.pipelines.kit import FETCH, GOOD_TRAIN, USER, Workshop, command, failure_of

DEADLINE_S = 30.0


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("python train.py", ["python", "train.py"]),
        ('python train.py --name "a b"', ["python", "train.py", "--name", "a b"]),
        ("python train.py --rate=0.5", ["python", "train.py", "--rate=0.5"]),
        ("python a.py && python b.py", ["sh", "-c", "python a.py && python b.py"]),
        ("python a.py\npython b.py", ["sh", "-c", "python a.py\npython b.py"]),
        ("X=1 python a.py", ["sh", "-c", "X=1 python a.py"]),
        ("cd sub", ["sh", "-c", "cd sub"]),
        ("python train.py $MLOPS_DATA_DIR", ["sh", "-c", "python train.py $MLOPS_DATA_DIR"]),
        ("echo 'unclosed", ["sh", "-c", "echo 'unclosed"]),
    ],
)
def test_a_shell_is_used_only_where_the_command_needs_one(run: str, expected: list[str]):
    assert argument_list(run) == expected


def test_an_empty_command_is_refused(shop: Workshop):
    shop.write()

    assert failure_of(shop.run(train=command("  "))).message == "The command is empty."


def test_a_pipeline_of_the_shell_works(shop: Workshop):
    shop.write()

    result = shop.run(train=command("echo weights | cat > $MLOPS_MODEL_DIR/model.txt && python -V"))

    assert result.state == "succeeded"
    assert (shop.prefix / "model" / "model.txt").read_text() == "weights\n"


def test_what_a_command_leaves_in_the_background_is_ended_with_it(shop: Workshop):
    daemon = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open(os.environ['MLOPS_MODEL_DIR'] + '/pid', 'w').write(str(os.getpid()))\n"
        "        time.sleep(300)\n"
        "    os._exit(0)\n"
        "while not os.path.exists(os.environ['MLOPS_MODEL_DIR'] + '/pid'): time.sleep(0.01)\n"
    )
    shop.write(train=daemon)

    result = shop.run()

    assert result.state == "succeeded"
    assert not is_running(int((shop.prefix / "model" / "pid").read_text()))


def test_a_command_that_ignores_sigterm_is_killed_with_its_children_at_its_timeout(shop: Workshop):
    stubborn = (
        "import os, signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        "print('child', child.pid, flush=True)\n"
        "child.wait()\n"
        "while True: signal.pause()\n"
    )
    shop.write(train=stubborn)

    result = shop.run(train=command("python train.py", timeout_s=1))

    assert failure_of(result).kind == "timeout"
    assert result.steps[1].exit_code == -signal.SIGKILL
    child = next(line for line in result.steps[1].log_tail if line.startswith("child "))
    assert not is_running(int(child.split()[1]))


def test_memory_is_summed_over_all_processes_of_the_command(shop: Workshop):
    shop.write(
        train="import subprocess, sys\n"
        "hold = 'x = bytearray(80 * 1024**2); import time; time.sleep(60)'\n"
        "for child in [subprocess.Popen([sys.executable, '-c', hold]) for _ in range(3)]: child.wait()\n"
    )

    failure = failure_of(shop.run(train=command("python train.py", memory_bytes=150 * 1024**2)))

    assert failure.kind == "memory"


def test_memory_that_forked_workers_share_counts_once(shop: Workshop):
    shop.write(
        train="import os, time\n"
        "held = bytearray(80 * 1024**2)\n"
        "children = []\n"
        "for _ in range(3):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        time.sleep(0.6); os._exit(0)\n"
        "    children.append(child)\n"
        "for child in children: os.waitpid(child, 0)\n" + GOOD_TRAIN
    )

    assert shop.run(train=command("python train.py", memory_bytes=200 * 1024**2)).state == "succeeded"


def test_the_log_can_be_read_while_the_step_runs(shop: Workshop):
    shop.write(
        train="import os, time\nprint('epoch 1')\n"
        "while not os.path.exists(os.environ['FLAG']): time.sleep(0.01)\n" + GOOD_TRAIN
    )
    flag = shop.folder / "flag"
    with start_train(shop, env={"FLAG": str(flag)}) as step:
        until(lambda: (shop.prefix / "logs/train.log").exists() and "epoch 1\n" in shop.log("train"))
        progress = json.loads((shop.prefix / "steps" / "train.json").read_text())
        flag.touch()
        assert step.wait(DEADLINE_S) == 0

    assert (progress["name"], progress["state"], progress["ended_at"]) == ("train", "running", None)
    assert json.loads((shop.prefix / "steps" / "train.json").read_text())["state"] == "succeeded"


def test_a_step_that_is_asked_to_end_ends_its_command_and_says_that_it_was_canceled(shop: Workshop):
    shop.write(train="import subprocess\nprint('at work')\nsubprocess.run(['sleep', '300'])\n")
    with start_train(shop) as step:
        until(lambda: (shop.prefix / "logs/train.log").exists() and "at work" in shop.log("train"))
        below = until(lambda: [pid for pid in descendants(step.pid) if len(descendants(step.pid)) >= 2])
        step.send_signal(signal.SIGTERM)
        assert step.wait(DEADLINE_S) == 128 + signal.SIGTERM

    assert [pid for pid in below if is_running(pid)] == []
    assert json.loads((shop.prefix / "steps" / "train.json").read_text())["state"] == "canceled"


def test_a_command_does_not_outlive_a_step_that_is_killed(shop: Workshop):
    shop.write(train="import time\nprint('at work')\ntime.sleep(300)\n")
    with start_train(shop) as step:
        until(lambda: (shop.prefix / "logs/train.log").exists() and "at work" in shop.log("train"))
        (below,) = descendants(step.pid)
        step.kill()
        step.wait(DEADLINE_S)

    until(lambda: not is_running(below))
    result = shop.report(shop.arguments, "FAILED", error="container exited with 137")
    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("train", "lost")
    assert failure.message == "The step `train` went away without a word. The engine says: container exited with 137"


def start_train(shop: Workshop, **changes: Any) -> subprocess.Popen[bytes]:
    """The step `train` in a process of its own, after `fetch`."""
    given = {**shop.arguments, **changes}
    artifacts = shop.folder / "artifacts"
    artifacts.mkdir()
    fetch = {name: given[name] for name in FETCH}
    fetch |= {"code_file": str(artifacts / "code"), "data_folder": str(artifacts / "data")}
    train = {name: given[name] for name in (*USER, "train", "evaluate")}
    train |= {name: fetch[name] for name in ("code_file", "data_folder")}
    train |= {"data_own_path": "", "model_folder": str(artifacts / "model")}
    script = (
        "import json, sys\n"
        "from pipelines.steps.fetch import fetch_step\n"
        "from pipelines.steps.train import train_step\n"
        "fetch, train = json.loads(sys.argv[1])\n"
        "fetch_step(**fetch)\n"
        "train_step(**train)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script, json.dumps([fetch, train])], env=dict(os.environ))
