"""`kill -9` of each process of the local engine: nothing is lost, nothing runs twice, nothing is left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bot.domain.errors import TransientError
from bot.domain.run import EngineState
from bot.engines.local import LocalEngine
from bot.engines.local_folder import RunFolder
from bot.engines.local_lost import LOST
from tests.engines.kit import FAIL, WAIT, SmallRun, end_of, intend, local_engine, small_run, states, until

SPAWN = f"""
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True, cwd='/')
(folder / 'spawned').touch()
{WAIT}
"""


def supervisor_of(engine: LocalEngine, run: SmallRun) -> psutil.Process:
    return psutil.Process(RunFolder.of(engine._runs, run.id).supervisor_pid())


@contextmanager
def doomed_service(home: Path, packages: Path, run: SmallRun) -> Iterator[subprocess.Popen[str]]:
    """A service in a process of its own, with a warm engine, about to submit `run`."""
    script = Path(__file__).with_name("doomed_service.py")
    command = [sys.executable, script, home, packages, json.dumps(asdict(run.submission))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout.readline().startswith("warm")
        yield service
        service.kill()


def submits(engine: LocalEngine, run: SmallRun) -> bool:
    try:
        engine.submit(run.submission)
    except TransientError:
        return False
    return True


def gone(processes: list[psutil.Process]) -> bool:
    """A step is a fork of the worker and has no environment of its own to be known by."""
    assert len(processes) >= 3, "worker, step, and what the step started"
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def start_waiting(engine: LocalEngine, artifacts: Path) -> SmallRun:
    run = small_run(artifacts, train=SPAWN)
    engine.submit(run.submission)
    run.wait_until_step_begins("train")
    until(run.left_processes, "the step's own process runs")
    return run


def test_a_run_whose_supervisor_is_killed_is_failed_with_a_word_and_never_started_again(
    engine: LocalEngine, artifacts: Path
):
    run = start_waiting(engine, artifacts)
    processes = supervisor_of(engine, run).children(recursive=True)

    supervisor_of(engine, run).kill()
    ended = end_of(engine, run.id)

    assert (ended.state, ended.reason) == (EngineState.FAILED, LOST)
    assert states(ended) == {"fetch": "succeeded", "train": "failed", "evaluate": "skipped", "report": "skipped"}
    assert run.left_processes() == []
    until(lambda: gone(processes), "worker and step are gone")
    engine.submit(run.submission)
    assert engine.observe([run.id])[run.id] == ended
    assert run.begun == ["fetch", "train"]


def test_a_run_whose_worker_is_killed_is_failed_with_a_word(engine: LocalEngine, artifacts: Path):
    run = start_waiting(engine, artifacts)
    processes = supervisor_of(engine, run).children(recursive=True)

    supervisor_of(engine, run).children()[0].kill()
    ended = end_of(engine, run.id)

    assert ended.state is EngineState.FAILED
    assert ended.reason == "The run's process was ended by SIGKILL; perhaps the machine's memory ran out."
    assert run.left_processes() == []
    assert gone(processes)


def test_a_killed_runner_takes_no_run_with_it_and_is_replaced(make_engine: Callable[..., LocalEngine], artifacts: Path):
    engine, run, later = make_engine(), small_run(artifacts, train=WAIT), small_run(artifacts)
    engine.submit(run.submission)
    run.wait_until_step_begins("train")
    killed = engine.runner_pid

    os.kill(killed, signal.SIGKILL)
    until(lambda: engine.runner_pid != killed)
    engine.submit(later.submission)
    run.let_go()

    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    assert end_of(engine, later.id).state is EngineState.SUCCEEDED
    assert (run.begun, later.begun) == (["fetch", "train", "evaluate"],) * 2


def test_a_runner_that_dies_at_once_is_said_to_be_ill_until_another_works(
    make_engine: Callable[..., LocalEngine], artifacts: Path
):
    engine, run = make_engine(), small_run(artifacts)
    engine.start()
    os.kill(engine.runner_pid, signal.SIGKILL)
    until(lambda: engine.runner_pid is None)

    with pytest.raises(TransientError, match=r"does not work: .* runner ended with -9; see runner.log"):
        engine.check_health()
    engine.submit(run.submission)
    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    engine.check_health()


def test_a_runner_without_work_goes_and_comes_back(make_engine: Callable[..., LocalEngine], artifacts: Path):
    engine, first, second = make_engine(idle_s=0.05), small_run(artifacts, train=WAIT), small_run(artifacts)
    engine.submit(first.submission)
    first.wait_until_step_begins("train")
    assert engine.runner_pid is not None
    first.let_go()
    end_of(engine, first.id)

    until(lambda: engine.runner_pid is None)
    engine.check_health()
    engine.submit(second.submission)
    assert end_of(engine, second.id).state is EngineState.SUCCEEDED


def test_a_runner_that_hangs_is_replaced(make_engine: Callable[..., LocalEngine], artifacts: Path):
    engine = make_engine(start_patience_s=1.5)
    first, second = small_run(artifacts), small_run(artifacts)
    until(lambda: submits(engine, first), "the runner has imported kfp")
    hanging = engine.runner_pid
    os.kill(hanging, signal.SIGSTOP)

    with pytest.raises(TransientError, match=r"The local engine's runner does not answer"):
        engine.submit(second.submission)
    until(lambda: engine.runner_pid != hanging)
    until(lambda: submits(engine, second), "the next runner works")

    assert [end_of(engine, run.id).state for run in (first, second)] == [EngineState.SUCCEEDED] * 2
    assert second.begun == ["fetch", "train", "evaluate"]


def test_a_killed_service_finds_its_runs_again(packages: Path, tmp_path: Path, artifacts: Path):
    run, told = small_run(artifacts, train=WAIT), threading.Event()
    with doomed_service(tmp_path / "home", packages, run) as service:
        service.stdin.write("\n")
        service.stdin.flush()
        assert service.stdout.readline() == "submitted\n"
        run.wait_until_step_begins("train")
        service.kill()
    engine = local_engine(tmp_path / "home", packages, on_change=lambda run_id: run_id == run.id and told.set())

    assert engine.observe([run.id])[run.id].state is EngineState.RUNNING
    engine.submit(run.submission)
    run.let_go()
    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    assert told.wait(30)
    assert run.begun == ["fetch", "train", "evaluate"]
    engine.close()


def test_a_service_that_starts_ends_what_a_killed_one_left_without_a_supervisor(
    packages: Path, tmp_path: Path, artifacts: Path
):
    run, told = small_run(artifacts, train=SPAWN), threading.Event()
    with doomed_service(tmp_path / "home", packages, run) as service:
        service.stdin.write("\n")
        service.stdin.flush()
        until((run.prefix / "spawned").exists)
        service.kill()
    engine = local_engine(tmp_path / "home", packages, on_change=lambda run_id: run_id == run.id and told.set())
    supervisor_of(engine, run).kill()
    assert run.left_processes()

    engine.start()

    assert told.wait(30)
    assert run.left_processes() == []
    assert engine.observe([run.id])[run.id].reason == LOST
    assert [path.name for path in RunFolder.of(engine._runs, run.id).path.iterdir() if path.is_dir()] == []
    engine.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_service_killed_at_any_moment_of_a_submission_runs_it_exactly_once(
    packages: Path, tmp_path: Path, artifacts: Path, seed: int
):
    run = small_run(artifacts)
    with doomed_service(tmp_path / "home", packages, run) as service:
        service.stdin.write("\n")
        service.stdin.flush()
        time.sleep(random.Random(seed).uniform(0, 0.02))  # spreads over the submission
        service.kill()
    engine = local_engine(tmp_path / "home", packages)

    engine.submit(run.submission)  # as the restarted service does, for the run's row says that it is starting

    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    assert run.begun == ["fetch", "train", "evaluate"]
    engine.close()


def test_two_services_that_submit_the_same_run_at_once_start_it_once(
    make_engine: Callable[..., LocalEngine], artifacts: Path
):
    engines = [make_engine(), make_engine()]
    runs = [small_run(artifacts) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        for run in runs:
            list(pool.map(lambda engine, run=run: engine.submit(run.submission), engines * 2))

    for run in runs:
        assert {end_of(engine, run.id).state for engine in engines} == {EngineState.SUCCEEDED}
        assert run.begun == ["fetch", "train", "evaluate"]


def test_a_run_that_was_only_intended_is_started_by_the_next_submission(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts)
    intend(engine, run.submission)
    assert engine.observe([run.id])[run.id].state is EngineState.PENDING

    engine.submit(run.submission)

    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    assert run.begun == ["fetch", "train", "evaluate"]


def test_a_run_that_started_before_the_machine_did_is_failed_and_not_started_again(
    engine: LocalEngine, artifacts: Path
):
    run = small_run(artifacts)
    intend(engine, run.submission).write_started(datetime.now(UTC))

    engine.submit(run.submission)

    assert end_of(engine, run.id).reason == LOST
    assert run.begun == []


def test_a_canceled_run_that_was_lost_is_canceled(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts)
    folder = intend(engine, run.submission)
    folder.write_started(datetime.now(UTC))
    engine.cancel(run.id)

    assert end_of(engine, run.id).state is EngineState.CANCELED


def test_a_package_that_can_not_be_read_is_told(tmp_path: Path, artifacts: Path):
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "train.yaml").write_text("no: pipeline")
    engine = local_engine(tmp_path / "home", packages)
    run = small_run(artifacts)

    with pytest.raises(TransientError, match=r"could not start run-\w+: .*train.yaml can not be read as a pipeline"):
        engine.submit(run.submission)
    engine.close()


def test_no_zombies_are_left(make_engine: Callable[..., LocalEngine], artifacts: Path):
    engine, before = make_engine(), set(psutil.Process().children(recursive=True))
    runs = [small_run(artifacts), small_run(artifacts, train=FAIL), small_run(artifacts, train=SPAWN)]
    for run in runs:
        engine.submit(run.submission)
    runs[2].let_go()
    for run in runs:
        end_of(engine, run.id)
    runner = psutil.Process(engine.runner_pid)
    until(lambda: runner.children() == [], "supervisors are reaped")
    engine.close()

    assert not runner.is_running()
    new = set(psutil.Process().children(recursive=True)) - before
    assert [child for child in new if child.status() == psutil.STATUS_ZOMBIE] == []
    assert [run.left_processes() for run in runs] == [[], [], []]
